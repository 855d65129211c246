"""The rows of `orders`: what was decided last, and the questions others ask of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from worker.db import for_update
from worker.db.tables import counted_deliveries, deliveries, firings, orders
from worker.events import OrderKey
from worker.orders.link_match import best
from worker.orders.link_rows import LinkRows
from worker.standing import DeliveryFacts
from worker.states import UNSENT, FiringState, OrderState

# Rows of a listing for which links are loaded at once.
_CHUNK = 400
# Nothing was ever sent for a firing in one of these.
_NEVER_SENT = (*sorted(UNSENT), FiringState.WITHDRAWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order's row."""

    id: int
    key: OrderKey
    state: OrderState
    reason: str
    deliveries: int
    completed: int
    newest_at: datetime | None
    content_hash: str
    read_hash: str | None
    read_at: datetime | None
    look_at: datetime | None


def load_order(connection: sa.Connection, key: OrderKey, *, lock: bool = False) -> OrderRow | None:
    """The order's row, or None while nothing was decided yet; `lock` keeps others out until the transaction ends."""
    statement = sa.select(orders).where(_is(key))
    row = connection.execute(for_update(statement) if lock else statement).first()
    return None if row is None else _order_row(row)


def add_order(connection: sa.Connection, key: OrderKey, now: datetime) -> bool:
    """Add the row, undecided: open, without contents; False where another worker was first by a moment."""
    row = {
        "account": key.account,
        "customer_id": key.customer_id,
        "purchase_order": key.purchase_order,
        "state": OrderState.OPEN,
        "reason": "",
        "deliveries": 0,
        "completed": 0,
        "content_hash": "",
        "changed_at": now,
    }
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(orders).values(**row))
    except sa.exc.IntegrityError:
        return False
    return True


def update_order(connection: sa.Connection, key: OrderKey, values: dict[str, object]) -> None:
    """Change the row."""
    connection.execute(sa.update(orders).where(_is(key)).values(**values))


def touch_others(connection: sa.Connection, key: OrderKey, now: datetime) -> None:
    """Have other orders of the same number looked at: their link may no longer say which of them it means."""
    same_number = orders.c.purchase_order == key.purchase_order
    connection.execute(sa.update(orders).where(same_number, ~_is(key)).values(look_at=now))


def late_deliveries(connection: sa.Connection, row: OrderRow, held: Sequence[DeliveryFacts]) -> list[int]:
    """Deliveries that are not as a firing of this order counted them, once its first sending has begun; else none."""
    counted = _counted(connection, row.id)
    if counted is None:
        return []
    now = {delivery.id: delivery.content_hash if delivery.visible else "" for delivery in held}
    if not counted:
        # Found at the registry after a loss: what was counted is not known; what was read since then is what we have.
        return [] if row.read_hash is None else sorted(now)
    return sorted(
        identity for identity in now.keys() | counted.keys() if now.get(identity) not in counted.get(identity, ())
    )


def _counted(connection: sa.Connection, order_id: int) -> dict[int, set[str]] | None:
    """The contents that firings of this order counted, by delivery; None while nothing was sent."""
    sent = connection.execute(
        sa.select(firings.c.id).where(
            firings.c.order_id == order_id, firings.c.ordinal == 0, firings.c.state.not_in(_NEVER_SENT)
        )
    ).first()
    if sent is None:
        return None
    rows = connection.execute(
        sa.select(counted_deliveries.c.delivery_id, counted_deliveries.c.content_hash)
        .join(firings, firings.c.id == counted_deliveries.c.firing_id)
        .where(firings.c.order_id == order_id)
    )
    counted: dict[int, set[str]] = {}
    for row in rows:
        counted.setdefault(row.delivery_id, set()).add(row.content_hash)
    return counted


def find_orders(
    connection: sa.Connection, purchase_order: str, *, account: str | None = None, customer_id: int | None = None
) -> list[OrderKey]:
    """The orders of that number, narrowed where account or customer are given."""
    statement = sa.select(orders).where(orders.c.purchase_order == purchase_order)
    if account is not None:
        statement = statement.where(orders.c.account == account)
    if customer_id is not None:
        statement = statement.where(orders.c.customer_id == customer_id)
    return sorted(_key(row) for row in connection.execute(statement))


def list_orders(
    connection: sa.Connection, links: LinkRows, *, state: str | None = None, limit: int | None = None
) -> Iterator[dict[str, object]]:
    """Orders with the keys of DESIGN §8, by account, customer and number, as they come from the database."""
    statement = sa.select(orders).order_by(orders.c.account, orders.c.customer_id, orders.c.purchase_order)
    if state is not None:
        statement = statement.where(orders.c.state == state)
    result = connection.execute(statement.limit(limit).execution_options(yield_per=_CHUNK))
    for rows in result.partitions(_CHUNK):
        held = links.of_numbers(connection, [row.purchase_order for row in rows])
        for row in rows:
            link = best(held.get(row.purchase_order, ()), _key(row))
            yield _document(row, None if link is None else link.credit_order_id)


def complete_without_firing(connection: sa.Connection, limit: int) -> list[OrderKey]:
    """Complete orders that nobody has planned a firing for: what a lost task would have forgotten."""
    fired = sa.select(firings.c.id).where(firings.c.order_id == orders.c.id).exists()
    statement = (
        sa.select(orders).where(orders.c.state == OrderState.COMPLETE, ~fired).order_by(orders.c.id).limit(limit)
    )
    return [_key(row) for row in connection.execute(statement)]


def never_looked_at(connection: sa.Connection, limit: int) -> list[OrderKey]:
    """Orders that deliveries speak of and nobody has decided about: what a lost task would have forgotten."""
    decided = (
        sa.select(orders.c.id)
        .where(
            orders.c.account == deliveries.c.account,
            orders.c.customer_id == deliveries.c.customer_id,
            orders.c.purchase_order == deliveries.c.purchase_order,
        )
        .exists()
    )
    statement = (
        sa.select(deliveries.c.account, deliveries.c.customer_id, deliveries.c.purchase_order)
        # That there is one is said apart, for the index.
        .where(deliveries.c.purchase_order.is_not(None), sa.func.trim(deliveries.c.purchase_order) != "", ~decided)
        .distinct()
    )
    with connection.execute(statement.execution_options(yield_per=_CHUNK)) as rows:
        keys = (OrderKey(row.account, row.customer_id, row.purchase_order) for row in rows)
        # A database trims blanks only; what else is blank is for Python to say, and must not fill the limit.
        return list(islice((key for key in keys if key.purchase_order.strip()), limit))


def _is(key: OrderKey) -> sa.ColumnElement[bool]:
    return sa.and_(
        orders.c.account == key.account,
        orders.c.customer_id == key.customer_id,
        orders.c.purchase_order == key.purchase_order,
    )


def _key(row: sa.Row[Any]) -> OrderKey:
    return OrderKey(row.account, row.customer_id, row.purchase_order)


def _order_row(row: sa.Row[Any]) -> OrderRow:
    return OrderRow(
        id=row.id,
        key=_key(row),
        state=OrderState(row.state),
        reason=row.reason,
        deliveries=row.deliveries,
        completed=row.completed,
        newest_at=row.newest_at,
        content_hash=row.content_hash,
        read_hash=row.read_hash,
        read_at=row.read_at,
        look_at=row.look_at,
    )


def _document(row: sa.Row[Any], credit_order_id: str | None) -> dict[str, object]:
    return {
        "account": row.account,
        "customer_id": row.customer_id,
        "purchase_order": row.purchase_order,
        "state": row.state,
        "reason": row.reason,
        "deliveries": row.deliveries,
        "completed": row.completed,
        "credit_order_id": credit_order_id,
    }
