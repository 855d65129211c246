"""Backfill: certifies a range of source time on demand. What is certified already is not read again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.clock import Clock
from worker.db import Database
from worker.errors import NotReady
from worker.reading import accounts, coverage
from worker.reading.account_source import AccountSource
from worker.reading.accounts import Account, Accounts
from worker.reading.recorder import Tally
from worker.reading.spans import Window, instant_of, second_of, window_or_none
from worker.reading.window_job import Job
from worker.reading.windows import WindowReader
from worker.states import CoverageState

# Requests between two words about progress: ten seconds at one a second.
PROGRESS_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a backfill or sweep has come: seconds of source time done and in all, requests made, rows read."""

    done_seconds: int
    all_seconds: int
    requests: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillReport:
    """What a backfill did. `holes` are the seconds it could not prove; `until` is where the closed part ends."""

    account: str
    since: datetime
    until: datetime
    requests: int
    rows: int
    appeared: int
    changed: int
    holes: int


class Backfill:
    """Certifies ranges. Raises the connector's errors, and NotReady where nothing of the range is closed yet.

    Interrupted, it leaves a pending span that polling fills later.
    """

    def __init__(self, *, database: Database, accounts: Accounts, windows: WindowReader, clock: Clock) -> None:
        self._database = database
        self._accounts = accounts
        self._windows = windows
        self._clock = clock

    def run(
        self, source: AccountSource, since: datetime, until: datetime, progress: Callable[[Progress], None]
    ) -> BackfillReport:
        """Certify every closed second from `since` to `until`."""
        tally = Tally()
        received = self._server_time(source, tally)
        window = self._wanted(source, second_of(since), second_of(until), received)
        for part in self._todo(source.name, window):
            for request, _step in enumerate(
                self._windows.read(Job(source=source, received=received, tally=tally), part)
            ):
                if request % PROGRESS_EVERY == 0:
                    progress(self._progress(source.name, window, tally))
        return self._report(source.name, window, tally)

    def _server_time(self, source: AccountSource, tally: Tally) -> datetime:
        with self._database.write() as connection:
            self._accounts.ensure(connection, source, self._clock.now())
        told = source.client.server_time()
        tally.requests += 1
        if told.instant is None or told.age > 0:
            sentence = f"{source.name}: the server's answers carry no usable Date, so nothing can be certified."
            raise NotReady(sentence)
        with self._database.write() as connection:
            accounts.fix_start(connection, source, told.instant)
        return told.instant

    def _wanted(self, source: AccountSource, since: int, until: int, received: datetime) -> Window:
        """The closed part of the range, as pending where nothing is known of it."""
        with self._database.write() as connection:
            accounts.lock(connection, source.name)
            account = accounts.find(connection, source.name)
            last = min(until, _last_closed(connection, account, received))
            window = window_or_none(since, last)
            if window is None:
                sentence = (
                    f"{source.name}: nothing from {instant_of(since):%Y-%m-%dT%H:%M:%SZ} on is closed yet; "
                    "polling reads it."
                )
                raise NotReady(sentence)
            coverage.want(connection, source.name, window)
            return window

    def _todo(self, name: str, window: Window) -> list[Window]:
        with self._database.read() as connection:
            spans = coverage.spans_within(connection, name, window)
        parts = [span.window.overlap(window) for span in spans if span.state is not CoverageState.CERTIFIED]
        return [part for part in parts if part is not None]

    def _progress(self, name: str, window: Window, tally: Tally) -> Progress:
        left = sum(part.seconds for part in self._todo(name, window))
        return Progress(
            done_seconds=window.seconds - left, all_seconds=window.seconds, requests=tally.requests, rows=tally.rows
        )

    def _report(self, name: str, window: Window, tally: Tally) -> BackfillReport:
        return BackfillReport(
            account=name,
            since=instant_of(window.since),
            until=instant_of(window.until),
            requests=tally.requests,
            rows=tally.rows,
            appeared=tally.appeared,
            changed=tally.changed,
            holes=sum(part.seconds for part in self._todo(name, window)),
        )


def _last_closed(connection: sa.Connection, account: Account, received: datetime) -> int:
    """The last second that may be certified by itself, no further than polling has come: no gap may arise."""
    closed = account.closed_end(received) - 1
    front = coverage.front(connection, account.name)
    if front is None:
        return closed
    return min(closed, front)
