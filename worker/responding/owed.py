"""Customer orders that are owed an answer, found as rows: a lost or discarded task forgets nothing (DESIGN §2.3)."""

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa
import structlog

from worker import kinds
from worker.db import Database
from worker.db.tables import customer_orders, tasks
from worker.db.tables.customers import NOT_FINAL
from worker.responding import reply_rows, situations
from worker.responding.decision import Say, Situation, decide
from worker.responding.terms import Terms
from worker.states import ResponseState
from worker.tasks import NewTask, Tasks

_log = structlog.get_logger(__name__)

# Orders looked at together.
_CHUNK = 400
# Tasks given at once: the rest at the next look, so that no transaction is long.
_AT_ONCE = 500
_UNDER_WAY = (ResponseState.WANTED, ResponseState.SENDING, ResponseState.UNKNOWN)


def open_situations(connection: sa.Connection, terms: Terms) -> Iterator[Situation]:
    """How it stands with every customer order that is not final, the oldest request first."""
    statement = (
        sa.select(customer_orders.c.id)
        .where(customer_orders.c.host == terms.host, sa.text(NOT_FINAL))
        .order_by(customer_orders.c.requested_at, customer_orders.c.id)
    )
    ids = list(connection.execute(statement).scalars())
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        found = situations.load_many(connection, terms, chunk)
        yield from (found[order_id] for order_id in chunk)


class Owed:
    """Looks for them; writes nothing where there are none."""

    def __init__(self, *, database: Database, tasks: Tasks, terms: Terms) -> None:
        self._database = database
        self._tasks = tasks
        self._terms = terms

    def run(self) -> int:
        """Give a task to each that has none; how many were found."""
        with self._database.read() as connection:
            found = self._without_task(connection, self._owed(connection, self._database.now(connection)))
        if not found:
            return 0
        with self._database.write() as connection:
            now = self._database.now(connection)
            for order_id in found[:_AT_ONCE]:
                self._tasks.add_job(connection, NewTask(kind=kinds.RESPOND, subject=order_id), now)
        _log.info("customer orders taken up that no task spoke of", customer_orders=found[:10], count=len(found))
        return len(found)

    def _owed(self, connection: sa.Connection, now: datetime) -> list[str]:
        under_way = reply_rows.open_orders(connection, self._terms.host, _UNDER_WAY)
        if not self._terms.any:
            return under_way
        said = (
            situation.order_id for situation in open_situations(connection, self._terms) if self._may(situation, now)
        )
        return list(dict.fromkeys([*under_way, *said]))

    def _may(self, situation: Situation, now: datetime) -> bool:
        if situation.open is not None:
            return False
        verdict = decide(situation, now, quiet=self._terms.quiet)
        return isinstance(verdict, Say) and self._terms.allow(verdict.words)

    def _without_task(self, connection: sa.Connection, ids: list[str]) -> list[str]:
        statement = sa.select(tasks.c.subject).where(tasks.c.kind == kinds.RESPOND, tasks.c.ended_at.is_(None))
        busy = set(connection.execute(statement).scalars()) if ids else set()
        return [order_id for order_id in ids if order_id not in busy]
