"""Everything that led to where an order stands, from the stored rows alone (DESIGN §2.6)."""

from typing import Any

import sqlalchemy as sa

from worker.db.tables import (
    attempts,
    counted_deliveries,
    credit_deliveries,
    deliveries,
    events,
    firing_history,
    firings,
    orders,
    pins,
    readings,
    set_aside,
)
from worker.events import OrderKey, account_source, delivery_subject
from worker.listings import DELIVERY_COLUMNS
from worker.orders.link_match import LinkMatch

Document = dict[str, object]

# What says where a delivery stands; the payloads are in `deliveries list` and `events list`.
_DELIVERY = (*DELIVERY_COLUMNS, "visible", "stamp_went_back", "unrecognised", "first_seen_at", "changed_at")
_FIRING = (
    "ordinal",
    "state",
    "reason",
    "credit_order_id",
    "kg",
    "calculation",
    "marker",
    "request_sha256",
    "credit_delivery_id",
    "completed_at",
    "baseline",
    "refusal",
)
_LINK = (
    "credit_order_id",
    "credit_kg",
    "account",
    "customer_id",
    "expected_deliveries",
    "open_ended",
    "project",
    "issuance",
    "batches",
    "note",
)
_ATTEMPT = ("number", "owner", "started_at", "deadline", "outcome", "status", "answer", "ended_at", "late")
# A delivery that changed more often than this is told by its newest changes.
_EVENTS = 50


def explain(connection: sa.Connection, key: OrderKey, link: LinkMatch, ordinal: int | None = None) -> Document:
    """The order: how it stands, its link, its deliveries with their events, and its firings with all that happened."""
    order = connection.execute(sa.select(orders).where(_is(orders, key))).first()
    return {
        "account": key.account,
        "customer_id": key.customer_id,
        "purchase_order": key.purchase_order,
        "state": None if order is None else order.state,
        "reason": "nothing was decided about it yet" if order is None else order.reason,
        "newest_at": None if order is None else order.newest_at,
        "read_at": None if order is None else order.read_at,
        "look_at": None if order is None else order.look_at,
        "link": _link(link),
        "deliveries": [_delivery(connection, row) for row in _rows(connection, deliveries, key)],
        "records_set_aside": [_record(row) for row in _rows(connection, set_aside, key) if row.closed_at is None],
        "events": _events_of(connection, account_source(key.account), key.subject),
        "firings": [] if order is None else _firings(connection, order.id, ordinal),
    }


def _is(table: sa.Table, key: OrderKey) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.account == key.account,
        table.c.customer_id == key.customer_id,
        table.c.purchase_order == key.purchase_order,
    )


def _rows(connection: sa.Connection, table: sa.Table, key: OrderKey) -> list[sa.Row[Any]]:
    return list(connection.execute(sa.select(table).where(_is(table, key)).order_by(table.c.id)))


def _link(found: LinkMatch) -> Document | None:
    if found.ambiguous is not None:
        return {"ambiguous": found.ambiguous}
    return None if found.link is None else {name: getattr(found.link, name) for name in _LINK}


def _delivery(connection: sa.Connection, row: sa.Row[Any]) -> Document:
    history = _events_of(connection, account_source(row.account), delivery_subject(row.id))
    return {**_picked(row, _DELIVERY), "events": history}


def _record(row: sa.Row[Any]) -> Document:
    return _picked(row, ("id", "delivery_id", "reason", "first_seen_at"))


def _events_of(connection: sa.Connection, source: str, subject: str) -> list[Document]:
    statement = (
        sa.select(events.c.time, events.c.type, events.c.id, events.c.sequence)
        .where(events.c.source == source, events.c.subject == subject)
        .order_by(events.c.sequence.desc())
        .limit(_EVENTS)
    )
    newest = connection.execute(statement).all()
    return [_picked(row, ("time", "type", "id")) for row in reversed(newest)]


def _firings(connection: sa.Connection, order_id: int, ordinal: int | None) -> list[Document]:
    statement = sa.select(firings).where(firings.c.order_id == order_id).order_by(firings.c.ordinal)
    if ordinal is not None:
        statement = statement.where(firings.c.ordinal == ordinal)
    return [_firing(connection, row) for row in connection.execute(statement).all()]


def _firing(connection: sa.Connection, row: sa.Row[Any]) -> Document:
    return {
        **_picked(row, _FIRING),
        "history": _of_firing(connection, firing_history, row.id, ("at", "from_state", "to_state", "reason", "by")),
        "pins": _of_firing(connection, pins, row.id, ("freeze", "batch_id", "kg", "active")),
        "attempts": _of_firing(connection, attempts, row.id, _ATTEMPT),
        "readings": _of_firing(connection, readings, row.id, ("at", "counts", "verdict", "evidence")),
        "counted_deliveries": _of_firing(connection, counted_deliveries, row.id, ("delivery_id", "content_hash")),
        "credit_deliveries": _of_firing(
            connection, credit_deliveries, row.id, ("id", "kg", "delivered_at", "attribution", "because")
        ),
    }


def _of_firing(connection: sa.Connection, table: sa.Table, firing_id: int, names: tuple[str, ...]) -> list[Document]:
    # The primary key is the order in which things happened: by count, freeze and batch, or delivery.
    statement = sa.select(table).where(table.c.firing_id == firing_id).order_by(*table.primary_key)
    return [_picked(row, names) for row in connection.execute(statement)]


def _picked(row: sa.Row[Any], names: tuple[str, ...]) -> Document:
    return {name: getattr(row, name) for name in names}
