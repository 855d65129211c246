"""Whether an order is complete: pure (DESIGN §5). Reasons are sentences for a person."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.orders.link_match import LinkMatch
from worker.standing import DeliveryFacts, Gate, GateKind
from worker.states import OrderState

COMPLETED = "completed"
CANCELLED = "cancelled"
# Values that say that something is wrong, or that nobody can say what is; in `status` and in `statusInbound`.
BLOCKING = ("error", "unknown", "onHold")
# How an unrecognised value of those two fields begins in `DeliveryFacts.unrecognised`.
_UNRECOGNISED = ("status=", "statusInbound=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that the decision goes by.

    `deliveries`: every known one of the order, also those no longer visible. `read_confirmed`: after the quiet time
    they were read at the source with exactly this content. `server_now`: the source's time, None while it is not known.
    `gates`: what the customer orders mean that its deliveries name.
    """

    deliveries: tuple[DeliveryFacts, ...]
    set_aside: tuple[str, ...]
    counted_elsewhere: tuple[str, ...]
    match: LinkMatch
    server_now: datetime | None
    quiet_seconds: float
    read_confirmed: bool
    gates: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The state and its reason; `look_in` seconds it may change by time alone; `wants_reading`: ask the source."""

    state: OrderState
    reason: str
    look_in: float | None = None
    wants_reading: bool = False


# While the source's time is not known, look again after this long: a poll will have told it. In seconds.
UNKNOWN_TIME_SECONDS = 5.0
# The shortest wait between two looks while an order settles, in seconds: the source's clock ticks in whole seconds.
SHORTEST_WAIT_SECONDS = 0.5

# Until customer orders were read that are still to be read, look again after this long, in seconds: no event tells it.
PENDING_SECONDS = 30.0


def decide(case: Case) -> Decision:
    """The state of an order. The order in which deliveries are given does not matter."""
    for judge in _JUDGES:
        decision = judge(case)
        if decision is not None:
            return decision
    return Decision(state=OrderState.COMPLETE, reason=_complete(case))


def newest(deliveries: Sequence[DeliveryFacts]) -> datetime | None:
    """The newest updatedAt among the deliveries, cancelled ones too: a cancellation can be what completes an order."""
    return max((delivery.updated_at for delivery in deliveries), default=None)


def _blocked(case: Case) -> Decision | None:
    reasons = sorted(case.set_aside)
    for delivery in sorted(case.deliveries, key=lambda found: found.id):
        reasons += _what_blocks(delivery)
    reasons += [gate.reason for gate in _gates(case, GateKind.BLOCKS)]
    reasons += sorted(case.counted_elsewhere)
    if case.match.ambiguous is not None:
        reasons.append(case.match.ambiguous)
    reasons += _too_many(case)
    if not reasons:
        return None
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return Decision(state=OrderState.BLOCKED, reason=reasons[0] + more)


def _what_blocks(delivery: DeliveryFacts) -> list[str]:
    if not delivery.visible:
        return [f"delivery {delivery.id} is no longer visible at the source"]
    reasons = []
    for value, field in ((delivery.status, "status"), (delivery.status_inbound, "inbound status")):
        if value in BLOCKING:
            reasons.append(f"delivery {delivery.id} has {field} {value}")
    unknown = [text for text in delivery.unrecognised if text.startswith(_UNRECOGNISED)]
    return reasons + [f"delivery {delivery.id} has a value this version does not know: {text}" for text in unknown]


def _too_many(case: Case) -> list[str]:
    expected = _expected(case)
    if expected is None or len(_counting(case)) <= expected:
        return []
    return [f"{len(_counting(case))} deliveries have appeared, but the link expects {expected}"]


def _empty(case: Case) -> Decision | None:
    if case.deliveries:
        return None
    return Decision(state=OrderState.OPEN, reason="no delivery has this purchase order number any more")


def _all_cancelled(case: Case) -> Decision | None:
    if _counting(case):
        return None
    return Decision(state=OrderState.CANCELLED, reason="every delivery was cancelled")


def _on_their_way(case: Case) -> Decision | None:
    counting = _counting(case)
    waiting = [delivery for delivery in counting if delivery.status != COMPLETED]
    if not waiting:
        return None
    done = len(counting) - len(waiting)
    first = waiting[0]
    reason = f"{done} of {len(counting)} deliveries are completed; delivery {first.id} is {first.status}"
    return Decision(state=OrderState.OPEN, reason=reason)


def _too_few(case: Case) -> Decision | None:
    expected = _expected(case)
    if expected is None or len(_counting(case)) == expected:
        return None
    reason = f"{len(_counting(case))} of {expected} expected deliveries have appeared"
    return Decision(state=OrderState.OPEN, reason=reason)


def _unreceived(case: Case) -> Decision | None:
    """Nothing is left to be done here; what is awaited is the customer's word."""
    waiting = _gates(case, GateKind.WAITS)
    return Decision(state=OrderState.OPEN, reason=waiting[0].reason) if waiting else None


def _quiet(case: Case) -> Decision | None:
    """Settling until nothing changed for the quiet time, by the source's clock."""
    newest_at = newest(case.deliveries)
    if case.read_confirmed or newest_at is None:
        return None
    if case.server_now is None:
        return _settling("the source's time is not known yet", look_in=UNKNOWN_TIME_SECONDS)
    left = case.quiet_seconds - (case.server_now - newest_at).total_seconds()
    if left <= 0:
        return None
    reason = f"all deliveries are completed; waiting until nothing has changed for {case.quiet_seconds:g} s"
    return _settling(reason, look_in=max(left, SHORTEST_WAIT_SECONDS))


def _unlinked(case: Case) -> Decision | None:
    """Asked before the reading: thousands of old orders that nobody links shall cost the source no request each."""
    if case.match.link is not None:
        return None
    return Decision(state=OrderState.UNLINKED, reason="all deliveries are completed; no link says what pays for it")


def _gates_unread(case: Case) -> Decision | None:
    """Asked after the links: what nobody links costs barmate no request either."""
    unread = _gates(case, GateKind.UNREAD)
    if unread:
        return replace(_settling(unread[0].reason, look_in=PENDING_SECONDS), wants_reading=True)
    pending = _gates(case, GateKind.PENDING)
    return _settling(pending[0].reason, look_in=PENDING_SECONDS) if pending else None


def _unread(case: Case) -> Decision | None:
    if case.read_confirmed:
        return None
    reason = "all deliveries are completed; they are being read once more at the source"
    return Decision(state=OrderState.SETTLING, reason=reason, wants_reading=True)


_JUDGES: tuple[Callable[[Case], Decision | None], ...] = (
    _blocked,
    _empty,
    _all_cancelled,
    _on_their_way,
    _too_few,
    _unreceived,
    _quiet,
    _unlinked,
    _gates_unread,
    _unread,
)


def _gates(case: Case, kind: GateKind) -> list[Gate]:
    return sorted((gate for gate in case.gates if gate.kind is kind), key=lambda gate: gate.delivery_id)


def _settling(reason: str, *, look_in: float) -> Decision:
    return Decision(state=OrderState.SETTLING, reason=reason, look_in=look_in)


def _counting(case: Case) -> list[DeliveryFacts]:
    """The deliveries that are not cancelled, by id."""
    counting = [delivery for delivery in case.deliveries if delivery.status != CANCELLED]
    return sorted(counting, key=lambda delivery: delivery.id)


def _expected(case: Case) -> int | None:
    return None if case.match.link is None else case.match.link.expected_deliveries


def _complete(case: Case) -> str:
    count = len(_counting(case))
    return f"complete: {count} {'delivery' if count == 1 else 'deliveries'}, read at the source"
