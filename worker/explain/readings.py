"""What was read at the source: an order's deliveries, each with the events and the certificates behind it."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from worker.db.tables import coverage, deliveries, events, set_aside
from worker.events import OrderKey, account_source, delivery_subject
from worker.explain.rows import Document, is_of, picked
from worker.listings import DELIVERY_COLUMNS

# What says where a delivery stands; the payloads are in `deliveries list` and `events list`.
_DELIVERY = (
    *DELIVERY_COLUMNS,
    "visible",
    "stamp_went_back",
    "unrecognised",
    "content_hash",
    "first_seen_at",
    "changed_at",
)
_CERTIFICATE = ("state", "proof", "rows", "requests", "reason")
# A delivery or an order that changed more often than this is told by its newest changes.
_EVENTS = 50
# Of an event about a delivery: what it was like then, and which reading showed it.
_READ = ("raw_hash", "turn", "stamp_went_back", "parses_again", "proof")
# Of an event about an order: what was decided, and from what.
_DECIDED = ("state", "reason", "deliveries", "credit_order_id", "late")


def deliveries_of(connection: sa.Connection, key: OrderKey, counted: Sequence[int]) -> list[Document]:
    """The order's deliveries, and those that a firing of it counted and that have left it since."""
    here = sa.and_(deliveries.c.account == key.account, deliveries.c.id.in_(counted))
    # Asked for both at once, or in an order, SQLite would read the whole account.
    asked = [sa.select(deliveries).where(which) for which in (is_of(deliveries, key), here)]
    rows = {row.id: row for statement in asked for row in connection.execute(statement)}
    return [_delivery(connection, row, key) for _, row in sorted(rows.items())]


def records_of(connection: sa.Connection, key: OrderKey) -> list[Document]:
    """Records set aside, still open, that belong to the order or may."""
    may_be = sa.and_(
        set_aside.c.account == key.account,
        set_aside.c.purchase_order == key.purchase_order,
        set_aside.c.customer_id.is_(None),
    )
    statement = sa.select(set_aside).where(is_of(set_aside, key) | may_be, set_aside.c.closed_at.is_(None))
    rows = connection.execute(statement.order_by(set_aside.c.id))
    return [picked(row, ("id", "delivery_id", "reason", "first_seen_at")) for row in rows]


def decisions_about(connection: sa.Connection, key: OrderKey) -> list[Document]:
    """What was decided about the order, oldest first."""
    return events_of(connection, account_source(key.account), key.subject, _DECIDED)


def _delivery(connection: sa.Connection, row: sa.Row[Any], key: OrderKey) -> Document:
    told = events_of(connection, account_source(row.account), delivery_subject(row.id), _READ)
    return {
        **picked(row, _DELIVERY),
        "left_for": None if row.purchase_order == key.purchase_order else row.purchase_order,
        "coverage": _coverage(connection, row),
        "events": told,
    }


def _coverage(connection: sa.Connection, row: sa.Row[Any]) -> Document | None:
    """The span of source time that its newest change lies in: the certificate, or why there is none."""
    second = int(row.updated_at.timestamp())
    found = connection.execute(
        sa.select(coverage).where(
            coverage.c.account == row.account, coverage.c.since <= second, coverage.c.until >= second
        )
    ).first()
    return None if found is None else picked(found, _CERTIFICATE)


def events_of(connection: sa.Connection, source: str, subject: str, names: Sequence[str]) -> list[Document]:
    """The newest events about a subject, oldest first: time, type, id, how it stood, and these names of their data."""
    statement = (
        sa.select(events)
        .where(events.c.source == source, events.c.subject == subject)
        .order_by(events.c.sequence.desc())
        .limit(_EVENTS)
    )
    newest = connection.execute(statement).all()
    return [{**picked(row, ("time", "type", "id")), **_said(row.data, names)} for row in reversed(newest)]


def _said(data: Mapping[str, Any], names: Sequence[str]) -> Document:
    delivery = data.get("delivery", data.get("customer_order"))
    told = {} if delivery is None else {name: delivery.get(name) for name in ("status", "status_inbound")}
    return {**told, **{name: data[name] for name in names if data.get(name) not in (None, False)}}
