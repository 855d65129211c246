"""The records of barmate Connect, read from its answers.

Source of the facts: vendor's pages `api/deliveries`, `api/get-deliveries` and `api/get-delivery`. A delivery there is
what a customer asked the supplier for; here it is a customer order. The pages contradict their own examples about
what may be left out, so an optional field that is missing and one that is null are the same. Enumerated values stay
as they came; those nobody documented are named in `unknown`, and are never final. All numbers are exact.

Names, e-mails, messages and addresses are in `personal` and nowhere else, and no `repr` shows them.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum

from connectors.barmate_personal import Personal


class OrderType(StrEnum):
    """What the customer wants: goods, or goods picked up."""

    DELIVERY = "DELIVERY"
    RETURN = "RETURN"


class OrderStatus(StrEnum):
    """The documented states; the last three are final, and DELIVERED is set by the customer alone."""

    REQUESTED = "REQUESTED"
    ACCEPTED = "ACCEPTED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    DELIVERED = "DELIVERED"


class ResponseType(StrEnum):
    """What a supplier can say about a customer order."""

    ACCEPT = "ACCEPT"
    UPDATE = "UPDATE"
    REJECT = "REJECT"


FINAL = frozenset({OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.DELIVERED})

# A pallet is written as the code in current text and as the word in older text and examples.
PALLETS = frozenset({"PX", "pallet"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A day, and perhaps a time of day without a zone, as it is where the goods go."""

    date: date
    time: time | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vessel:
    """A bottle, keg or piece; `size` counts in `unit` (l, dl, cl, ml, kg, g or quantity)."""

    size: Decimal | None
    unit: str | None
    type: str | None
    id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A package; `size` is the number of vessels in it, or on a pallet the number of bundles on it.

    `type` is a two-letter code or a word, as it came.
    """

    id: str | None
    type: str | None
    size: Decimal | None
    pallet_bundle: "Bundle | None" = None

    @property
    def is_pallet(self) -> bool:
        """Whether this is a pallet, in either spelling."""
        return self.type in PALLETS


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is asked for; `count` in bundles, vessels or (ordered by kg) kilograms, `price_cents` a unit.

    `id` may be the override of a bundle instead of a product's id.
    """

    id: str
    name: str | None
    order_by: str | None
    vessel: Vessel | None
    count: Decimal
    bundle: Bundle | None
    vessel_count: Decimal | None
    price_cents: Decimal | None
    price_per: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseItem:
    """What a response says of an item; None where it says nothing."""

    id: str
    count: Decimal | None
    bundle: Bundle | None
    vessel_count: Decimal | None
    price_cents: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a supplier answered, and when barmate received it."""

    type: str
    timestamp: datetime
    reference: str | None
    scheduled: Scheduled | None
    items: tuple[ResponseItem, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who asked; in lists the id may be missing."""

    id: str | None
    company: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The asking itself; `company` is the one that counts and may differ from the customer's."""

    timestamp: datetime
    company: str | None
    customer_id: str | None
    cost_center: str | None
    scheduled: Scheduled | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerOrder:
    """One barmate delivery; `items` is None where a list left them out, `cancelled_at` None unless it was cancelled.

    `unknown` names every enumerated value that is not documented, as `field=value`; with any of them, a person is
    to look first.
    """

    id: str
    type: str
    status: str
    customer: Customer
    request: Request
    items: tuple[Item, ...] | None
    responses: tuple[Response, ...]
    cancelled_at: datetime | None
    unknown: tuple[str, ...]
    personal: Personal = field(repr=False)

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to it any more; never for a status that is not documented."""
        return self.status in FINAL

    @property
    def is_return(self) -> bool:
        """Whether goods are to be picked up."""
        return self.type == OrderType.RETURN

    def response_with(self, reference: str) -> Response | None:
        """Return the newest response that carries the reference; None without one."""
        found = [response for response in self.responses if response.reference == reference]
        return max(found, key=lambda response: response.timestamp, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A record of another shape than documented: set aside with its id if that can be read, and why.

    `payload` is all of it as JSON text; `impersonal` the same with every name, address and message masked.
    """

    id: str | None
    reason: str
    payload: str = field(repr=False)
    impersonal: str = field(repr=False)
