"""What is due is due as soon as it was, though the clock was set back: waits are kept, not hours of the clock.

Only where the database's clock is this machine's; PostgreSQL has its own.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from worker.db import Database
from worker.db.tables import (
    budgets,
    coverage,
    customer_hints,
    customer_orders,
    customer_responses,
    deliveries,
    delivery_writes,
    firings,
    leases,
    orders,
    tasks,
)

_log = structlog.get_logger(__name__)

# What transactions may differ by.
_TOLERANCE = timedelta(seconds=2)
# Times at which something is to happen, or that say whose turn is next; what has happened keeps its own.
_COLUMNS = (
    (tasks, tasks.c.due_at),
    (tasks, tasks.c.sent_at),
    (tasks, tasks.c.lease_until),
    (orders, orders.c.look_at),
    (firings, firings.c.look_at),
    (coverage, coverage.c.retry_at),
    (leases, leases.c.until),
    (customer_orders, customer_orders.c.read_at),
    (customer_orders, customer_orders.c.wanted_at),
    (customer_hints, customer_hints.c.received_at),
    # What is told to customers waits from then on until it is quiet.
    (deliveries, deliveries.c.changed_at),
    (customer_responses, customer_responses.c.deadline),
    (customer_responses, customer_responses.c.settled_at),
    (customer_responses, customer_responses.c.looked_at),
    (delivery_writes, delivery_writes.c.deadline),
    (delivery_writes, delivery_writes.c.settled_at),
)


class SetBack:
    """Moves what lies ahead by as much as the clock was set back."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by(self, seconds: float) -> None:
        """The clock was set back by that much just now."""
        if not self._database.is_sqlite:
            return
        with self._database.write() as connection:
            self._move(connection, self._database.now(connection), timedelta(seconds=seconds))

    def at_start(self) -> None:
        """It may have been while nobody was running: the last turn of a budget is then ahead of now."""
        if not self._database.is_sqlite:
            return
        with self._database.write() as connection:
            now = self._database.now(connection)
            last: datetime | None = connection.execute(sa.select(sa.func.max(budgets.c.taken_at))).scalar()
            if last is not None and last - now > _TOLERANCE:
                self._move(connection, now, last - now)

    def _move(self, connection: sa.Connection, now: datetime, ahead: timedelta) -> None:
        micros = ahead // timedelta(microseconds=1)
        for table, column in _COLUMNS:
            # Instants are whole microseconds; the time that they are moved to is one, too.
            earlier = sa.type_coerce(column, sa.BigInteger) - micros
            open_only = tasks.c.ended_at.is_(None) if table is tasks else sa.true()
            connection.execute(sa.update(table).where(column > now, open_only).values({column.name: earlier}))
        _log.warning("the clock was set back", seconds=ahead.total_seconds())
