"""Mirroring events again, by hand: one event, or all that were recorded in a span."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker import kinds
from worker.db import Database
from worker.db.tables import events, tasks
from worker.states import TaskState
from worker.tasks import NewTask, Tasks

# Events in one transaction.
_CHUNK = 200


class MirrorAgain:
    """Gives events a mirror task once more: the one they had is opened again, since each has one for ever."""

    def __init__(self, *, database: Database, tasks: Tasks) -> None:
        self._database = database
        self._tasks = tasks

    def one(self, identity: str) -> int:
        """Mirror this event again; how many were found (0 or 1)."""
        with self._database.write() as connection:
            return self._again(connection, events.c.id == identity, after=0)[0]

    def between(self, since: datetime, until: datetime) -> int:
        """Mirror every event recorded from `since` to `until`, both included, again; how many there are."""
        return sum(self._pieces(sa.and_(events.c.recorded_at >= since, events.c.recorded_at <= until)))

    def _pieces(self, condition: sa.ColumnElement[bool]) -> Iterator[int]:
        after: int | None = 0
        while after is not None:
            with self._database.write() as connection:
                count, after = self._again(connection, condition, after=after)
            yield count

    def _again(
        self, connection: sa.Connection, condition: sa.ColumnElement[bool], *, after: int
    ) -> tuple[int, int | None]:
        """A piece of the events meant, and the position to go on after; None when there are no more."""
        found = connection.execute(
            sa.select(events.c.position, events.c.source, events.c.subject)
            .where(condition, events.c.position > after)
            .order_by(events.c.position)
            .limit(_CHUNK)
        ).all()
        self._open(connection, found)
        return len(found), found[-1].position if len(found) == _CHUNK else None

    def _open(self, connection: sa.Connection, found: Sequence[sa.Row[Any, Any, Any]]) -> None:
        now = self._database.now(connection)
        places = [row.position for row in found]
        mirrored = sa.and_(tasks.c.kind == kinds.MIRROR, tasks.c.event_position.in_(places))
        had = set(connection.execute(sa.select(tasks.c.event_position).where(mirrored)).scalars())
        self._tasks.await_claims(connection, mirrored)
        fresh = {"state": TaskState.WAITING, "due_at": now, "attempts": 0, "sent_at": None, "ended_at": None}
        connection.execute(sa.update(tasks).where(mirrored, tasks.c.ended_at.is_not(None)).values(**fresh))
        new = [
            NewTask(kind=kinds.MIRROR, subject=f"{row.source}|{row.subject}", event_position=row.position)
            for row in found
            if row.position not in had
        ]
        self._tasks.add(connection, new, now)
