"""The poller of one account: the tail first, then what is pending or a hole, as far as the budget of one run goes.

An idle poll is one request. A process asks for the server's time once, before its first tail.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from connectors.errors import ConnectorError, Forbidden, Misconfigured, NotFound, Unauthorized
from worker.clock import Clock
from worker.db import Database
from worker.reading import accounts, coverage
from worker.reading.account_source import AccountSource
from worker.reading.accounts import Account, Accounts
from worker.reading.recorder import Tally
from worker.reading.share import Share
from worker.reading.source_clock import SourceClock
from worker.reading.spans import Span, Window, instant_of
from worker.reading.tail import Tail, TailRead
from worker.reading.waits import Trouble, Waits
from worker.reading.window_job import Job
from worker.reading.windows import Steps, WindowReader
from worker.states import CoverageState

# An account that refuses us is asked again after this long, in seconds: a person has to act first.
STOPPED_SECONDS = 60.0
# After failures in a row the wait doubles up to this, in seconds.
MAX_BACKOFF_SECONDS = 60.0
# A hole counts as retried from its second round on.
RETRIED = 2

_REFUSALS = (Unauthorized, Forbidden, NotFound, Misconfigured)


@dataclass(frozen=True, slots=True, kw_only=True)
class PollReport:
    """What one run did. `pending` says that closed seconds are left to be read: run again soon.

    `stopped` is the sentence of a refusal (a person must act), `error` that of a passing failure.
    """

    account: str
    requests: int = 0
    rows: int = 0
    appeared: int = 0
    changed: int = 0
    certified_until: datetime | None = None
    pending: bool = False
    holes: int = 0
    stopped: str | None = None
    error: str | None = None
    # The server's clock less ours.
    skew_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _Filling:
    """A job under way; it goes on in the next run where this one ends."""

    job: Job
    steps: Steps


class Poller:
    """Polls one account; runs of one poller follow each other. Whoever calls it holds the account's lease.

    `filling` is the account as what is pending is read: in another lane of the budget. `read_elsewhere` tells what
    others are reading, so that nobody reads it twice.
    """

    def __init__(
        self,
        *,
        source: AccountSource,
        filling: AccountSource | None = None,
        database: Database,
        accounts: Accounts,
        tail: Tail,
        windows: WindowReader,
        clock: Clock,
        read_elsewhere: Callable[[sa.Connection], Sequence[Window]] = lambda _connection: (),
        stopping: Callable[[], bool] = lambda: False,
        waits: Waits | None = None,
    ) -> None:
        self.source = source
        self._filling_source = source if filling is None else filling
        self._read_elsewhere = read_elsewhere
        self._database = database
        self._accounts = accounts
        self._source_clock = SourceClock(accounts)
        self._tail = tail
        self._windows = windows
        self._clock = clock
        self._share = Share(lag_seconds=source.lag_floor)
        self._stopping = stopping
        self._lock = threading.Lock()
        self._first: datetime | None = None
        self._filling: _Filling | None = None
        self._guard: Window | None = None
        self._failures = 0
        self._not_before = 0.0
        self._last = PollReport(account=source.name)
        own = Waits(clock.monotonic) if waits is None else waits
        self._trouble = Trouble(database=database, account=source.name, waits=own, clock=clock)

    @property
    def first_server_time(self) -> datetime | None:
        """The server's time in this process's first answer."""
        return self._first

    def look_at_waits(self) -> None:
        """Let everybody see that an answer is waited for, while another thread waits for it."""
        self._trouble.look()

    def run_once(self, *, force: bool = False) -> PollReport:
        """Poll once. After a failure nothing is asked for a while, unless `force`; the report then repeats why."""
        with self._lock:
            if not force and self._clock.monotonic() < self._not_before:
                return self._last
            tally = Tally()
            try:
                trouble = self._poll(tally)
                self._failures, self._not_before = 0, 0.0
                self._trouble.note(trouble)
                self._last = self._report(tally, error=trouble)
            except _REFUSALS as refusal:
                self._last = self._stopped(tally, refusal.sentence)
            except ConnectorError as error:
                self._last = self._failed(tally, error.sentence)
            return self._last

    def caught_up(self) -> bool:
        """Whether everything is certified up to the first answer's time - lag - 1 s, or is a hole already retried."""
        if self._first is None:
            return False
        with self._database.read() as connection:
            account = accounts.find(connection, self.source.name)
            last = coverage.front(connection, self.source.name)
            open_spans = coverage.open_spans(connection, self.source.name)
        target = account.closed_end(self._first)
        if account.start is None or (target >= account.start and (last is None or last < target)):
            return False
        due = [span for span in open_spans if account.start <= span.window.until and span.window.since <= target]
        return all(span.state is CoverageState.HOLE and span.tries >= RETRIED for span in due)

    def _poll(self, tally: Tally) -> str | None:
        if self._first is None and not self._opened(tally):
            return "The server's answers carry no usable Date, so nothing can be certified."
        read = self._tail.read(tally)
        self._settled(read)
        quiet = read.fitted and not tally.appeared and not tally.changed
        self._share.tail_was_read(quiet=quiet)
        self._fill(tally)
        return read.trouble

    def _opened(self, tally: Tally) -> bool:
        """The first request of this process: the server's time, and with it the account's start."""
        with self._database.write() as connection:
            before = self._accounts.ensure(connection, self.source, self._clock.now())
        told = self.source.client.server_time()
        tally.requests += 1
        if told.instant is None or told.age > 0:
            return False
        with self._database.write() as connection:
            accounts.fix_start(connection, self.source, told.instant)
            accounts.relax_lag(connection, self.source, told.instant)
            self._source_clock.note(
                connection,
                self.source.name,
                received=told.instant,
                asked_after=before.server_time,
                now=self._clock.now(),
            )
        self._first = told.instant
        return True

    def _settled(self, read: TailRead) -> None:
        """The source answered: it is not stopped, and what the tail left over comes first."""
        if read.guard is not None:
            self._guard = read.guard
        with self._database.read() as connection:
            account = accounts.find(connection, self.source.name)
        if account.stopped_reason is not None:
            with self._database.write() as connection:
                self._accounts.recover(connection, self.source.name, self._clock.now())

    def _fill(self, tally: Tally) -> None:
        """Read pending windows and holes that are due, one request after another, until this run has done its share."""
        began = self._clock.monotonic()
        spent = tally.requests
        while not self._stopping():
            if self._share.is_done(tally.requests - spent, self._clock.monotonic() - began):
                return
            if self._filling is None:
                self._filling = self._next_job(tally)
            if self._filling is None:
                return
            self._step(self._filling, tally)

    def _step(self, filling: _Filling, tally: Tally) -> None:
        if filling.job.tally is not tally:
            filling.job.go_on(tally)
        try:
            next(filling.steps)
        except StopIteration:
            self._filling = None
        except ConnectorError:
            self._filling = None
            raise

    def _next_job(self, tally: Tally) -> _Filling | None:
        with self._database.read() as connection:
            account = accounts.find(connection, self.source.name)
            spans = self._to_read(connection)
        if account.server_time is None or not account.is_read_with(self.source.key_fingerprint):
            return None
        guarding = self._guard is not None
        job = Job(source=self._filling_source, received=account.server_time, tally=tally, certify=not guarding)
        if self._guard is not None:
            return _Filling(job, self._guard_steps(job, self._guard))
        window = _ready(account, spans, self._clock.now())
        return None if window is None else _Filling(job, self._windows.read(job, window))

    def _to_read(self, connection: sa.Connection) -> list[Span]:
        """What is pending or a hole, apart from what others are reading."""
        elsewhere = self._read_elsewhere(connection)
        spans = coverage.open_spans(connection, self.source.name)
        return [span for span in spans if not any(span.window.overlap(window) for window in elsewhere)]

    def _guard_steps(self, job: Job, guard: Window) -> Steps:
        yield from self._windows.read(job, guard)
        self._guard = None
        if not job.unproved:
            self._tail.guard_was_read(job.received)

    def _stopped(self, tally: Tally, sentence: str) -> PollReport:
        self._filling = None
        self._not_before = self._clock.monotonic() + STOPPED_SECONDS
        with self._database.write() as connection:
            self._accounts.ensure(connection, self.source, self._clock.now())
            self._accounts.stop(connection, self.source.name, sentence, self._clock.now())
        self._trouble.note(None)
        return self._report(tally, stopped=sentence)

    def _failed(self, tally: Tally, sentence: str) -> PollReport:
        self._failures += 1
        wait = min(MAX_BACKOFF_SECONDS, 2.0 ** min(self._failures, 10))
        self._not_before = self._clock.monotonic() + wait
        self._trouble.note(sentence)
        return self._report(tally, error=sentence)

    def _report(self, tally: Tally, *, stopped: str | None = None, error: str | None = None) -> PollReport:
        with self._database.read() as connection:
            account = accounts.find_or_none(connection, self.source.name)
            spans = coverage.open_spans(connection, self.source.name)
            start = None if account is None else account.start
            until = coverage.certified_until(connection, self.source.name, start)
            to_read = self._to_read(connection)
        return PollReport(
            account=self.source.name,
            requests=tally.requests,
            rows=tally.rows,
            appeared=tally.appeared,
            changed=tally.changed,
            certified_until=None if until is None else instant_of(until),
            pending=self._filling is not None or _ready(account, to_read, self._clock.now()) is not None,
            holes=sum(span.state is CoverageState.HOLE for span in spans),
            stopped=stopped,
            error=error,
            skew_seconds=None if account is None else account.skew_seconds,
        )


def _ready(account: Account | None, spans: list[Span], now: datetime) -> Window | None:
    """The window to be read next, if any is closed."""
    if account is None or account.server_time is None:
        return None
    # One second below what is closed: a pass needs the second above its window closed too.
    return _next_window(spans, account.closed_end(account.server_time) - 1, now)


def _next_window(spans: list[Span], closed: int, now: datetime) -> Window | None:
    """The oldest closed window that is pending, else the first hole whose retry is due."""
    ready = [span for span in spans if span.window.since <= closed]
    pending = [span for span in ready if span.state is CoverageState.PENDING]
    holes = [span for span in ready if span.state is CoverageState.HOLE and _due(span, now)]
    chosen = pending[0] if pending else holes[0] if holes else None
    return None if chosen is None else Window(chosen.window.since, min(chosen.window.until, closed))


def _due(span: Span, now: datetime) -> bool:
    return span.retry_at is None or span.retry_at <= now
