"""Backfills under way: what they read, nobody else need read at the same time."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from worker import kinds
from worker.db.tables import tasks
from worker.reading.spans import Window, second_of, window_or_none
from worker.runtime.jobs import ALL
from worker.states import TaskState

# Said so, for the index of open tasks.
_RUNNING = sa.and_(tasks.c.ended_at.is_(None), tasks.c.kind == kinds.BACKFILL, tasks.c.state == TaskState.RUNNING)


def under_way(connection: sa.Connection, account: str) -> list[Window]:
    """The spans of source time that jobs are certifying for this account at present."""
    found = connection.execute(sa.select(tasks.c.subject, tasks.c.payload, tasks.c.created_at).where(_RUNNING))
    meant = [row for row in found if row.payload.get("account", row.subject) in {account, ALL}]
    windows = [_window(row.payload, row.created_at) for row in meant]
    return [window for window in windows if window is not None]


def _window(payload: Mapping[str, str], asked_at: datetime) -> Window | None:
    """What it reads at most: nothing that came after it was asked for."""
    since, until = datetime.fromisoformat(payload["since"]), datetime.fromisoformat(payload["until"])
    return window_or_none(second_of(since), second_of(min(until, asked_at)))
