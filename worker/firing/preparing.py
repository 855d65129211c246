"""Preparing: the readings just before sending, none of them older than ten seconds (DESIGN §6.4)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from connectors.errors import ConnectorError
from connectors.isometric_records import CreditBatch, CreditOrder
from worker.clock import Clock
from worker.db import Database
from worker.errors import BrokenInvariant
from worker.events import OrderKey
from worker.firing import pins as pin_rows
from worker.firing.absence import is_untouched
from worker.firing.account import RegistryAccount
from worker.firing.batches import BatchReader
from worker.firing.ledger import Ledger, mirrored_on, unattributed_on
from worker.firing.marker import NOTES_CHARACTERS, notes_with
from worker.firing.pins import Pin
from worker.firing.plan import Chosen, SeveralProjects, Short, Wanted, choose, is_usable, request_bytes
from worker.firing.policy import Cause, Hold
from worker.firing.readiness import Ready
from worker.firing.rows import FiringRow, unresolved_kg
from worker.standing import NotFresh, Recheck, Standing

# Something moved while we read: read again after this long, in seconds.
AGAIN_SECONDS = 1.0
# An order in one of these may receive deliveries (registry user guide, view orders).
DELIVERABLE = frozenset({"placed", "in_progress"})


class WarehouseTrouble(Exception):
    """The order could not be re-read at the warehouse or at barmate: that says nothing about the registry."""

    def __init__(self, error: ConnectorError) -> None:
        super().__init__(error.sentence)
        self.sentence = error.sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is about to be frozen, and the readings it rests on."""

    ready: Ready
    content_hash: str
    marker: str
    request: bytes
    pins: tuple[Pin, ...]
    baseline: Mapping[str, object]
    remaining_kg: int
    # On the clock's monotonic scale: when the oldest reading was begun.
    read_at: float
    # The same bytes as before, not a new freeze.
    resend: bool


@dataclass(frozen=True, slots=True)
class Again:
    """Nothing is missing, but what was read did not hold still: look again."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class PinsGone:
    """The frozen bytes can not be sent again: a pinned batch was touched."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    order: CreditOrder
    standing: Standing
    read_at: float


class Preparing:
    """Reads at the warehouse and at the registry; writes nothing but the mirrored ledger."""

    def __init__(
        self,
        *,
        database: Database,
        account: RegistryAccount,
        ledger: Ledger,
        recheck: Recheck,
        clock: Clock,
    ) -> None:
        self._database = database
        self._account = account
        self._ledger = ledger
        self._recheck = recheck
        self._clock = clock

    def fresh(self, firing: FiringRow, ready: Ready) -> Prepared | Hold | Again:
        """Choose batches and read everything for a new request. Raises ConnectorError."""
        found = self._fresh(firing, ready)
        if isinstance(found, Hold):
            # What is missing may be missing because this very firing was delivered, before the database was lost.
            self._ledger.refresh(ready.link.credit_order_id)
        return found

    def _fresh(self, firing: FiringRow, ready: Ready) -> Prepared | Hold | Again:
        supplier = self._account.supplier()
        wanted = _wanted(ready, supplier.organisation.id)
        chosen = self._choose(firing, wanted, ready)
        if not isinstance(chosen, Chosen):
            return chosen
        seen = self._read(firing, ready, chosen.pins, wanted)
        if not isinstance(seen, _Seen):
            return seen
        marker = self._account.marker_of(firing.key, firing.ordinal, supplier.id)
        if marker is None:
            return Hold(Cause.CREDENTIALS, "there is no marker key; set WAYBILL_CREDITS__MARKER_KEY")
        notes = notes_with(ready.link.note, marker)
        if len(notes) > NOTES_CHARACTERS:
            return Hold(Cause.LINK, f"the link's note and the marker exceed {NOTES_CHARACTERS} characters; shorten it")
        request = request_bytes(ready.link.credit_order_id, notes, chosen.pins)
        return self._prepared(firing, ready, seen, marker=marker, request=request, pins=chosen.pins, resend=False)

    def again(self, firing: FiringRow, ready: Ready) -> Prepared | Hold | Again | PinsGone:
        """Read everything for the same bytes again; the pins must be untouched. Raises ConnectorError."""
        with self._database.read() as connection:
            frozen = pin_rows.active(connection, firing.id)
        if firing.request is None or firing.marker is None or not frozen:
            return PinsGone("the frozen request is not there any more")
        wanted = _wanted(ready, self._account.supplier().organisation.id)
        seen = self._read(firing, ready, frozen, wanted)
        if isinstance(seen, Again) and seen.reason.startswith(_MOVED):
            return PinsGone(seen.reason)
        if not isinstance(seen, _Seen):
            return seen
        marker, request = firing.marker, firing.request
        return self._prepared(firing, ready, seen, marker=marker, request=request, pins=frozen, resend=True)

    def _choose(self, firing: FiringRow, wanted: Wanted, ready: Ready) -> Chosen | Hold | Again:
        candidates = BatchReader(self._account.require()).candidates(wanted, ready.link)
        if candidates is None:
            return Again(AGAIN_SECONDS, _NOT_WHOLE)
        with self._database.read() as connection:
            reserved = pin_rows.reserved(connection, but=firing.id)
        found = choose(candidates, wanted, reserved)
        if isinstance(found, SeveralProjects):
            return Hold(Cause.BATCHES, f"batches of several projects could pay ({', '.join(found.projects)}): name one")
        if isinstance(found, Short):
            return _short(found)
        return found

    def _read(self, firing: FiringRow, ready: Ready, pins: Sequence[Pin], wanted: Wanted) -> _Seen | Hold | Again:
        """Read the order and the registry side by side: each has a budget of its own, and the ten seconds are one."""
        read_at = self._clock.monotonic()
        try:
            with self._reread(firing.key) as standing:
                order = self._read_registry(ready, pins, wanted)
                if not isinstance(order, CreditOrder):
                    return order
                return _Seen(order=order, standing=standing(), read_at=read_at)
        except NotFresh as late:
            return Hold(Cause.FRESHNESS, late.sentence)

    def _read_registry(self, ready: Ready, pins: Sequence[Pin], wanted: Wanted) -> CreditOrder | Hold | Again:
        registry = self._account.require()
        order = registry.order(ready.link.credit_order_id)
        if order.delivered_kg > order.ordered_kg:
            broken = f"credit order {order.id} has {order.delivered_kg} kg delivered and {order.ordered_kg} kg ordered"
            raise BrokenInvariant(broken)
        unfit = self._unfit(order, wanted)
        if unfit is not None:
            return unfit
        batches = BatchReader(registry).pinned(pins, wanted)
        if batches is None:
            return Again(AGAIN_SECONDS, _NOT_WHOLE)
        moved = _moved(pins, batches, wanted)
        if moved is not None:
            return Again(AGAIN_SECONDS, moved)
        joined = self._ledger.refresh(order.id)
        if not joined.agrees:
            return Again(AGAIN_SECONDS, joined.reason)
        return order

    @contextmanager
    def _reread(self, key: OrderKey) -> Iterator[Callable[[], Standing]]:
        with ExitStack() as stack:
            with _elsewhere():
                standing = stack.enter_context(self._recheck(key))
            yield lambda: _said(standing)

    def _unfit(self, order: CreditOrder, wanted: Wanted) -> Hold | None:
        supplier = self._account.supplier()
        if order.supplier.id != supplier.id:
            return Hold(
                Cause.CREDIT_ORDER, f"credit order {order.id} belongs to supplier {order.supplier.id}, not to us"
            )
        if order.status not in DELIVERABLE:
            return Hold(
                Cause.CREDIT_ORDER, f"credit order {order.id} is {order.status}: nothing can be delivered to it"
            )
        left = order.ordered_kg - order.delivered_kg
        if left < wanted.kg:
            return Hold(Cause.CREDIT_ORDER, f"credit order {order.id} has {left} kg left and {wanted.kg} kg are needed")
        return None

    def _prepared(
        self,
        firing: FiringRow,
        ready: Ready,
        seen: _Seen,
        *,
        marker: str,
        request: bytes,
        pins: tuple[Pin, ...],
        resend: bool,
    ) -> Prepared | Hold | Again:
        order = seen.order
        with self._database.read() as connection:
            mirrored = mirrored_on(connection, order.id)
            waiting = unattributed_on(connection, order.id)
            others = unresolved_kg(connection, order.id, but=firing.id)
        if waiting:
            return Hold(Cause.UNATTRIBUTED, f"nobody claims delivery {waiting[0]} on credit order {order.id}")
        if sum(mirrored.values()) != order.delivered_kg:
            return Again(AGAIN_SECONDS, f"the ledger and the total of credit order {order.id} do not agree yet")
        remaining = order.ordered_kg - order.delivered_kg
        if remaining - others < ready.kg:
            return Hold(Cause.RESERVED, f"unresolved firings reserve {others} of {remaining} kg on {order.id}")
        return Prepared(
            ready=ready,
            content_hash=seen.standing.content_hash,
            marker=marker,
            request=request,
            pins=pins,
            baseline=_baseline(order, mirrored, pins),
            remaining_kg=remaining,
            read_at=seen.read_at,
            resend=resend,
        )


@contextmanager
def _elsewhere() -> Iterator[None]:
    try:
        yield
    except ConnectorError as error:
        raise WarehouseTrouble(error) from error


def _said(standing: Callable[[], Standing]) -> Standing:
    with _elsewhere():
        return standing()


_MOVED = "pinned batch"
_NOT_WHOLE = "the list of batches could not be read whole"


def _moved(pins: Sequence[Pin], batches: Mapping[str, CreditBatch], wanted: Wanted) -> str | None:
    for pin in pins:
        batch = batches.get(pin.batch_id)
        usable = batch is not None and is_usable(batch, wanted)
        if batch is None or not usable or not is_untouched(batch, wanted.organisation_id, pin.kg):
            return f"{_MOVED} {pin.batch_id} was used or changed meanwhile"
    return None


def _short(found: Short) -> Hold:
    if found.reserved_kg >= found.missing_kg:
        return Hold(Cause.RESERVED, f"{found.missing_kg} kg are missing until unresolved firings free their batches")
    return Hold(Cause.BATCHES, f"{found.missing_kg} kg of usable credits are missing")


def _wanted(ready: Ready, organisation_id: str) -> Wanted:
    link = ready.link
    return Wanted(kg=ready.kg, organisation_id=organisation_id, project=link.project, issuance=link.issuance)


def _baseline(order: CreditOrder, mirrored: Mapping[str, int], pins: Sequence[Pin]) -> dict[str, object]:
    return {
        "status": order.status,
        "ordered_kg": order.ordered_kg,
        "delivered_kg": order.delivered_kg,
        "deliveries": sorted(mirrored),
        "pins": {pin.batch_id: pin.kg for pin in pins},
    }
