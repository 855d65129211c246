"""The tail: the newest part of an account and the guard band below it, read in one request a poll (DESIGN §4)."""

import math
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from connectors.logistic_cloud import DeliveryQuery
from worker.clock import Clock
from worker.db import Database
from worker.reading import accounts, coverage
from worker.reading.account_source import AccountSource, asked_by
from worker.reading.accounts import Account, Accounts
from worker.reading.certificates import FilterNotUnderstood, Judgement, Proved, judge_one_answer
from worker.reading.coverage import Proof
from worker.reading.read_page import ReadPage
from worker.reading.recorder import Recorder, Tally, Then, nothing_else, proof_of
from worker.reading.source_clock import SourceClock
from worker.reading.spans import Window, instant_of, window_or_none

# Further pages of a tail that outgrew one answer, read so that what just changed is acted on; the rest comes certified.
MORE_PAGES = 4

_OLD_KEY = "Another process reads this account with another API key since: restart this one with the new key."


@dataclass(frozen=True, slots=True, kw_only=True)
class TailRead:
    """What reading the tail found: whether it fitted one answer, and the guard band that is still to be read."""

    fitted: bool
    guard: Window | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """`since` is the first second that coverage says nothing about; `received` a server time received before."""

    account: Account
    since: int
    received: datetime
    guard: Window | None

    @property
    def query(self) -> DeliveryQuery:
        first = self.since if self.guard is None else self.guard.since
        return DeliveryQuery(updated_min=instant_of(first - 1))


class Tail:
    """Reads the tail of one account."""

    def __init__(
        self, *, source: AccountSource, database: Database, recorder: Recorder, accounts: Accounts, clock: Clock
    ) -> None:
        self._source = source
        self._database = database
        self._recorder = recorder
        self._source_clock = SourceClock(accounts)
        self._clock = clock
        self._outgrown = False

    def read(self, tally: Tally) -> TailRead:
        """Read it. What is closed of it is certified, or left pending where it did not fit one answer."""
        plan = self._plan()
        page = self._source.page(plan.query, 0)
        judged = self._judged(plan, page, tally)
        if isinstance(judged, Proved):
            self._outgrown = False
            self._keep(plan, page, tally, self._certified(plan, page, tally))
            return TailRead(fitted=True, trouble=self._trouble(plan, page))
        trouble = judged.reason if isinstance(judged, FilterNotUnderstood) else self._trouble(plan, page)
        self._keep(plan, page, tally, self._left_pending(plan, page))
        self._outgrown = page.shape.full
        if self._outgrown and trouble is None:
            self._read_on(plan, tally)
        return TailRead(fitted=False, guard=plan.guard if self._outgrown else None, trouble=trouble)

    def guard_was_read(self, received: datetime) -> None:
        """The guard band was read by itself."""
        with self._database.write() as connection:
            accounts.note_guard_read(connection, self._source.name, received)

    def _plan(self) -> _Plan:
        with self._database.read() as connection:
            account = accounts.find(connection, self._source.name)
            last = coverage.front(connection, self._source.name)
        if account.start is None or account.server_time is None:
            sentence = f"the account {account.name} has no server time yet"
            raise ValueError(sentence)
        since = account.start if last is None else max(account.start, last + 1)
        lag = math.ceil(account.lag_seconds)
        guard = window_or_none(max(account.start, since - lag), since - 1)
        left_out = self._outgrown and not _guard_due(account, account.server_time)
        return _Plan(account=account, since=since, received=account.server_time, guard=None if left_out else guard)

    def _judged(self, plan: _Plan, page: ReadPage, tally: Tally) -> Judgement:
        judged = judge_one_answer(page.shape, asked_by(plan.query))
        if page.shape.total is not None or page.shape.full or isinstance(judged, Proved):
            return judged
        following = self._source.page(plan.query, 1)
        self._keep(plan, following, tally, nothing_else)
        return judge_one_answer(page.shape, asked_by(plan.query), following.shape)

    def _read_on(self, plan: _Plan, tally: Tally) -> None:
        """What lies behind the closed slice, page by page, proving nothing."""
        query = DeliveryQuery(updated_min=instant_of(plan.account.closed_end(plan.received)))
        for number in range(MORE_PAGES):
            page = self._source.page(query, number)
            self._keep(plan, page, tally, nothing_else)
            if not page.shape.full:
                return

    def _keep(self, plan: _Plan, page: ReadPage, tally: Tally, then: Then) -> None:
        window = window_or_none(plan.since, plan.account.closed_end(plan.received))
        self._recorder.record(self._source, page, proof=proof_of("tail", window, page), tally=tally, then=then)

    def _certified(self, plan: _Plan, page: ReadPage, tally: Tally) -> Then:
        def then(connection: sa.Connection) -> None:
            if self._note_time(connection, plan, page):
                return
            accounts.note_guard_read(connection, self._source.name, plan.received)
            # Read again: a late row on this very page may have raised the lag.
            account = accounts.find(connection, self._source.name)
            window = window_or_none(plan.since, account.closed_end(plan.received))
            if window is not None and account.is_read_with(self._source.key_fingerprint):
                proof = Proof(kind="one_answer", rows=_rows_within(page, window), requests=tally.requests)
                coverage.certify(connection, self._source.name, window, proof)

        return then

    def _left_pending(self, plan: _Plan, page: ReadPage) -> Then:
        def then(connection: sa.Connection) -> None:
            window = window_or_none(plan.since, plan.account.closed_end(plan.received))
            if not self._note_time(connection, plan, page) and window is not None:
                coverage.want(connection, self._source.name, window)

        return then

    def _trouble(self, plan: _Plan, page: ReadPage) -> str | None:
        return _timeless(page) if plan.account.is_read_with(self._source.key_fingerprint) else _OLD_KEY

    def _note_time(self, connection: sa.Connection, plan: _Plan, page: ReadPage) -> bool:
        """Keep the server's time; True if its clock stepped back, so that this page proves nothing."""
        if page.server_time is None:
            return False
        stepped_back = self._source_clock.note(
            connection,
            self._source.name,
            received=page.server_time,
            asked_after=plan.received,
            now=self._clock.now(),
        )
        accounts.relax_lag(connection, self._source, page.server_time)
        return stepped_back


def _timeless(page: ReadPage) -> str | None:
    """Why this answer moves nothing on: coverage would stand still without a word."""
    if page.shape.age > 0:
        return f"The answer came from a cache (Age {page.shape.age}), so nothing can be certified."
    return None if page.server_time is not None else "The answer carries no usable Date, so nothing can be certified."


def _guard_due(account: Account, server_time: datetime) -> bool:
    return account.guard_read_at is None or server_time >= account.guard_read_at + account.lag


def _rows_within(page: ReadPage, window: Window) -> int:
    low, high = instant_of(window.since), instant_of(window.until + 1)
    return sum(record.stamp is not None and low <= record.stamp < high for record in page.records)
