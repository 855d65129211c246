"""Dead letters: discarded tasks and records set aside, tried again or dropped by a person.

Methods take the caller's transaction and raise UsageError before anything is changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from worker.customers import hints
from worker.customers.hints import Hint
from worker.db.tables import set_aside, tasks
from worker.errors import UsageError
from worker.letters import ALL, Which
from worker.orders.links import touch, touch_blocked
from worker.reading.normalizer import SetAside, normalize
from worker.reading.observations import Circumstances, Observations, Observed
from worker.tasks import Tasks

# Ids in one statement: SQLite takes at most some thousands of values.
_PART = 400

# By ids, or whatever fits.
Chosen = Sequence[str] | Which


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """What came of trying again: tasks that wait once more, records that parse now, records that still do not."""

    tasks: int
    records: int
    still_set_aside: int


@dataclass(frozen=True, slots=True)
class _Found:
    """The dead letters that are meant."""

    tasks: list[str]
    records: list[sa.Row[Any]]


class DeadLetters:
    """Tries again, or drops."""

    def __init__(self, *, tasks: Tasks, observations: Observations) -> None:
        self._tasks = tasks
        self._observations = observations

    def retry(self, connection: sa.Connection, chosen: Chosen, now: datetime) -> Retried:
        """Try these again: tasks wait with fresh attempts, records are parsed once more.

        Of a subject they go in the order they had, and before whatever else of it waits.
        """
        found = _found(connection, chosen)
        waiting = sum(self._tasks.retry_dead_letters(connection, part, now) for part in _parts(found.tasks))
        parsed = sum(self._parse(connection, row, now) for row in found.records)
        return Retried(tasks=waiting, records=parsed, still_set_aside=len(found.records) - parsed)

    def drop(self, connection: sa.Connection, chosen: Chosen, now: datetime) -> int:
        """Close these for good; how many. An order that a record blocked is looked at again."""
        found = _found(connection, chosen)
        for part in _parts(found.tasks):
            self._tasks.drop_dead_letters(connection, part, now)
        for row in found.records:
            _close(connection, row, now)
        return len(found.tasks) + len(found.records)

    def _parse(self, connection: sa.Connection, row: sa.Row[Any], now: datetime) -> bool:
        if row.customer_order_id is not None:
            return _asked_again(connection, row, now)
        record = normalize(orjson.loads(row.payload))
        if isinstance(record, SetAside):
            return False
        # Its turn is the one it was read with: whatever was read later still counts more.
        circumstances = Circumstances(account=row.account, server_time=now, now=now, confirmed=True)
        self._observations.record(connection, [Observed(record, row.turn)], circumstances)
        _close(connection, row, now)
        return True


def _asked_again(connection: sa.Connection, row: sa.Row[Any], now: datetime) -> bool:
    """A record of barmate is kept without what it says of people, so its order is read anew, and soon."""
    if row.customer_order_id:
        hint = Hint(idempotency_key=f"{row.id} {now.isoformat()}", order_id=row.customer_order_id, type="retry")
        hints.add(connection, row.account, hint, now)
    return False


def _found(connection: sa.Connection, chosen: Chosen) -> _Found:
    if isinstance(chosen, Which):
        ids = [str(row.id) for row in connection.execute(chosen.tasks())]
        return _Found(ids, list(connection.execute(chosen.records())))
    return _named(connection, chosen)


def _named(connection: sa.Connection, ids: Sequence[str]) -> _Found:
    discarded, records = ALL.tasks(), ALL.records()
    found = _Found([], [])
    for part in _parts(ids):
        found.tasks.extend(str(row.id) for row in connection.execute(discarded.where(tasks.c.id.in_(part))))
        found.records.extend(connection.execute(records.where(set_aside.c.id.in_(part))))
    unknown = sorted(set(ids) - set(found.tasks) - {row.id for row in found.records})
    if unknown:
        sentence = f"There is no dead letter {', '.join(unknown)}; `waybill dead-letters list` shows those there are."
        raise UsageError(sentence)
    return found


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _PART] for start in range(0, len(ids), _PART))


def _close(connection: sa.Connection, row: sa.Row[Any], now: datetime) -> None:
    connection.execute(sa.update(set_aside).where(set_aside.c.id == row.id).values(closed_at=now))
    if row.purchase_order is not None:
        touch(connection, [row.purchase_order], now)
    if row.customer_order_id is not None:
        touch_blocked(connection, now)
