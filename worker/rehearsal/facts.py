"""What the daemon's database says while it works: a few counts, and which orders have come to an end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from worker.customers.queue import left
from worker.db import Database
from worker.db.tables import accounts, events, firings, orders, tasks
from worker.reading import coverage
from worker.responding import reply_rows
from worker.states import FiringState, TaskState

# Where a firing of an order that should be delivered may be left: the registry has it, or a person must look.
ENDED = frozenset(
    {FiringState.CONFIRMED, FiringState.REFUSED, FiringState.NEEDS_PERSON, FiringState.ABANDONED},
)

# (customer id, purchase order)
Order = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One look. `certified_until`: seconds since 1970; `open_tasks` by kind; `ended`: orders, by their firing.

    `responses` to customer orders by state; `customer_reads`: readings that are owed at barmate.
    """

    events: int = 0
    open_tasks: Mapping[str, int] = field(default_factory=dict)
    orders: Mapping[str, int] = field(default_factory=dict)
    firings: Mapping[str, int] = field(default_factory=dict)
    certified_until: int | None = None
    ended: frozenset[Order] = frozenset()
    responses: Mapping[str, int] = field(default_factory=dict)
    customer_reads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Whose facts: the account at the warehouse and the one at barmate."""

    account: str
    barmate: str


def look(database: Database, watched: Watched, ended_at: float | None) -> Facts:
    """Read the facts in one view; `ended_at`: when the story ended, as seconds since 1970. Raises DatabaseUnavailable.

    After its end every open customer order has to be read once more.
    """
    account, barmate = watched.account, watched.barmate
    with database.read() as connection:
        # None before the first poll.
        start = connection.execute(sa.select(accounts.c.start).where(accounts.c.name == account)).scalar_one_or_none()
        return Facts(
            events=connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one(),
            open_tasks=_counts(connection, tasks.c.kind, tasks.c.ended_at.is_(None)),
            orders=_counts(connection, orders.c.state),
            firings=_counts(connection, firings.c.state),
            certified_until=coverage.certified_until(connection, account, start),
            ended=_ended(connection),
            responses=reply_rows.counts(connection, barmate),
            customer_reads=left(connection, barmate, since=_since(ended_at)),
        )


def _since(ended_at: float | None) -> datetime:
    seconds = 0.0 if ended_at is None else ended_at + _STALE_SECONDS
    return datetime.fromtimestamp(seconds, UTC)


def has_polled(database: Database, account: str) -> bool:
    """Whether the source has answered once."""
    with database.read() as connection:
        asked = sa.select(accounts.c.server_time).where(accounts.c.name == account)
        return connection.execute(asked).scalar_one_or_none() is not None


def hurry(database: Database) -> None:
    """Make everything due now that waits for longer than a moment: time is compressed, published schedules are not."""
    with database.write() as connection:
        now = database.now(connection)
        later = now + timedelta(seconds=_A_MOMENT_SECONDS)
        connection.execute(
            sa.update(tasks)
            .where(tasks.c.ended_at.is_(None), tasks.c.state == TaskState.WAITING, tasks.c.due_at > later)
            .values(due_at=now)
        )
        for table in (orders, firings):
            connection.execute(sa.update(table).where(table.c.look_at > later).values(look_at=now))


# A faulty reading at barmate may show what was a second ago.
_STALE_SECONDS = 2.0
# What is due within these seconds comes by itself soon enough.
_A_MOMENT_SECONDS = 6.0


def _counts(connection: sa.Connection, column: sa.Column[str], *conditions: sa.ColumnElement[bool]) -> dict[str, int]:
    statement = sa.select(column, sa.func.count()).where(*conditions).group_by(column)
    return {str(name): int(count) for name, count in connection.execute(statement)}


def _ended(connection: sa.Connection) -> frozenset[Order]:
    statement = (
        sa.select(orders.c.customer_id, orders.c.purchase_order)
        .join(firings, firings.c.order_id == orders.c.id)
        .where(firings.c.state.in_(sorted(ENDED)))
    )
    return frozenset((int(customer), str(number)) for customer, number in connection.execute(statement))
