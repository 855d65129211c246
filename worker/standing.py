"""How an order stands: the value that completion decides and firing relies on."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from worker.events import OrderKey
from worker.states import OrderState


@dataclass(frozen=True, slots=True, kw_only=True)
class LineItem:
    """One line of a delivery as far as kilograms depend on it; quantity in the article's unit."""

    id: int | None
    status: str
    article_number: str | None
    unit: str | None
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFacts:
    """A delivery as far as completion and amounts depend on it. `line_items` is None where the source gave none."""

    account: str
    id: int
    customer_id: int
    number: str
    purchase_order: str | None
    status: str
    status_inbound: str
    updated_at: datetime
    content_hash: str
    visible: bool
    unrecognised: tuple[str, ...]
    line_items: tuple[LineItem, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The operator's statement: this order is paid for with that credit order, this much (kilograms)."""

    id: int
    account: str  # '' where the link does not say
    customer_id: int  # 0 where the link does not say
    purchase_order: str
    credit_order_id: str
    credit_kg: int | None
    expected_deliveries: int | None
    open_ended: bool
    project: str | None
    issuance: str | None
    batches: tuple[str, ...]
    note: str | None


# How old a reading may be when a credit delivery's request is frozen, in seconds (DESIGN §6.4).
FRESH_SECONDS = 10.0


class GateKind(StrEnum):
    """What a customer order means for the order whose delivery names it."""

    BLOCKS = "blocks"  # a person has to look: cancelled, rejected, a return, not found, ambiguous, unknown
    WAITS = "waits"  # it is fine, and its receipt is awaited
    UNREAD = "unread"  # barmate is to be asked by its id
    PENDING = "pending"  # the list is still being read; what is not found yet may be in it
    OPEN = "open"  # nothing stands against it


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A delivery's customer order as completion goes by it (DESIGN §5); `reason` is a sentence for a person."""

    delivery_id: int
    customer_order_id: str | None
    kind: GateKind
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An order as decided from what we hold. `completed_at` is the newest updatedAt among its deliveries."""

    key: OrderKey
    state: OrderState
    reason: str
    deliveries: tuple[DeliveryFacts, ...]
    link: Link | None
    completed_at: datetime | None
    # Hash over the contents of its deliveries, its records set aside and its link: equal means nothing changed.
    content_hash: str


class NotFresh(Exception):
    """Customer orders cannot be read within the time that readings may be old; says why, and what helps."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


# Begins to read an order anew; while the block goes on, others may be asked. Called within it, what it gives waits for
# what is still being read, and says how the order stands. Both raise ConnectorError and NotFresh.
Recheck = Callable[[OrderKey], AbstractContextManager[Callable[[], Standing]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReading:
    """What reading an order's deliveries at the source by purchase order number found.

    `proved` is False where the list could not be read completely (it moved); then nothing may rely on it.
    """

    proved: bool
    reason: str
    server_time: datetime
    delivery_ids: tuple[int, ...]
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CalculationLine:
    """One line of how kilograms came about: exact decimals as text."""

    delivery_id: int
    line_item_id: int | None
    article_number: str
    unit: str
    quantity: str
    kg_per_unit: str
    kg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calculation:
    """The kilograms of a firing and how they came about; `fixed` where the link states them."""

    kg: int
    fixed: bool
    lines: tuple[CalculationLine, ...]

    def document(self) -> Mapping[str, object]:
        """The calculation as JSON, as it is stored and shown."""
        return {
            "kg": self.kg,
            "fixed": self.fixed,
            "lines": [
                {
                    "delivery_id": line.delivery_id,
                    "line_item_id": line.line_item_id,
                    "article_number": line.article_number,
                    "unit": line.unit,
                    "quantity": line.quantity,
                    "kg_per_unit": line.kg_per_unit,
                    "kg": line.kg,
                }
                for line in self.lines
            ],
        }
