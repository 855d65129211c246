"""The request budget of one API key: numbered turns, one for all threads, processes and machines.

A turn is a row update, so its number never repeats and two observations can be put in order, whoever made them.
"""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.db import Database, for_update
from worker.db.tables import budgets

# After a 429 without a hint the next turn waits this long, in seconds: a little more than the documented second.
THROTTLED_SECONDS = 1.5
# Turns are given 2 % slower than the limit: a limiter exactly at it is answered 429 by clock differences alone.
MARGIN = 1.02
# No turn lies farther ahead than the longest wish of a server (an hour) and a queue of slow turns behind it. One that
# does was given before the clock was set back, and nobody would ask again until the clock is there once more.
FARTHEST = timedelta(hours=2)


class Budget:
    """Gives out turns at `requests_per_second`; blocks the caller until its turn has come."""

    def __init__(
        self, database: Database, *, name: str, requests_per_second: float, sleep: Callable[[float], None]
    ) -> None:
        self._database = database
        self._name = name
        self._interval = timedelta(seconds=MARGIN / requests_per_second)
        self._sleep = sleep
        self._lock = threading.Lock()

    def take(self) -> int:
        """The number of the turn, once a request may be made."""
        with self._lock:
            turn, wait = self._reserve()
        if wait > 0:
            self._sleep(wait)
        return turn

    def throttled(self, retry_after: float | None) -> None:
        """The server answered 429: nobody asks again before that long."""
        seconds = THROTTLED_SECONDS if retry_after is None else retry_after
        with self._database.write() as connection:
            now = self._database.now(connection)
            row = self._row(connection, now)
            next_at = max(_next(row, now), now + timedelta(seconds=seconds))
            connection.execute(sa.update(budgets).where(budgets.c.name == self._name).values(next_at=next_at))

    def _reserve(self) -> tuple[int, float]:
        with self._database.write() as connection:
            now = self._database.now(connection)
            row = self._row(connection, now)
            at = _next(row, now)
            connection.execute(
                sa.update(budgets)
                .where(budgets.c.name == self._name)
                .values(turn=row.turn + 1, next_at=at + self._interval)
            )
            return int(row.turn) + 1, (at - now).total_seconds()

    def _row(self, connection: sa.Connection, now: datetime) -> sa.Row[tuple[str, int, datetime]]:
        statement = for_update(sa.select(budgets).where(budgets.c.name == self._name))
        row = connection.execute(statement).first()
        if row is None:
            # The savepoint lets two processes that both found none go on with the row of the first.
            try:
                with connection.begin_nested():
                    connection.execute(sa.insert(budgets).values(name=self._name, turn=0, next_at=now))
            except sa.exc.IntegrityError:
                pass
            row = connection.execute(statement).one()
        return row


def _next(row: sa.Row[tuple[str, int, datetime]], now: datetime) -> datetime:
    """When the next turn is."""
    return now if row.next_at - now > FARTHEST else max(row.next_at, now)
