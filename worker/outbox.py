"""Tasks as the relay sees them: what is due, what is on its way, and what nobody finished.

Reading what is due needs no write lock; only what is really sent is written.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.db.tables import tasks
from worker.states import TaskState

# A message that nobody claimed is sent again after this long: longer than a busy worker's queue, shorter than the
# minute within which a killed worker's work must be taken up. In seconds.
RESEND_SECONDS = 30.0

# Said so in every query: the indexes of open tasks depend on it.
_OPEN = tasks.c.ended_at.is_(None)
_WAITING = tasks.c.state == TaskState.WAITING
# Whoever runs has a token; said so for the index of those that are out.
_RUNNING = sa.and_(tasks.c.state == TaskState.RUNNING, tasks.c.token.is_not(None))
_UNCLAIMED = {"state": TaskState.WAITING, "token": None, "owner": None, "lease_until": None, "sent_at": None}


@dataclass(frozen=True, slots=True)
class DueTask:
    """A task to be sent."""

    number: int
    id: str
    kind: str


def _has_older() -> sa.Exists:
    older = tasks.alias("older")
    return (
        sa.select(older.c.number)
        .where(
            older.c.kind == tasks.c.kind,
            older.c.subject == tasks.c.subject,
            older.c.ended_at.is_(None),
            older.c.number < tasks.c.number,
        )
        .exists()
    )


# A task whose turn has not come: an older one of its kind and subject is open.
QUEUED_BEHIND = _has_older()


def _due(*more: sa.ColumnElement[bool]) -> sa.Select[int, str, str]:
    unsent = sa.or_(tasks.c.sent_at.is_(None), tasks.c.sent_at < sa.bindparam("recently"))
    kinds = tasks.c.kind.in_(sa.bindparam("kinds", expanding=True))
    return (
        sa.select(tasks.c.number, tasks.c.id, tasks.c.kind)
        .where(_WAITING, _OPEN, tasks.c.due_at <= sa.bindparam("now"), unsent, kinds, *more, ~QUEUED_BEHIND)
        .order_by(tasks.c.due_at, tasks.c.number)
        .limit(sa.bindparam("most"))
    )


# Made once: the relay asks many times a second, and putting a statement together costs as much as running it.
# By whether the tasks were tried before; None: either.
_DUE = {None: _due(), True: _due(tasks.c.attempts > 0), False: _due(tasks.c.attempts == 0)}


def _count(tried: sa.ColumnElement[bool], *which: sa.ColumnElement[bool]) -> sa.Select[str, bool, int]:
    flag = sa.case((tried, sa.true()), else_=sa.false()).label("tried")
    return sa.select(tasks.c.kind, flag, sa.func.count()).where(_OPEN, *which).group_by(tasks.c.kind, flag)


# Two counts, each with an index of its own: a long backlog must not be read to find the few that are out.
# Whoever runs has counted this very try already.
_IN_FLIGHT = (
    _count(tasks.c.attempts > 1, _RUNNING),
    _count(tasks.c.attempts > 0, _WAITING, tasks.c.sent_at >= sa.bindparam("recently")),
)


def in_flight(connection: sa.Connection, now: datetime) -> Counter[tuple[str, bool]]:
    """How many tasks are running or in a message that may still be claimed, by kind and whether tried before."""
    found: Counter[tuple[str, bool]] = Counter()
    for statement in _IN_FLIGHT:
        for kind, tried, count in connection.execute(statement, {"recently": _recently(now)}):
            found[kind, bool(tried)] += count
    return found


def due(
    connection: sa.Connection, now: datetime, limit: int, kinds: Collection[str], *, tried: bool | None = None
) -> list[DueTask]:
    """Up to `limit` due tasks of these kinds that are not on their way, oldest first.

    Only the oldest open task of a kind and subject is among them: one event per subject is in flight. `tried` picks
    those that were tried before, or those that were not.
    """
    values = {"now": now, "recently": _recently(now), "kinds": list(kinds), "most": limit}
    return [DueTask(row.number, row.id, row.kind) for row in connection.execute(_DUE[tried], values)]


def _recently(now: datetime) -> datetime:
    return now - timedelta(seconds=RESEND_SECONDS)


def mark_sent(connection: sa.Connection, sent: Sequence[DueTask], now: datetime) -> None:
    """Remember that these go out now; one that was claimed meanwhile is left alone."""
    if not sent:
        return
    numbers = [task.number for task in sent]
    connection.execute(sa.update(tasks).where(tasks.c.number.in_(numbers), _WAITING).values(sent_at=now))


_EXPIRED = sa.select(tasks.c.number).where(_RUNNING, _OPEN, tasks.c.lease_until < sa.bindparam("now")).limit(1)


def has_expired(connection: sa.Connection, now: datetime) -> bool:
    """Whether some worker let a lease run out."""
    return connection.execute(_EXPIRED, {"now": now}).first() is not None


def release_expired(connection: sa.Connection, now: datetime) -> int:
    """Give back tasks whose worker let its lease run out; returns how many."""
    expired = sa.update(tasks).where(_RUNNING, _OPEN, tasks.c.lease_until < now)
    return connection.execute(expired.values(error="its worker stopped", **_UNCLAIMED)).rowcount


def take_over(connection: sa.Connection) -> int:
    """Give back everything at once, for the only process there is: whoever sent or claimed it is gone."""
    running = sa.update(tasks).where(_RUNNING, _OPEN).values(error="its worker stopped", **_UNCLAIMED)
    released = connection.execute(running).rowcount
    connection.execute(sa.update(tasks).where(_WAITING, _OPEN, tasks.c.sent_at.is_not(None)).values(sent_at=None))
    return released
