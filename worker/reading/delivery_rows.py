"""Deliveries as rows: what a record becomes in the table, and what a row says to the services above."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from worker.columns import Value, micros
from worker.db.bulk import BulkInsert
from worker.db.tables import deliveries
from worker.reading.first_rows import RECORD_COLUMNS
from worker.reading.normalizer import DeliveryRecord, line_items_of
from worker.standing import DeliveryFacts

# A delivery in one of these is settled at the source (DESIGN §1).
FINAL = ("completed", "cancelled")

_INSERT = BulkInsert(
    deliveries,
    *RECORD_COLUMNS,
    shared=("account", "turn", "visible", "stamp_went_back", "first_seen_at", "changed_at"),
    utf8=["raw"],
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


def insert_new(connection: sa.Connection, account: str, turn: int, values: Sequence[Value], now: datetime) -> None:
    """Keep deliveries that are not held yet, as they were read in that turn: their `RECORD_COLUMNS`, end to end."""
    moment = micros(now)
    _INSERT.end_to_end(connection, values, account, turn, True, False, moment, moment)  # noqa: FBT003 - of columns
