"""Dead letters: discarded tasks and records set aside, tried again or dropped by a person.

Methods take the caller's transaction and raise UsageError before anything is changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from worker.db.tables import set_aside, tasks
from worker.errors import UsageError
from worker.orders.links import touch
from worker.reading.normalizer import SetAside, normalize
from worker.reading.observations import Circumstances, Observations, Observed
from worker.states import TaskState
from worker.tasks import Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What came of trying again: tasks that wait once more, records that parse now, records that still do not."""

    tasks: int
    records: int
    still_set_aside: int


@dataclass(frozen=True, slots=True)
class _Named:
    """The dead letters that ids stand for."""

    tasks: list[str]
    records: list[sa.Row[Any]]


class DeadLetters:
    """Tries again, or drops."""

    def __init__(self, *, tasks: Tasks, observations: Observations) -> None:
        self._tasks = tasks
        self._observations = observations

    def retry(self, connection: sa.Connection, ids: Sequence[str] | None, now: datetime) -> Retried:
        """Try these again (None: all of them): tasks wait with fresh attempts, records are parsed once more."""
        named = _named(connection, ids)
        waiting = self._tasks.retry_dead_letters(connection, named.tasks, now) if named.tasks else 0
        parsed = sum(self._parse(connection, row, now) for row in named.records)
        return Retried(tasks=waiting, records=parsed, still_set_aside=len(named.records) - parsed)

    def drop(self, connection: sa.Connection, ids: Sequence[str], now: datetime) -> int:
        """Close these for good; how many. An order that a record blocked is looked at again."""
        named = _named(connection, ids)
        if named.tasks:
            self._tasks.drop_dead_letters(connection, named.tasks, now)
        for row in named.records:
            _close(connection, row, now)
        return len(named.tasks) + len(named.records)

    def _parse(self, connection: sa.Connection, row: sa.Row[Any], now: datetime) -> bool:
        record = normalize(orjson.loads(row.payload))
        if isinstance(record, SetAside):
            return False
        # Its turn is the one it was read with: whatever was read later still counts more.
        circumstances = Circumstances(account=row.account, server_time=now, now=now, confirmed=True)
        self._observations.record(connection, [Observed(record, row.turn)], circumstances)
        _close(connection, row, now)
        return True


def _named(connection: sa.Connection, ids: Sequence[str] | None) -> _Named:
    discarded = sa.select(tasks.c.id).where(tasks.c.state == TaskState.DISCARDED)
    aside = sa.select(set_aside).where(set_aside.c.closed_at.is_(None))
    if ids is not None:
        discarded = discarded.where(tasks.c.id.in_(ids))
        aside = aside.where(set_aside.c.id.in_(ids))
    found = _Named([str(one) for one in connection.execute(discarded).scalars()], list(connection.execute(aside)))
    unknown = [] if ids is None else sorted(set(ids) - set(found.tasks) - {row.id for row in found.records})
    if unknown:
        sentence = f"There is no dead letter {', '.join(unknown)}; `waybill dead-letters list` shows those there are."
        raise UsageError(sentence)
    return found


def _close(connection: sa.Connection, row: sa.Row[Any], now: datetime) -> None:
    connection.execute(sa.update(set_aside).where(set_aside.c.id == row.id).values(closed_at=now))
    if row.purchase_order is not None:
        touch(connection, [row.purchase_order], now)
