"""Deliveries as rows: what a record becomes in the table, and what a row says to the services above."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
import sqlalchemy as sa

from worker.db.bulk import BulkInsert, Value, json_text
from worker.db.tables import deliveries
from worker.db.types import micros
from worker.events import OrderKey
from worker.reading.normalizer import DeliveryRecord, line_items_of
from worker.standing import DeliveryFacts

# A delivery in one of these is settled at the source (DESIGN §1).
FINAL = ("completed", "cancelled")

_INSERT = BulkInsert(
    deliveries,
    "account",
    "id",
    "customer_id",
    "status",
    "status_inbound",
    "number",
    "number_external",
    "purchase_order",
    "updated_at",
    "created_at",
    "raw",
    "content_hash",
    "turn",
    "visible",
    "stamp_went_back",
    "unrecognised",
    "first_seen_at",
    "changed_at",
)


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
        line_items=line_items_of(orjson.loads(row.raw).get("lineItems")),
    )


def row_values(record: DeliveryRecord) -> dict[str, object]:
    """The columns of `deliveries` that come from the record alone."""
    return {
        "customer_id": record.customer_id,
        "status": record.status,
        "status_inbound": record.status_inbound,
        "number": record.number,
        "number_external": record.number_external,
        "purchase_order": record.purchase_order,
        "updated_at": record.updated_at,
        "created_at": record.created_at,
        "raw": record.raw,
        "content_hash": record.content_hash,
        "unrecognised": list(record.unrecognised),
    }


def insert_new(
    connection: sa.Connection, account: str, new: Iterable[tuple[DeliveryRecord, int]], now: datetime
) -> None:
    """Keep records of deliveries that are not held yet, each with the turn of the request that read it."""
    moment = micros(now)
    _INSERT(connection, [_new_row(account, record, turn, moment) for record, turn in new])


def _new_row(account: str, record: DeliveryRecord, turn: int, moment: int) -> tuple[Value, ...]:
    updated_at = micros(record.updated_at)
    created_at = updated_at if record.created_at is record.updated_at else _micros_or_none(record.created_at)
    return (
        account,
        record.id,
        record.customer_id,
        record.status,
        record.status_inbound,
        record.number,
        record.number_external,
        record.purchase_order,
        updated_at,
        created_at,
        record.raw,
        record.content_hash,
        turn,
        True,
        False,
        json_text(record.unrecognised) if record.unrecognised else "[]",
        moment,
        moment,
    )


def _micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def delivery_document(account: str, record: DeliveryRecord) -> dict[str, object]:
    """A delivery as events tell it: the keys of DESIGN §8, and its line items in sum."""
    items = record.wire_items
    return {
        "account": account,
        "id": record.id,
        "customer_id": record.customer_id,
        "status": record.status,
        "status_inbound": record.status_inbound,
        "number": record.number,
        "number_external": record.number_external,
        "purchase_order": record.purchase_order,
        "updated_at": record.updated_text,
        "created_at": record.created_text,
        "line_items": None if items is None else _in_sum(tuple([item["status"] for item in items])),
        "unrecognised": record.unrecognised,
    }


def order_key(account: str, customer_id: int | None, purchase_order: str | None) -> OrderKey | None:
    """The order of a delivery; None without a customer or with a blank number: no number, no order."""
    if customer_id is None or purchase_order is None or not purchase_order.strip():
        return None
    return OrderKey(account, customer_id, purchase_order)


# Most deliveries are one of a few kinds: so many items, all booked.
@lru_cache(maxsize=1024)
def _in_sum(statuses: tuple[str, ...]) -> Mapping[str, object]:
    return {"count": len(statuses), "by_status": dict(sorted(Counter(statuses).items()))}
