"""Whether the replay probe may be run, and with which bytes: judged before anything is sent (DESIGN §6.7).

Only in the registry's sandbox: the host must be the sandbox's, or this machine's own (the bundled simulators), and no
id may look like one of production. Any other host counts as production.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from connectors.isometric import Environment, environment_of
from connectors.isometric_records import CreditBatch, CreditOrder, Supplier
from worker.doctor.verdicts import Intent, Verdict, Way
from worker.errors import UsageError
from worker.firing.marker import notes_with
from worker.firing.pins import Pin
from worker.firing.plan import Wanted, is_usable, request_bytes
from worker.firing.preparing import DELIVERABLE

_NOTE = "replay probe"


def require_sandbox(host: str, *ids: str) -> None:
    """Raise UsageError unless everything says that nothing real is touched."""
    if environment_of(host) is not Environment.SANDBOX and not _is_this_machine(host):
        sentence = (
            f"The replay probe makes a credit delivery and runs only in the registry's sandbox; {host} is not it: "
            "set WAYBILL_ISOMETRIC__BASE_URL to the sandbox, with its credentials and a database of its own."
        )
        raise UsageError(sentence)
    # Whatever listens on this machine may pass requests on; only an id can then tell where they go.
    wanted = {Environment.SANDBOX} if _is_this_machine(host) else {Environment.SANDBOX, Environment.UNKNOWN}
    for identity in ids:
        if environment_of(identity) not in wanted:
            sentence = f"The replay probe runs only in the registry's sandbox, and {identity} is no id of it."
            raise UsageError(sentence)


def require_room(order: CreditOrder, supplier: Supplier, kg: int, reserved_kg: int) -> None:
    """Raise UsageError unless the order takes the kilograms twice: else a no might be about the order."""
    if order.supplier.id != supplier.id:
        sentence = f"Credit order {order.id} belongs to supplier {order.supplier.id}, not to {supplier.id}."
        raise UsageError(sentence)
    if order.status not in DELIVERABLE:
        sentence = f"Credit order {order.id} is {order.status}: name one that takes deliveries."
        raise UsageError(sentence)
    left = order.ordered_kg - order.delivered_kg - reserved_kg
    if left < 2 * kg:
        sentence = (
            f"Credit order {order.id} has {left} kg left and the probe needs room for {2 * kg} kg, "
            "in case the registry accepts the repeat: name a smaller --kg or another credit order."
        )
        raise UsageError(sentence)


def choose_batch(
    batches: Sequence[CreditBatch], supplier: Supplier, kg: int, known: Mapping[Way, Verdict]
) -> tuple[CreditBatch, Way]:
    """The smallest batch that suffices, in a way that was not tried yet where there is one. Raises UsageError."""
    wanted = Wanted(kg=kg, organisation_id=supplier.organisation.id, project=None, issuance=None)
    found = [
        (batch, Way.WHOLE if batch.kg == kg else Way.PART)
        for batch in sorted(batches, key=lambda batch: (batch.kg, batch.id))
        if is_usable(batch, wanted) and batch.kg >= kg
    ]
    if not found:
        sentence = f"No usable batch of the sandbox has {kg} kg that no firing has pinned."
        raise UsageError(sentence)
    return next((one for one in found if one[1] not in known), found[0])


def intent_of(credit_order_id: str, kg: int, batch: CreditBatch, way: Way, marker: str) -> Intent:
    """The frozen request, with a marker of its own that belongs to no firing."""
    request = request_bytes(credit_order_id, notes_with(_NOTE, marker), [Pin(batch.id, kg)])
    return Intent(
        credit_order_id=credit_order_id,
        kg=kg,
        batch_id=batch.id,
        way=way,
        marker=marker,
        request=request.decode(),
    )


def _is_this_machine(host: str) -> bool:
    name = urlsplit(f"//{host}").hostname
    if name is None or name == "localhost":
        return name is not None
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
