"""The rows of `customer_orders`, as everybody but their recorder sees them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connectors.barmate_records import FINAL, OrderStatus, OrderType
from worker.db import for_update
from worker.db.tables import customer_missing, customer_orders, set_aside

# Values in one statement: SQLite takes some thousands at most.
_CHUNK = 400
FINAL_STATUSES = tuple(sorted(FINAL))


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerOrderRow:
    """A customer order as last seen (columns as `worker.db.tables.customers` explains them).

    `items` is None, and `content_hash` '', until it was read by its id. Counts and sizes are exact decimals as text.
    """

    host: str
    id: str
    type: str
    status: str
    unknown: tuple[str, ...]
    company: str | None
    customer_id: str | None
    cost_center: str | None
    requested_at: datetime
    scheduled: Mapping[str, Any] | None
    cancelled_at: datetime | None
    reference: str | None
    items: tuple[Mapping[str, Any], ...] | None
    responses: tuple[Mapping[str, Any], ...]
    content_hash: str
    turn: int
    visible: bool
    first_seen_at: datetime
    changed_at: datetime
    read_at: datetime | None
    delivered_seen_at: datetime | None

    @property
    def is_final(self) -> bool:
        """Whether nothing can happen to it any more; never for a status that is not documented."""
        return self.status in FINAL

    @property
    def is_delivered(self) -> bool:
        """Whether the customer said that it arrived."""
        return self.status == OrderStatus.DELIVERED

    @property
    def is_return(self) -> bool:
        """Whether goods are to be picked up."""
        return self.type == OrderType.RETURN


def load(connection: sa.Connection, host: str, order_id: str, *, lock: bool = False) -> CustomerOrderRow | None:
    """The customer order with this id, or None; `lock` keeps others out until the transaction ends."""
    statement = sa.select(customer_orders).where(is_order(host, order_id))
    row = connection.execute(for_update(statement) if lock else statement).first()
    return None if row is None else row_of(row)


def load_many(connection: sa.Connection, host: str, ids: Collection[str]) -> dict[str, CustomerOrderRow]:
    """Those of the ids that we hold."""
    found: dict[str, CustomerOrderRow] = {}
    for chunk in _chunks(sorted(ids)):
        statement = sa.select(customer_orders).where(customer_orders.c.host == host, customer_orders.c.id.in_(chunk))
        found.update({row.id: row_of(row) for row in connection.execute(statement)})
    return found


def with_reference(connection: sa.Connection, host: str, reference: str) -> list[CustomerOrderRow]:
    """The customer orders whose reference in force is this one, by id."""
    statement = (
        sa.select(customer_orders)
        .where(customer_orders.c.host == host, customer_orders.c.reference == reference)
        .order_by(customer_orders.c.id)
    )
    return [row_of(row) for row in connection.execute(statement)]


def ranks_of(connection: sa.Connection, host: str, status: str, *, among: Collection[str]) -> dict[str, int]:
    """How many orders of that status were asked for later, for those of the ids that have it."""
    statement = (
        sa.select(customer_orders.c.id)
        .where(customer_orders.c.host == host, customer_orders.c.status == status, customer_orders.c.visible)
        .order_by(customer_orders.c.requested_at.desc(), customer_orders.c.id)
    )
    placed = enumerate(connection.execute(statement).scalars())
    return {order_id: rank for rank, order_id in placed if order_id in among}


def each(
    connection: sa.Connection, host: str, *, status: str | None = None, limit: int | None = None
) -> Iterator[CustomerOrderRow]:
    """Customer orders, the newest request first, as they come from the database."""
    statement = sa.select(customer_orders).where(customer_orders.c.host == host)
    if status is not None:
        statement = statement.where(customer_orders.c.status == status)
    statement = statement.order_by(customer_orders.c.requested_at.desc(), customer_orders.c.id).limit(limit)
    yield from map(row_of, connection.execute(statement.execution_options(yield_per=_CHUNK)))


def missing(connection: sa.Connection, host: str, ids: Collection[str]) -> frozenset[str]:
    """Those of the ids that barmate said it does not know, when it was asked last."""
    found: set[str] = set()
    for chunk in _chunks(sorted(ids)):
        statement = sa.select(customer_missing.c.id).where(
            customer_missing.c.host == host, customer_missing.c.id.in_(chunk)
        )
        found.update(connection.execute(statement).scalars())
    return frozenset(found)


def set_aside_reasons(connection: sa.Connection, host: str, ids: Collection[str]) -> dict[str, str]:
    """Why the newest record of a customer order could not be read, for those of the ids where that is so."""
    found: dict[str, str] = {}
    for chunk in _chunks(sorted(ids)):
        statement = sa.select(set_aside.c.customer_order_id, set_aside.c.reason).where(
            set_aside.c.account == host, set_aside.c.customer_order_id.in_(chunk), set_aside.c.closed_at.is_(None)
        )
        found.update({str(row.customer_order_id): str(row.reason) for row in connection.execute(statement)})
    return found


def is_order(host: str, order_id: str) -> sa.ColumnElement[bool]:
    """The row of one customer order."""
    return sa.and_(customer_orders.c.host == host, customer_orders.c.id == order_id)


def row_of(row: sa.Row[Any]) -> CustomerOrderRow:
    """A customer order from its row."""
    return CustomerOrderRow(
        host=row.host,
        id=row.id,
        type=row.type,
        status=row.status,
        unknown=tuple(row.unknown),
        company=row.company,
        customer_id=row.customer_id,
        cost_center=row.cost_center,
        requested_at=row.requested_at,
        scheduled=row.scheduled,
        cancelled_at=row.cancelled_at,
        reference=row.reference,
        items=None if row.items is None else tuple(row.items),
        responses=tuple(row.responses),
        content_hash=row.content_hash,
        turn=row.turn,
        visible=row.visible,
        first_seen_at=row.first_seen_at,
        changed_at=row.changed_at,
        read_at=row.read_at,
        delivered_seen_at=row.delivered_seen_at,
    )


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))
