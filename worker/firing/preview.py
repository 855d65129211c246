"""The preview: the exact bytes that would be sent for an order, and how its kilograms came about. Sends nothing."""

from collections.abc import Sequence

from worker.db import Database
from worker.errors import UsageError
from worker.events import OrderKey
from worker.firing import pins as pin_rows
from worker.firing.account import RegistryAccount
from worker.firing.batches import BatchReader
from worker.firing.marker import notes_with
from worker.firing.pins import Pin
from worker.firing.plan import Chosen, SeveralProjects, Short, Wanted, choose, request_bytes
from worker.firing.readiness import Readiness, Ready
from worker.firing.rows import FiringRow, FiringRows
from worker.states import UNSENT, FiringState

NO_KEY = "<marker: set WAYBILL_CREDITS__MARKER_KEY>"
NO_SUPPLIER = "<marker: known once the registry was asked with credentials>"
NO_CREDENTIALS = "<batches: set WAYBILL_ISOMETRIC__ACCESS_TOKEN and __CLIENT_SECRET>"

# What was frozen in these states is history: the next request may be another one.
_PLANNABLE = UNSENT | {FiringState.WITHDRAWN}
# Nothing of it is pinned yet, so no firing is excepted from the reservations.
_NO_FIRING = -1


class Preview:
    """What `credits plan` shows. Reads the registry where there are credentials."""

    def __init__(self, *, database: Database, rows: FiringRows, account: RegistryAccount, readiness: Readiness) -> None:
        self._database = database
        self._rows = rows
        self._account = account
        self._readiness = readiness

    def of(self, key: OrderKey, ordinal: int = 0) -> dict[str, object]:
        """The document. Raises UsageError where nothing is known of the order, ConnectorError by the registry."""
        with self._database.read() as connection:
            found = self._rows.of_order(connection, key)
            firing = next((one for one in found if one.ordinal == ordinal), None)
            standing = self._readiness.standing(connection, key)
            judged = self._readiness.judge(connection, standing, firing)
        if firing is None and ordinal > 0:
            sentence = f"There is no firing {ordinal} of purchase order {key.purchase_order}; see `credits list`."
            raise UsageError(sentence)
        document = self._about(key, ordinal, firing)
        if firing is not None and firing.request is not None and firing.state not in _PLANNABLE:
            return {**document, "request": firing.request.decode(), "frozen": True, "calculation": firing.calculation}
        if not isinstance(judged, Ready):
            return {**document, "request": None, "frozen": False, "missing": judged.reason, "calculation": None}
        return {**document, **self._would_send(key, ordinal, judged, firing)}

    def _about(self, key: OrderKey, ordinal: int, firing: FiringRow | None) -> dict[str, object]:
        return {
            "account": key.account,
            "customer_id": key.customer_id,
            "purchase_order": key.purchase_order,
            "ordinal": ordinal,
            "state": None if firing is None else firing.state.value,
            "reason": "there is no firing yet" if firing is None else firing.reason,
        }

    def _would_send(self, key: OrderKey, ordinal: int, ready: Ready, firing: FiringRow | None) -> dict[str, object]:
        pins, missing = self._pins(ready, _NO_FIRING if firing is None else firing.id)
        notes = notes_with(ready.link.note, self._marker(key, ordinal))
        return {
            "credit_order_id": ready.link.credit_order_id,
            "kg": ready.kg,
            "request": request_bytes(ready.link.credit_order_id, notes, pins).decode(),
            "frozen": False,
            "missing": missing,
            "calculation": dict(ready.calculation),
        }

    def _marker(self, key: OrderKey, ordinal: int) -> str:
        supplier_id = self._account.known_supplier_id()
        if self._account.fingerprint is None:
            return NO_KEY
        if supplier_id is None and self._account.registry is not None:
            supplier_id = self._account.supplier().id
        made = None if supplier_id is None else self._account.marker_of(key, ordinal, supplier_id)
        return NO_SUPPLIER if made is None else made

    def _pins(self, ready: Ready, firing_id: int) -> tuple[Sequence[Pin], str | None]:
        if self._account.registry is None:
            return (Pin(NO_CREDENTIALS, ready.kg),), None
        link = ready.link
        wanted = Wanted(
            kg=ready.kg,
            organisation_id=self._account.supplier().organisation.id,
            project=link.project,
            issuance=link.issuance,
        )
        candidates = BatchReader(self._account.registry).candidates(wanted, link)
        with self._database.read() as connection:
            reserved = pin_rows.reserved(connection, but=firing_id)
        found = choose(() if candidates is None else candidates, wanted, reserved)
        if isinstance(found, Chosen):
            return found.pins, None
        return (Pin("<batches: none could be chosen>", ready.kg),), _why(found)


def _why(found: Short | SeveralProjects) -> str:
    if isinstance(found, SeveralProjects):
        return f"batches of several projects could pay ({', '.join(found.projects)}): name one in the link"
    return f"{found.missing_kg} kg of usable credits are missing"
