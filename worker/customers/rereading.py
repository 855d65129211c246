"""Reading customer orders by their id: those that are due, one after another, and those that somebody waits for."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from connectors.errors import ConnectorError
from worker.clock import Clock
from worker.customers.queue import next_due
from worker.customers.recording import NotedOrder, OrderRecorder
from worker.customers.source import BarmateSource
from worker.db import Database

_log = structlog.get_logger(__name__)

# An order whose reading failed is passed over for so many polls (five minutes, by default): one that always fails stops
# nobody.
SET_BACK_POLLS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RereadReport:
    """What a run did; `done` says that nothing more is due."""

    requests: int = 0
    news: int = 0
    done: bool = True


class Reader:
    """Reads single orders of one account, each with one request."""

    def __init__(self, *, source: BarmateSource, recorder: OrderRecorder, database: Database) -> None:
        self._source = source
        self._recorder = recorder
        self._database = database

    def read(self, order_id: str) -> NotedOrder:
        """Read one order and take it as it stands. Raises ConnectorError."""
        with self._database.read() as connection:
            asked_at = self._database.now(connection)
        return self._recorder.note(order_id, self._source.client.order(order_id), asked_at=asked_at)

    def read_all(self, ids: Iterable[str]) -> int:
        """Read these; how many requests that took. Raises ConnectorError."""
        wanted = sorted(set(ids))
        for order_id in wanted:
            self.read(order_id)
        return len(wanted)


class Rereading:
    """Reads what is due; runs of one object follow each other."""

    def __init__(
        self,
        *,
        source: BarmateSource,
        reader: Reader,
        database: Database,
        clock: Clock,
        unread_seconds: float,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._source = source
        self._reader = reader
        self._database = database
        self._clock = clock
        self._unread_seconds = unread_seconds
        self._stopping = stopping
        self._turn = 0
        # Orders whose reading failed, and until when the others go first; by the clock that only grows.
        self._set_back: dict[str, float] = {}

    @property
    def set_back(self) -> frozenset[str]:
        """Orders whose last reading failed: they are tried again, and keep no other waiting."""
        now = self._clock.monotonic()
        self._set_back = {order_id: until for order_id, until in self._set_back.items() if until > now}
        return frozenset(self._set_back)

    def run(self, seconds: float) -> RereadReport:
        """Read what is due for about that long. Raises ConnectorError where the first reading fails.

        Where a later one fails the run is over: barmate answers, so the next one begins at once with another order.
        """
        until = self._clock.monotonic() + seconds
        requests = news = 0
        while not self._stopping() and self._clock.monotonic() < until:
            order_id = self._next()
            if order_id is None:
                return RereadReport(requests=requests, news=news)
            try:
                news += self._read(order_id)
            except ConnectorError as error:
                if not requests:
                    raise
                _log.warning("a customer order could not be read", customer_order=order_id, error=error.sentence)
                break
            requests += 1
        return RereadReport(requests=requests, news=news, done=False)

    def _read(self, order_id: str) -> bool:
        try:
            return self._reader.read(order_id).event is not None
        except ConnectorError:
            self._set_back[order_id] = self._clock.monotonic() + SET_BACK_POLLS * self._unread_seconds
            raise

    def _next(self) -> str | None:
        with self._database.read() as connection:
            now = self._database.now(connection)
            due = next_due(
                connection,
                self._source.host,
                turn=self._turn,
                now=now,
                unread_seconds=self._unread_seconds,
                except_for=self.set_back,
            )
        self._turn += 1
        return None if due is None else due.order_id
