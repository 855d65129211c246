"""Whether anything but schedules is due: what `run --until-idle` waits for and `status` calls idle (DESIGN §8)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker import kinds, switches
from worker.db.tables import firings, orders, tasks
from worker.outbox import QUEUED_BEHIND
from worker.states import FiringState, TaskState

# Seconds that what is due soon is waited for: longer than the registry's shortest rounds, shorter than a person's.
DEFAULT_PATIENCE_SECONDS = 120.0

# On their way to an end by themselves. A held firing is looked at again and again, which is a schedule; one that needs
# a person, or was ended, is not looked at.
UNDER_WAY = (
    FiringState.PLANNED,
    FiringState.ARMED,
    FiringState.SENDING,
    FiringState.AMBIGUOUS,
    FiringState.ABSENT,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """How many tasks, orders and firings are being worked on or due within the patience."""

    tasks: int
    orders: int
    firings: int

    @property
    def nothing(self) -> bool:
        """Whether all of them are none."""
        return not (self.tasks or self.orders or self.firings)


def due(connection: sa.Connection, now: datetime, patience_seconds: float, *, mirroring: bool) -> Due:
    """What is due by `now` plus the patience. Events that no webhook takes wait without end, so they do not count.

    Nor does a task behind an older one of its subject: it is due when that one is done, which may be in days.
    """
    by = now + timedelta(seconds=patience_seconds)
    posted = mirroring and switches.webhook_is_on(connection)
    silent = () if posted else (kinds.MIRROR,)
    return Due(
        tasks=_tasks(connection, by, silent),
        orders=_count(connection, orders, orders.c.look_at <= by),
        firings=_count(connection, firings, _firing_is_due(now, by)),
    )


def _tasks(connection: sa.Connection, by: datetime, silent: Collection[str]) -> int:
    running = tasks.c.state == TaskState.RUNNING
    waiting = sa.and_(tasks.c.due_at <= by, tasks.c.kind.not_in(silent), ~QUEUED_BEHIND)
    return _count(connection, tasks, sa.and_(tasks.c.ended_at.is_(None), sa.or_(running, waiting)))


def _firing_is_due(now: datetime, by: datetime) -> sa.ColumnElement[bool]:
    soon = sa.and_(firings.c.look_at <= by, firings.c.state.in_(UNDER_WAY))
    return sa.or_(soon, firings.c.look_at <= now, firings.c.state == FiringState.SENDING)


def _count(connection: sa.Connection, table: sa.Table, condition: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(condition)).scalar_one()
