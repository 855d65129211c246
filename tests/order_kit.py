"""Deliveries and links as the tests of orders need them."""

from datetime import UTC, datetime
from decimal import Decimal

from worker.events import OrderKey
from worker.orders.link_match import LinkMatch
from worker.standing import DeliveryFacts, LineItem, Link
from worker.states import OrderState

ACCOUNT = "acme.logistic.cloud"
CUSTOMER = 7
NUMBER = "PO-1"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CREDIT_ORDER = "ord_1FAN3S3WVSBXB842"


def item(quantity: int | str = 4, **changes: object) -> LineItem:
    """A booked line item of article A in ST."""
    values: dict[str, object] = {"id": 1, "status": "booked", "article_number": "A", "unit": "ST", **changes}
    return LineItem(quantity=Decimal(quantity), **values)  # type: ignore[arg-type]


def delivery(number: int = 1, **changes: object) -> DeliveryFacts:
    """A completed, booked delivery of PO-1, last changed at noon."""
    values: dict[str, object] = {
        "account": ACCOUNT,
        "id": number,
        "customer_id": CUSTOMER,
        "number": f"D{number}",
        "purchase_order": NUMBER,
        "status": "completed",
        "status_inbound": "booked",
        "updated_at": NOON,
        "content_hash": f"hash-{number}",
        "visible": True,
        "unrecognised": (),
        "line_items": (item(),),
        **changes,
    }
    return DeliveryFacts(**values)  # type: ignore[arg-type]


def link(**changes: object) -> Link:
    """A link of PO-1 to a credit order, five kilograms, that names neither account nor customer."""
    values: dict[str, object] = {
        "id": 1,
        "account": "",
        "customer_id": 0,
        "purchase_order": NUMBER,
        "credit_order_id": CREDIT_ORDER,
        "credit_kg": 5,
        "expected_deliveries": None,
        "open_ended": False,
        "project": None,
        "issuance": None,
        "batches": (),
        "note": None,
        **changes,
    }
    return Link(**values)  # type: ignore[arg-type]


LINKED = LinkMatch(link())
UNLINKED = LinkMatch(None)


def order_row(key: OrderKey, **changes: object) -> dict[str, object]:
    """The row of a complete order with one delivery, as completion writes it."""
    return {
        "account": key.account,
        "customer_id": key.customer_id,
        "purchase_order": key.purchase_order,
        "state": OrderState.COMPLETE,
        "reason": "",
        "deliveries": 1,
        "completed": 1,
        "content_hash": "",
        "changed_at": NOON,
        **changes,
    }
