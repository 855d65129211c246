"""What does not agree between the warehouse and barmate about one customer order. Pure; reasons are sentences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from connectors.barmate_records import OrderStatus
from worker.customers.customer_rows import CustomerOrderRow
from worker.responding.decision import Hold, Linked, Situation, Verdict
from worker.responding.quantities import compare
from worker.standing import LineItem

_CANCELLED = "cancelled"
_COMPLETED = "completed"
_UNDER_WAY = frozenset({"approved", "processing"})
_ENDED = frozenset({OrderStatus.CANCELLED, OrderStatus.REJECTED})
_ACCEPTED = frozenset({OrderStatus.ACCEPTED, OrderStatus.DELIVERED})


class Kind(StrEnum):
    """What does not agree; `not_comparable` is no difference, but nobody can say that there is none."""

    COMPLETED_HERE_ENDED_THERE = "completed_here_ended_there"
    UNDER_WAY_HERE_ENDED_THERE = "under_way_here_ended_there"
    CANCELLED_HERE_ACCEPTED_THERE = "cancelled_here_accepted_there"
    ACCEPTED_THERE_UNKNOWN_HERE = "accepted_there_unknown_here"
    UNKNOWN_THERE = "unknown_there"
    QUANTITIES = "quantities"
    NOT_COMPARABLE = "not_comparable"
    NO_MOVEMENT = "no_movement"
    AMBIGUOUS = "ambiguous"
    WAITS_FOR_A_PERSON = "waits_for_a_person"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that does not agree."""

    kind: Kind
    customer_order_id: str
    status: str | None
    deliveries: tuple[int, ...]
    reason: str

    @property
    def counts(self) -> bool:
        """Whether it is a difference."""
        return self.kind is not Kind.NOT_COMPARABLE

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "kind": self.kind.value,
            "customer_order_id": self.customer_order_id,
            "status": self.status,
            "deliveries": list(self.deliveries),
            "differs": self.counts,
            "reason": self.reason,
        }


def differences(
    situation: Situation, lines: Sequence[LineItem] | None, verdict: Verdict, now: datetime, *, still: timedelta
) -> Iterator[Difference]:
    """Everything about one customer order; `lines`: of its deliveries that count, None where one has none to show."""
    order = situation.order
    if order is None:
        return
    yield from _ends(situation, order)
    yield from _links(situation, order)
    yield from _movement(situation, order, now, still)
    yield from _waiting(situation, order, verdict)
    yield from _quantities(situation, order, lines)


def named_and_unknown(order_id: str, delivery_ids: Sequence[int]) -> Difference:
    """Deliveries that name a customer order which barmate says it does not know."""
    return Difference(
        kind=Kind.UNKNOWN_THERE,
        customer_order_id=order_id,
        status=None,
        deliveries=tuple(delivery_ids),
        reason="a delivery names it, and barmate does not know it",
    )


def _ends(situation: Situation, order: CustomerOrderRow) -> Iterator[Difference]:
    completed = [one for one in situation.linked if one.status == _COMPLETED]
    under_way = [one for one in situation.linked if one.status in _UNDER_WAY]
    if order.status in _ENDED and completed:
        reason = f"completed at the warehouse, {order.status} at barmate"
        yield _found(Kind.COMPLETED_HERE_ENDED_THERE, order, completed, reason)
    if order.status in _ENDED and under_way:
        reason = f"under way at the warehouse, {order.status} at barmate"
        yield _found(Kind.UNDER_WAY_HERE_ENDED_THERE, order, under_way, reason)
    if order.status in _ACCEPTED and situation.linked and not _live(situation):
        reason = f"cancelled at the warehouse, {order.status} at barmate"
        yield _found(Kind.CANCELLED_HERE_ACCEPTED_THERE, order, situation.linked, reason)


def _links(situation: Situation, order: CustomerOrderRow) -> Iterator[Difference]:
    if order.status in _ACCEPTED and not situation.linked and not order.is_return:
        yield _found(
            Kind.ACCEPTED_THERE_UNKNOWN_HERE, order, (), f"{order.status} at barmate, and no delivery names it"
        )
    if situation.linked and not order.visible:
        yield _found(Kind.UNKNOWN_THERE, order, situation.linked, "barmate does not know it any more")
    if len(_live(situation)) > 1 and not order.is_final:
        yield _found(Kind.AMBIGUOUS, order, _live(situation), "several deliveries name it; it is not answered")


def _movement(situation: Situation, order: CustomerOrderRow, now: datetime, still: timedelta) -> Iterator[Difference]:
    if order.is_final or not order.visible:
        return
    last = max([order.changed_at, *(one.changed_at for one in situation.linked)])
    if now - last >= still:
        yield _found(
            Kind.NO_MOVEMENT, order, situation.linked, f"{order.status}, and nothing moved for {(now - last).days} days"
        )


def _waiting(situation: Situation, order: CustomerOrderRow, verdict: Verdict) -> Iterator[Difference]:
    if situation.set_aside is not None:
        yield _found(
            Kind.WAITS_FOR_A_PERSON, order, situation.linked, f"its record was set aside: {situation.set_aside}"
        )
        return
    if situation.open is not None and situation.open.in_doubt:
        yield _found(Kind.WAITS_FOR_A_PERSON, order, situation.linked, situation.open.reason)
        return
    if isinstance(verdict, Hold) and len(_live(situation)) <= 1:
        yield _found(Kind.WAITS_FOR_A_PERSON, order, situation.linked, verdict.reason)


def _quantities(
    situation: Situation, order: CustomerOrderRow, lines: Sequence[LineItem] | None
) -> Iterator[Difference]:
    live = _live(situation)
    if not live or order.status in _ENDED or order.is_return:
        return
    if lines is None:
        yield _found(Kind.NOT_COMPARABLE, order, live, "a delivery has no line items to compare")
        return
    compared = compare(order, lines)
    different = [one.reason for one in compared if one.differs]
    unclear = [one.reason for one in compared if one.differs is None]
    if different:
        yield _found(Kind.QUANTITIES, order, live, "; ".join(different))
    if unclear:
        yield _found(Kind.NOT_COMPARABLE, order, live, "; ".join(unclear))


def _live(situation: Situation) -> list[Linked]:
    return [one for one in situation.linked if one.status != _CANCELLED]


def _found(kind: Kind, order: CustomerOrderRow, linked: Sequence[Linked], reason: str) -> Difference:
    return Difference(
        kind=kind,
        customer_order_id=order.id,
        status=order.status,
        deliveries=tuple(one.delivery_id for one in linked),
        reason=reason,
    )
