"""Backfill: certifies a range of source time on demand. What is certified already is not read again."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from connectors.logistic_cloud import DeliveryQuery
from worker.clock import Clock
from worker.db import Database
from worker.errors import NotReady
from worker.reading import accounts, coverage
from worker.reading.account_source import AccountSource
from worker.reading.accounts import Account, Accounts
from worker.reading.headway import Headway, Tell
from worker.reading.recorder import Tally
from worker.reading.spans import Window, instant_of, second_of, window_or_none
from worker.reading.window_job import Job
from worker.reading.windows import WindowReader
from worker.states import CoverageState


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


@dataclass(frozen=True, slots=True)
class _Expected:
    """Rows of a range by the source's own count: those that no certificate speaks of yet, and all."""

    left: int
    total: int


class Backfill:
    """Certifies ranges. Raises the connector's errors, and NotReady where nothing of the range is closed yet.

    Interrupted, it leaves a pending span that polling fills later.
    """

    def __init__(self, *, database: Database, accounts: Accounts, windows: WindowReader, clock: Clock) -> None:
        self._database = database
        self._accounts = accounts
        self._windows = windows
        self._clock = clock

    def run(self, source: AccountSource, since: datetime, until: datetime, tell: Tell) -> BackfillReport:
        """Certify every closed second from `since` to `until`. What `tell` raises ends it between two requests."""
        tally = Tally()
        received, total = self._beginning(source, DeliveryQuery(updated_min=since, updated_max=until), tally)
        window = self._wanted(source, second_of(since), second_of(until), received)
        expected = self._expected(source.name, window, total)
        job = Job(source=source, received=received, tally=tally)
        for part in self._todo(source.name, window):
            for _step in self._windows.read(job, part):
                tell(self._headway(source.name, window, expected, tally))
        return self._report(source.name, window, tally)

    def _beginning(self, source: AccountSource, query: DeliveryQuery, tally: Tally) -> tuple[datetime, int | None]:
        """The server's time, and how many rows it counts in the range, for the price of one request."""
        with self._database.write() as connection:
            self._accounts.ensure(connection, source, self._clock.now())
        told = source.client.list_deliveries(query, page=0, page_size=1)
        tally.requests += 1
        if told.server_time is None or told.age > 0:
            sentence = f"{source.name}: the server's answers carry no usable Date, so nothing can be certified."
            raise NotReady(sentence)
        with self._database.write() as connection:
            accounts.fix_start(connection, source, told.server_time)
        return told.server_time, told.total

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
            if account.start is not None:
                # Polling may not have begun, and would never look at what lies between the start and the range.
                coverage.want_from(connection, source.name, account.start)
            return window

    def _todo(self, name: str, window: Window) -> list[Window]:
        with self._database.read() as connection:
            spans = coverage.spans_within(connection, name, window)
        parts = [span.window.overlap(window) for span in spans if span.state is not CoverageState.CERTIFIED]
        return [part for part in parts if part is not None]

    def _expected(self, name: str, window: Window, total: int | None) -> _Expected | None:
        """The rows of the window that are left to be read; None where the source counts none."""
        if not total:
            return None
        with self._database.read() as connection:
            known = coverage.certified_spans(connection, name, window)
        # A span's rows may lie outside of the window too, so this is a guess at best.
        return _Expected(left=max(0, total - sum(span.rows for span in known)), total=total)

    def _headway(self, name: str, window: Window, expected: _Expected | None, tally: Tally) -> Headway:
        """In rows where the source counts them: seconds say little where months are empty."""
        left = sum(part.seconds for part in self._todo(name, window))
        if expected is None or not left:
            return Headway(done=window.seconds - left, all=window.seconds, requests=tally.requests, rows=tally.rows)
        done = expected.total - max(0, expected.left - tally.rows)
        return Headway(done=done, all=expected.total, requests=tally.requests, rows=tally.rows)

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
    # What was read of the time before the start says nothing about how far polling has come.
    if front is None or (account.start is not None and front < account.start):
        return closed
    return min(closed, front)
