"""What a reading says that we did not know: the events of customer orders. Pure.

No event holds a person's name, address or words, nor the company's name.
"""

from dataclasses import dataclass
from datetime import datetime

from connectors.barmate_records import CustomerOrder, OrderStatus
from worker.clock import instant_text
from worker.customers.customer_rows import CustomerOrderRow
from worker.customers.documents import Document, newest_stamp, reference_of, told_document
from worker.events import EventDraft, EventType, OrderKey, barmate_source, customer_order_subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A customer order as it was read by its id: its columns, their hash, the request's turn and the time of it."""

    order: CustomerOrder
    columns: Document
    hash: str
    turn: int
    # barmate's own time where it told one, else ours.
    at: datetime

    @property
    def reference(self) -> str | None:
        """The reference in force."""
        return reference_of(self.order.responses)


def kind_of(held: CustomerOrderRow | None, seen: Seen, *, mended: bool) -> EventType | None:
    """What happened; None where nothing did. `mended`: a record of it had been set aside, and it parses now."""
    if held is None or not held.content_hash:
        return EventType.CUSTOMER_ORDER_APPEARED
    if not held.visible:
        return EventType.CUSTOMER_ORDER_RETURNED
    if mended or held.content_hash != seen.hash:
        return EventType.CUSTOMER_ORDER_CHANGED
    return None


def seen_draft(
    host: str, kind: EventType, held: CustomerOrderRow | None, seen: Seen, orders: tuple[OrderKey, ...]
) -> EventDraft:
    """The fact that a customer order appeared, changed or returned."""
    again = held is not None and held.content_hash == seen.hash and kind is EventType.CUSTOMER_ORDER_CHANGED
    # barmate does not tell when an order was received: that fact came about when we saw it.
    received = seen.order.status == OrderStatus.DELIVERED
    return EventDraft(
        source=barmate_source(host),
        subject=customer_order_subject(seen.order.id),
        type=kind,
        time=seen.at if received else newest_stamp(seen.order),
        fingerprint=f"{seen.hash}:mended" if again else seen.hash,
        data={
            "customer_order": told_document(seen.order.id, seen.columns),
            "previous": None if held is None or not held.content_hash else _previous(held),
            "raw_hash": seen.hash,
            "turn": seen.turn,
            "seen_at": instant_text(seen.at),
            "parses_again": again,
        },
        orders=orders,
    )


def vanished_draft(host: str, held: CustomerOrderRow, at: datetime, orders: tuple[OrderKey, ...]) -> EventDraft:
    """The fact that barmate does not know a customer order any more."""
    return EventDraft(
        source=barmate_source(host),
        subject=customer_order_subject(held.id),
        type=EventType.CUSTOMER_ORDER_VANISHED,
        time=at,
        fingerprint=held.content_hash,
        data={"customer_order": {"id": held.id, **_previous(held)}, "raw_hash": held.content_hash},
        orders=orders,
    )


def _previous(held: CustomerOrderRow) -> Document:
    return {"type": held.type, "status": held.status, "reference": held.reference, "raw_hash": held.content_hash}
