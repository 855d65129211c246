"""Deliveries as rows: what a record becomes in the table, and what a row says to the services above."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from worker.columns import Value, micros
from worker.db.bulk import BulkInsert
from worker.db.tables import deliveries
from worker.events import OrderKey
from worker.reading.first_rows import RECORD_COLUMNS
from worker.reading.normalizer import DeliveryRecord, line_items_of
from worker.standing import DeliveryFacts

# A delivery in one of these is settled at the source (DESIGN §1).
FINAL = ("completed", "cancelled")

_INSERT = BulkInsert(
    deliveries,
    *RECORD_COLUMNS,
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


# A delivery that is not held yet: its columns and unrecognised values (`first_rows`), and the turn that read it.
NewRow = tuple[tuple[Value, ...], str, int]


def insert_new(connection: sa.Connection, new: Iterable[NewRow], now: datetime) -> None:
    """Keep deliveries that are not held yet."""
    moment = micros(now)
    _INSERT(
        connection,
        [(*columns, turn, True, False, unrecognised, moment, moment) for columns, unrecognised, turn in new],
    )


def order_key(account: str, customer_id: int | None, purchase_order: str | None) -> OrderKey | None:
    """The order of a delivery; None without a customer or with a blank number: no number, no order."""
    if customer_id is None or purchase_order is None or not purchase_order.strip():
        return None
    return OrderKey(account, customer_id, purchase_order)
