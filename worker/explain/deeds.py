"""What was done about an order at the registry: its firings with every attempt, and the registry's own record."""

from typing import Any

import sqlalchemy as sa

from worker.db.tables import (
    attempts,
    counted_deliveries,
    credit_deliveries,
    firing_history,
    firings,
    mismatches,
    pins,
    readings,
)
from worker.explain.rows import Document, decoded, picked

_FIRING = (
    "ordinal",
    "state",
    "reason",
    "cause",
    "credit_order_id",
    "kg",
    "project",
    "calculation",
    "marker",
    "request_sha256",
    "credit_delivery_id",
    "completed_at",
    "look_at",
    "held_by_person",
    "baseline",
    "refusal",
)
_ATTEMPT = ("number", "owner", "started_at", "deadline", "request_sha256", "outcome", "status", "ended_at", "late")
_CREDIT_DELIVERY = ("id", "credit_order_id", "kg", "notes", "delivered_at", "attribution", "because", "seen_at")
_UNATTRIBUTED = "unattributed"


def firings_of(connection: sa.Connection, order_id: int, ordinal: int | None) -> list[Document]:
    """The order's firings by ordinal, or the one that is asked for."""
    statement = sa.select(firings).where(firings.c.order_id == order_id).order_by(firings.c.ordinal)
    if ordinal is not None:
        statement = statement.where(firings.c.ordinal == ordinal)
    return [_firing(connection, row) for row in connection.execute(statement).all()]


def counted_by(connection: sa.Connection, order_id: int) -> list[int]:
    """Ids of the deliveries that firings of the order counted."""
    statement = sa.select(counted_deliveries.c.delivery_id).join(firings).where(firings.c.order_id == order_id)
    return sorted(set(connection.execute(statement).scalars()))


def _firing(connection: sa.Connection, row: sa.Row[Any]) -> Document:
    return {
        **picked(row, _FIRING),
        "approved": row.approved_hash is not None and row.approved_hash == row.calculation_hash,
        "history": _of(connection, firing_history, row.id, ("at", "from_state", "to_state", "reason", "by")),
        "pins": _of(connection, pins, row.id, ("freeze", "batch_id", "kg", "active")),
        "attempts": _attempts(connection, row.id),
        "readings": _of(connection, readings, row.id, ("at", "counts", "verdict", "evidence")),
        "counted_deliveries": _of(connection, counted_deliveries, row.id, ("delivery_id", "content_hash")),
        "credit_deliveries": _of(connection, credit_deliveries, row.id, _CREDIT_DELIVERY),
        "unattributed": _unattributed(connection, row.credit_order_id),
        "mismatches": _mismatches(connection, row.credit_delivery_id),
    }


def _attempts(connection: sa.Connection, firing_id: int) -> list[Document]:
    """Each request with the exact bytes that were frozen for it, and what came back."""
    statement = sa.select(attempts).where(attempts.c.firing_id == firing_id).order_by(attempts.c.number)
    return [
        {
            **picked(row, _ATTEMPT),
            "request": row.request.decode(),
            "request_json": decoded(row.request),
            "answer": decoded(row.answer),
        }
        for row in connection.execute(statement)
    ]


def _unattributed(connection: sa.Connection, credit_order_id: str | None) -> list[Document]:
    """What lies on the same credit order at the registry and nobody claims: it holds the firing."""
    statement = sa.select(credit_deliveries).where(
        credit_deliveries.c.credit_order_id == credit_order_id, credit_deliveries.c.attribution == _UNATTRIBUTED
    )
    rows = connection.execute(statement.order_by(credit_deliveries.c.delivered_at))
    return [picked(row, _CREDIT_DELIVERY) for row in rows]


def _mismatches(connection: sa.Connection, credit_delivery_id: str | None) -> list[Document]:
    statement = sa.select(mismatches).where(mismatches.c.subject == credit_delivery_id).order_by(mismatches.c.found_at)
    rows = connection.execute(statement)
    return [picked(row, ("id", "kind", "detail", "found_at", "closed_at", "because")) for row in rows]


def _of(connection: sa.Connection, table: sa.Table, firing_id: int, names: tuple[str, ...]) -> list[Document]:
    # The primary key is the order in which things happened: by count, freeze and batch, or delivery.
    statement = sa.select(table).where(table.c.firing_id == firing_id).order_by(*table.primary_key)
    return [picked(row, names) for row in connection.execute(statement)]
