"""One account at barmate as the scheduler sees it: polls and re-readings that never raise, and wait after failures."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connectors.errors import ConnectorError, Forbidden, Misconfigured, NotFound, Unauthorized
from worker.clock import Clock
from worker.customers import account_rows, queue
from worker.customers.rereading import Reader, Rereading
from worker.customers.source import BarmateSource
from worker.customers.walk import Walk
from worker.db import Database
from worker.event_log import EventLog

# An account that refuses us is asked again after this long, in seconds: a person has to act first.
STOPPED_SECONDS = 60.0
# After failures in a row the wait doubles up to this, in seconds.
MAX_BACKOFF_SECONDS = 60.0

_REFUSALS = (Unauthorized, Forbidden, NotFound, Misconfigured)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReport:
    """What one run did.

    `news`: orders that are new in the list, or about which something was told. `done`: nothing more is due at present.
    `stopped` is the sentence of a refusal (a person must act), `error` that of a passing failure.
    """

    host: str
    requests: int = 0
    news: int = 0
    done: bool = True
    stopped: str | None = None
    error: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why the account cannot be read at present."""
        return self.error if self.stopped is None else self.stopped


class Feed:
    """Polls the list, and reads by id what is due; each of the two follows itself, and they run side by side."""

    def __init__(
        self,
        *,
        source: BarmateSource,
        walk: Walk,
        rereading: Rereading,
        reader: Reader,
        database: Database,
        event_log: EventLog,
        clock: Clock,
    ) -> None:
        self.source = source
        self._walk = walk
        self._rereading = rereading
        self._reader = reader
        self._database = database
        self._event_log = event_log
        self._clock = clock
        self._polling = threading.Lock()
        self._reading = threading.Lock()
        self._failures = 0
        self._not_before = 0.0
        self._began: datetime | None = None
        self._trouble = FeedReport(host=source.host)

    def poll(self, *, force: bool = False, to_end: bool = False) -> FeedReport:
        """Walk through the list. After a failure nothing is asked for a while, unless `force`."""
        with self._polling:
            return self._run(lambda: self._polled(to_end=to_end), force=force)

    def reread(self, seconds: float) -> FeedReport:
        """Read by id what is due, for about that long."""
        with self._reading:
            return self._run(lambda: self._reread(seconds), force=False)

    def caught_up(self) -> bool:
        """Whether since this process began the list was walked, and every order read that is open or never was.

        One whose reading failed counts as tried.
        """
        if self._began is None:
            return False
        with self._database.read() as connection:
            account = account_rows.find(connection, self.source.host)
            owed = queue.left(connection, self.source.host, since=self._began, except_for=self._rereading.set_back)
        walked = account is not None and account.walked_at is not None and account.walked_at >= self._began
        return walked and owed == 0

    def _polled(self, *, to_end: bool) -> FeedReport:
        if self._began is None:
            with self._database.write() as connection:
                account_rows.ensure(connection, self.source)
                self._began = self._database.now(connection)
        report = self._walk.run(to_end=to_end)
        read = self._reader.read_all(report.unreadable)
        return FeedReport(host=self.source.host, requests=report.pages + read, news=report.fresh, done=report.joined)

    def _reread(self, seconds: float) -> FeedReport:
        report = self._rereading.run(seconds)
        return FeedReport(host=self.source.host, requests=report.requests, news=report.news, done=report.done)

    def _run(self, work: Callable[[], FeedReport], *, force: bool) -> FeedReport:
        if not force and self._clock.monotonic() < self._not_before:
            return self._trouble
        try:
            report = work()
        except _REFUSALS as refusal:
            return self._stopped(refusal.sentence)
        except ConnectorError as error:
            return self._failed(error.sentence)
        if report.requests:
            self._answered()
        return report

    def _answered(self) -> None:
        self._failures = 0
        with self._database.write() as connection:
            account = account_rows.ensure(connection, self.source)
            account_rows.recover(connection, self._event_log, account, self._database.now(connection))

    def _stopped(self, sentence: str) -> FeedReport:
        self._not_before = self._clock.monotonic() + STOPPED_SECONDS
        with self._database.write() as connection:
            account = account_rows.ensure(connection, self.source)
            account_rows.stop(connection, self._event_log, account, sentence, self._database.now(connection))
        self._trouble = FeedReport(host=self.source.host, done=False, stopped=sentence)
        return self._trouble

    def _failed(self, sentence: str) -> FeedReport:
        self._failures += 1
        self._not_before = self._clock.monotonic() + min(MAX_BACKOFF_SECONDS, 2.0 ** min(self._failures, 10))
        self._trouble = FeedReport(host=self.source.host, done=False, error=sentence)
        return self._trouble
