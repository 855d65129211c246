"""Deliveries as rows: what a record becomes in the table, and what a row says to the services above."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from worker.events import OrderKey
from worker.reading.normalizer import DeliveryRecord
from worker.standing import DeliveryFacts, LineItem

# A delivery in one of these is settled at the source (DESIGN §1).
FINAL = ("completed", "cancelled")


def facts_of_row(row: sa.Row[Any]) -> DeliveryFacts:
    """A row of `deliveries` as far as completion and amounts depend on it."""
    return DeliveryFacts(
        account=row.account,
        id=row.id,
        customer_id=row.customer_id,
        number=row.number,
        purchase_order=row.purchase_order,
        status=row.status,
        status_inbound=row.status_inbound,
        updated_at=row.updated_at,
        content_hash=row.content_hash,
        visible=row.visible,
        unrecognised=tuple(row.unrecognised),
        line_items=_line_items(row.line_items),
    )


def row_values(record: DeliveryRecord) -> dict[str, object]:
    """The columns of `deliveries` that come from the record alone."""
    items = record.line_items
    return {
        "customer_id": record.customer_id,
        "status": record.status,
        "status_inbound": record.status_inbound,
        "number": record.number,
        "number_external": record.number_external,
        "purchase_order": record.purchase_order,
        "updated_at": record.updated_at,
        "created_at": record.created_at,
        "line_items": None if items is None else [_item_document(item) for item in items],
        "raw": record.raw,
        "content_hash": record.content_hash,
        "unrecognised": list(record.unrecognised),
    }


def delivery_document(account: str, record: DeliveryRecord) -> dict[str, object]:
    """A delivery as events tell it: the keys of DESIGN §8, and its line items in sum."""
    return {
        "account": account,
        "id": record.id,
        "customer_id": record.customer_id,
        "status": record.status,
        "status_inbound": record.status_inbound,
        "number": record.number,
        "number_external": record.number_external,
        "purchase_order": record.purchase_order,
        "updated_at": instant_text(record.updated_at),
        "created_at": None if record.created_at is None else instant_text(record.created_at),
        "line_items": _items_in_sum(record.line_items),
        "unrecognised": list(record.unrecognised),
    }


def order_key(account: str, customer_id: int | None, purchase_order: str | None) -> OrderKey | None:
    """The order of a delivery; None without a customer or with a blank number: no number, no order."""
    if customer_id is None or purchase_order is None or not purchase_order.strip():
        return None
    return OrderKey(account, customer_id, purchase_order)


def instant_text(moment: datetime) -> str:
    """ISO 8601 in UTC with `Z`; a fraction only where there is one."""
    return moment.isoformat().replace("+00:00", "Z")


def _item_document(item: LineItem) -> dict[str, object]:
    return {
        "id": item.id,
        "status": item.status,
        "article_number": item.article_number,
        "unit": item.unit,
        "quantity": str(item.quantity),
    }


def _line_items(documents: Sequence[Mapping[str, Any]] | None) -> tuple[LineItem, ...] | None:
    if documents is None:
        return None
    return tuple(
        LineItem(
            id=document["id"],
            status=document["status"],
            article_number=document["article_number"],
            unit=document["unit"],
            quantity=Decimal(document["quantity"]),
        )
        for document in documents
    )


def _items_in_sum(items: tuple[LineItem, ...] | None) -> dict[str, object] | None:
    if items is None:
        return None
    return {"count": len(items), "by_status": dict(sorted(Counter(item.status for item in items).items()))}
