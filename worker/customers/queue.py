"""Which customer order is read by its id next.

First what a hint or the list asks for, then every one that is not final, longest unread first. One turn in five goes to
old final orders nobody has read yet, and one to the longest unread one whatever is asked for, so that neither a long
history nor a flood of hints keeps the others waiting.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from worker.db.tables import customer_hints, customer_orders
from worker.db.tables.customers import NOT_FINAL

# Turns of one round, of which the last two are given away as said above.
ROUND = 5


class Reason(StrEnum):
    """Why an order is read."""

    HINT = "hint"
    WANTED = "wanted"
    OPEN = "open"
    HISTORY = "history"


_USUAL = (Reason.HINT, Reason.WANTED, Reason.OPEN, Reason.HISTORY)
_LONGEST_UNREAD = (Reason.OPEN, Reason.HINT, Reason.WANTED, Reason.HISTORY)
_HISTORY = (Reason.HISTORY, Reason.HINT, Reason.WANTED, Reason.OPEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An order that is to be read, and why."""

    order_id: str
    reason: Reason


def next_due(
    connection: sa.Connection,
    host: str,
    *,
    turn: int,
    now: datetime,
    unread_seconds: float,
    except_for: Collection[str] = (),
) -> Due | None:
    """The order to be read at this turn of the queue; None where nothing is due.

    An open order is due again `unread_seconds` after it was read.
    """
    before = now - timedelta(seconds=unread_seconds)
    for reason in _order_of(turn):
        statement = _STATEMENTS[reason](host, before)
        if except_for:
            statement = statement.where(statement.selected_columns[0].not_in(sorted(except_for)))
        order_id = connection.execute(statement).scalars().first()
        if order_id is not None:
            return Due(order_id=order_id, reason=reason)
    return None


def left(connection: sa.Connection, host: str, *, since: datetime, except_for: Collection[str] = ()) -> int:
    """How many readings are owed: hints, wishes, orders never read, and open ones not read since then."""
    others = sorted(except_for)
    hinted = sa.select(sa.func.count()).where(customer_hints.c.host == host, customer_hints.c.done_at.is_(None))
    ours = sa.select(sa.func.count()).where(customer_orders.c.host == host)
    wanted = ours.where(customer_orders.c.wanted_at.is_not(None))
    unread = ours.where(customer_orders.c.read_at.is_(None), customer_orders.c.wanted_at.is_(None))
    stale = ours.where(
        sa.text(NOT_FINAL),
        customer_orders.c.visible,
        customer_orders.c.wanted_at.is_(None),
        customer_orders.c.read_at < since,
    )
    owed = (
        hinted.where(customer_hints.c.order_id.not_in(others)),
        wanted.where(customer_orders.c.id.not_in(others)),
        unread.where(customer_orders.c.id.not_in(others)),
        stale.where(customer_orders.c.id.not_in(others)),
    )
    return sum(connection.execute(statement).scalar_one() for statement in owed)


def _order_of(turn: int) -> Sequence[Reason]:
    return {ROUND - 1: _HISTORY, ROUND - 2: _LONGEST_UNREAD}.get(turn % ROUND, _USUAL)


def _hinted(host: str, _before: datetime) -> sa.Select[Any]:
    return (
        sa.select(customer_hints.c.order_id)
        .where(customer_hints.c.host == host, customer_hints.c.done_at.is_(None))
        .order_by(customer_hints.c.received_at, customer_hints.c.idempotency_key)
        .limit(1)
    )


def _wanted(host: str, _before: datetime) -> sa.Select[Any]:
    return (
        sa.select(customer_orders.c.id)
        .where(customer_orders.c.host == host, customer_orders.c.wanted_at.is_not(None))
        .order_by(customer_orders.c.wanted_at, customer_orders.c.id)
        .limit(1)
    )


def _open(host: str, before: datetime) -> sa.Select[Any]:
    """An order that is no longer visible waits for the list to show it again."""
    return (
        sa.select(customer_orders.c.id)
        .where(
            customer_orders.c.host == host,
            sa.text(NOT_FINAL),
            customer_orders.c.visible,
            customer_orders.c.read_at <= before,
        )
        .order_by(customer_orders.c.read_at, customer_orders.c.id)
        .limit(1)
    )


def _history(host: str, _before: datetime) -> sa.Select[Any]:
    return (
        sa.select(customer_orders.c.id)
        .where(customer_orders.c.host == host, customer_orders.c.read_at.is_(None))
        .order_by(customer_orders.c.requested_at.desc(), customer_orders.c.id)
        .limit(1)
    )


_STATEMENTS: Mapping[Reason, Callable[[str, datetime], sa.Select[Any]]] = {
    Reason.HINT: _hinted,
    Reason.WANTED: _wanted,
    Reason.OPEN: _open,
    Reason.HISTORY: _history,
}
