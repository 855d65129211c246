"""Takes away what is older than the retention: done tasks, and events that nobody needs any more.

Kept for ever: firings with all that explains them (the database refuses to delete those), and every event about a
firing, about an order that has one, and about a delivery of such an order (DESIGN §6.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.customers import upkeep
from worker.db import Database
from worker.db.tables import counted_deliveries, deliveries, events, firings, orders, tasks
from worker.events import REGISTRY_SOURCE, account_source, delivery_subject
from worker.states import TaskState

# Rows taken away in one transaction: other writers wait for milliseconds only.
_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """How many rows went."""

    tasks: int
    events: int


class Pruning:
    """Deletes in small transactions."""

    def __init__(self, *, database: Database, retention_days: int) -> None:
        self._database = database
        self._retention = timedelta(days=retention_days)

    def run(self) -> Pruned:
        """Take away everything that may go. Raises DatabaseUnavailable; running it again goes on."""
        with self._database.read() as connection:
            before = self._database.now(connection) - self._retention
        self._prune_customers(before)
        return Pruned(tasks=self._prune_tasks(before), events=self._prune_events(before))

    def _prune_tasks(self, before: datetime) -> int:
        # A task of an event goes with its event: its row is what keeps the duty from being done twice.
        old = (
            sa.select(tasks.c.number)
            .where(tasks.c.state == TaskState.DONE, tasks.c.ended_at < before, tasks.c.event_position.is_(None))
            .limit(_CHUNK)
        )
        gone = 0
        while True:
            with self._database.write() as connection:
                numbers = connection.execute(old).scalars().all()
                connection.execute(sa.delete(tasks).where(tasks.c.number.in_(numbers)))
            gone += len(numbers)
            if len(numbers) < _CHUNK:
                return gone

    def _prune_customers(self, before: datetime) -> None:
        with self._database.write() as connection:
            upkeep.prune(connection, before)

    def _prune_events(self, before: datetime) -> int:
        gone, after = 0, 0
        while True:
            with self._database.write() as connection:
                rows = connection.execute(_old_events(before, after)).all()
                needed = _needed(connection, rows)
                free = [row.position for row in rows if row.position not in needed]
                connection.execute(sa.delete(tasks).where(tasks.c.event_position.in_(free)))
                connection.execute(sa.delete(events).where(events.c.position.in_(free)))
            gone += len(free)
            if len(rows) < _CHUNK:
                return gone
            after = rows[-1].position


def _old_events(before: datetime, after: int) -> sa.Select[tuple[int, str, str]]:
    return (
        sa.select(events.c.position, events.c.source, events.c.subject)
        .where(events.c.recorded_at < before, events.c.position > after, events.c.source != REGISTRY_SOURCE)
        .order_by(events.c.position)
        .limit(_CHUNK)
    )


def _needed(connection: sa.Connection, rows: Sequence[sa.Row[tuple[int, str, str]]]) -> set[int]:
    """Where those events stand that must stay: an open task or a dead letter wants them, or a firing rests on them."""
    about = tasks.c.event_position
    places = [row.position for row in rows]
    wanted = sa.select(about).where(about.in_(places), tasks.c.state != TaskState.DONE)
    needed = set(connection.execute(wanted).scalars())
    subjects = _subjects_of_firings(connection)
    return needed | {row.position for row in rows if (row.source, row.subject) in subjects}


def _subjects_of_firings(connection: sa.Connection) -> set[tuple[str, str]]:
    """Source and subject of every order that has a firing, and of every delivery that is or was counted in one."""
    fired = sa.select(orders.c.account, orders.c.customer_id, orders.c.purchase_order).join_from(firings, orders)
    subjects = {
        (account_source(row.account), f"orders/{row.customer_id}/{row.purchase_order}")
        for row in connection.execute(fired)
    }
    counted = sa.select(counted_deliveries.c.account, counted_deliveries.c.delivery_id)
    members = (
        sa.select(deliveries.c.account, deliveries.c.id)
        .join_from(
            deliveries,
            orders,
            sa.and_(
                deliveries.c.account == orders.c.account,
                deliveries.c.customer_id == orders.c.customer_id,
                deliveries.c.purchase_order == orders.c.purchase_order,
            ),
        )
        .where(orders.c.id.in_(sa.select(firings.c.order_id)))
    )
    found = connection.execute(sa.union(counted, members))
    return subjects | {(account_source(account), delivery_subject(number)) for account, number in found}
