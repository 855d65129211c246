"""Accounts as rows: start, key, lag in force, server time, whether the account is stopped; and the events of them.

Methods take the caller's transaction. Times of an account are its server's, never ours.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from worker.db import for_update
from worker.db.tables import accounts
from worker.db.types import Instant
from worker.event_log import EventLog
from worker.events import EventType
from worker.reading import coverage
from worker.reading.account_events import account_draft, coverage_draft
from worker.reading.account_source import AccountSource
from worker.reading.spans import Window, second_of, window_or_none

# An account without START begins this long before its first run: DESIGN §8.
DEFAULT_REACH = timedelta(days=30)
# The lag never grows beyond an hour, in seconds: a source that is later than that needs a person.
MAX_LAG_SECONDS = 3600.0
# A raised lag goes back to its floor after this long without a late row.
QUIET_DAY = timedelta(days=1)
# Stands in `accounts.start` until the first server time is known.
_UNFIXED = -1
# Hex digits of a key's fingerprint: enough to tell two keys apart, useless to find one.
_FINGERPRINT_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as it stands. `start` is None until its first server time; `lag_seconds` is the lag in force."""

    name: str
    start: int | None
    lag_seconds: float
    server_time: datetime | None
    guard_read_at: datetime | None
    stopped_reason: str | None
    # Why the last poll failed; none while the account is read.
    trouble: str | None = None
    trouble_since: datetime | None = None
    # The server's clock less ours, at its last answer; none before the first.
    skew_seconds: float | None = None
    # The first second that was open when the Date last jumped ahead of our clock; none if it never did.
    jumped_since: int | None = None
    lag_raised_at: datetime | None = None
    key_fingerprint: str = ""
    # When the last sweep went through, and what it found that polling had not seen.
    swept_at: datetime | None = None
    sweep_report: Mapping[str, Any] | None = None

    @property
    def lag(self) -> timedelta:
        """The lag in force."""
        return timedelta(seconds=self.lag_seconds)

    def closed_end(self, server_time: datetime) -> int:
        """The last second that is closed for a request sent after `server_time` was received (DESIGN §4)."""
        return second_of(server_time - self.lag) - 1

    def is_read_with(self, fingerprint: str) -> bool:
        """Whether that key is the one in force: what another sees proves nothing for it."""
        return self.key_fingerprint == fingerprint


def fingerprint_of(key: str) -> str:
    """What is kept of an API key: enough to see that it was changed."""
    return hashlib.sha256(key.encode()).hexdigest()[:_FINGERPRINT_DIGITS]


def source_budget(fingerprint: str) -> str:
    """The name of the budget of the key with that fingerprint: one for a key, whoever uses it."""
    return f"logistic.cloud {fingerprint}"


class Accounts:
    """The rows of `accounts` and the events about them."""

    def __init__(self, event_log: EventLog) -> None:
        self._event_log = event_log

    def ensure(self, connection: sa.Connection, source: AccountSource, now: datetime) -> Account:
        """The account, made at its first run. A changed key reopens all its coverage: it may see other rows."""
        row = _row(connection, source.name)
        if row is None:
            _insert(connection, source)
            return find(connection, source.name)
        if row.key_fingerprint != source.key_fingerprint:
            _set(connection, source.name, key_fingerprint=source.key_fingerprint)
            self._reopen_all(connection, source.name, now)
        return find(connection, source.name)

    def raise_lag(
        self, connection: sa.Connection, name: str, *, server_time: datetime, now: datetime, why: str
    ) -> None:
        """A row came later than the lag allows, or the server's clock stepped back: alert, double the lag, reopen."""
        account = find(connection, name)
        lag = min(MAX_LAG_SECONDS, account.lag_seconds * 2)
        _set(connection, name, lag_seconds=lag, lag_raised_at=server_time)
        window = _last_seconds(connection, account, 2 * math.ceil(lag))
        if window is not None:
            coverage.reopen(connection, name, window, why)
            self._tell_reopened(connection, name, window, f"{why} The lag is now {lag:g} s.", now)

    def reopen(self, connection: sa.Connection, name: str, window: Window, why: str, now: datetime) -> None:
        """What was certified there went by something wrong: it is read again, and said so."""
        if coverage.reopen(connection, name, window, why):
            self._tell_reopened(connection, name, window, why, now)

    def tell_skew(self, connection: sa.Connection, name: str, sentence: str, now: datetime) -> None:
        """The two clocks are apart: stated once."""
        draft = account_draft(name, EventType.ACCOUNT_SKEWED, now, sentence)
        self._event_log.append(connection, [draft], now)

    def stop(self, connection: sa.Connection, name: str, reason: str, now: datetime) -> None:
        """The source refuses: stated once, with the remedy."""
        if _lock(connection, name).stopped_reason is None:
            draft = account_draft(name, EventType.ACCOUNT_STOPPED, now, reason)
            self._event_log.append(connection, [draft], now)
        _set(connection, name, stopped_reason=reason)

    def recover(self, connection: sa.Connection, name: str, now: datetime) -> None:
        """The source answers again."""
        if _lock(connection, name).stopped_reason is not None:
            _set(connection, name, stopped_reason=None)
            draft = account_draft(name, EventType.ACCOUNT_RECOVERED, now, None)
            self._event_log.append(connection, [draft], now)

    def tell_hole(self, connection: sa.Connection, name: str, window: Window, reason: str, now: datetime) -> None:
        """A window could not be proved: stated once."""
        draft = coverage_draft(name, EventType.COVERAGE_HOLE, window, reason, now)
        self._event_log.append(connection, [draft], now)

    def _reopen_all(self, connection: sa.Connection, name: str, now: datetime) -> None:
        spans = coverage.spans(connection, name)
        if spans:
            window = Window(spans[0].window.since, spans[-1].window.until)
            why = "The API key was changed: it may see other rows."
            coverage.reopen(connection, name, window, why)
            self._tell_reopened(connection, name, window, why, now)

    def _tell_reopened(self, connection: sa.Connection, name: str, window: Window, why: str, now: datetime) -> None:
        draft = coverage_draft(name, EventType.COVERAGE_REOPENED, window, why, now)
        self._event_log.append(connection, [draft], now)


def names(connection: sa.Connection) -> list[str]:
    """Every account that was ever read."""
    return list(connection.execute(sa.select(accounts.c.name).order_by(accounts.c.name)).scalars())


def find(connection: sa.Connection, name: str) -> Account:
    """The account with this name, which must exist."""
    row = connection.execute(sa.select(accounts).where(accounts.c.name == name)).one()
    return _account(row)


def find_or_none(connection: sa.Connection, name: str) -> Account | None:
    """The account with this name, if it was ever polled."""
    row = connection.execute(sa.select(accounts).where(accounts.c.name == name)).first()
    return None if row is None else _account(row)


def fix_start(connection: sa.Connection, source: AccountSource, server_time: datetime) -> None:
    """At the first run: what coverage answers for begins here, for ever."""
    row = _lock(connection, source.name)
    start: int = row.start
    if start == _UNFIXED:
        start = second_of(server_time - DEFAULT_REACH if source.start is None else source.start)
        _set(connection, source.name, start=start)
    # A gap behind the front would be taken for certified and never be read, wherever it came from.
    coverage.want_from(connection, source.name, start)


def relax_lag(connection: sa.Connection, source: AccountSource, server_time: datetime) -> None:
    """Put the lag back to its floor after a quiet day, and up to it where the settings raised it."""
    row = _lock(connection, source.name)
    raised = row.lag_raised_at is not None and server_time < row.lag_raised_at + QUIET_DAY
    wanted = max(row.lag_seconds, source.lag_floor) if raised else source.lag_floor
    if wanted != row.lag_seconds:
        _set(connection, source.name, lag_seconds=wanted)


def note_trouble(connection: sa.Connection, name: str, trouble: str | None, now: datetime) -> None:
    """Why the last poll failed, or that it did not; since when is that of the first in a row."""
    begins = accounts.c.trouble_since.is_(None)
    since = None if trouble is None else sa.case((begins, sa.literal(now, Instant)), else_=accounts.c.trouble_since)
    _set(connection, name, trouble=trouble, trouble_since=since)


def note_clock(
    connection: sa.Connection, name: str, *, server_time: datetime, skew_seconds: float, jumped_since: int | None
) -> None:
    """What the Date of the last answer told; see `worker.reading.source_clock`."""
    _set(connection, name, server_time=server_time, skew_seconds=skew_seconds, jumped_since=jumped_since)


def note_guard_read(connection: sa.Connection, name: str, server_time: datetime) -> None:
    """The guard band was read completely."""
    _set(connection, name, guard_read_at=server_time)


def note_swept(connection: sa.Connection, name: str, now: datetime, report: Mapping[str, object]) -> None:
    """The sweep went through, and found that."""
    _set(connection, name, swept_at=now, sweep_report=dict(report))


def reset_lag(connection: sa.Connection, name: str, lag_seconds: float) -> float:
    """Put the lag back by hand before a quiet day has passed; what it was in force."""
    before = float(_lock(connection, name).lag_seconds)
    _set(connection, name, lag_seconds=lag_seconds, lag_raised_at=None)
    return before


def lock(connection: sa.Connection, name: str) -> None:
    """Serialise with everybody else who writes about this account, until the transaction ends."""
    _row(connection, name)


def _row(connection: sa.Connection, name: str) -> sa.Row[Any] | None:
    return connection.execute(for_update(sa.select(accounts).where(accounts.c.name == name))).first()


def _lock(connection: sa.Connection, name: str) -> sa.Row[Any]:
    return connection.execute(for_update(sa.select(accounts).where(accounts.c.name == name))).one()


def _insert(connection: sa.Connection, source: AccountSource) -> None:
    values = {
        "name": source.name,
        "start": _UNFIXED if source.start is None else second_of(source.start),
        "key_fingerprint": source.key_fingerprint,
        "lag_seconds": source.lag_floor,
    }
    # The savepoint lets two processes that both found none go on with the row of the first.
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(accounts).values(values))
    except sa.exc.IntegrityError:
        pass


def _set(connection: sa.Connection, name: str, **values: object) -> None:
    connection.execute(sa.update(accounts).where(accounts.c.name == name).values(values))


def _account(row: sa.Row[Any]) -> Account:
    return Account(
        name=row.name,
        start=None if row.start == _UNFIXED else row.start,
        lag_seconds=row.lag_seconds,
        server_time=row.server_time,
        guard_read_at=row.guard_read_at,
        stopped_reason=row.stopped_reason,
        trouble=row.trouble,
        trouble_since=row.trouble_since,
        skew_seconds=row.skew_seconds,
        jumped_since=row.jumped_since,
        lag_raised_at=row.lag_raised_at,
        key_fingerprint=row.key_fingerprint,
        swept_at=row.swept_at,
        sweep_report=row.sweep_report,
    )


def _last_seconds(connection: sa.Connection, account: Account, seconds: int) -> Window | None:
    last = coverage.front(connection, account.name)
    if last is None:
        return None
    since = last - seconds + 1
    return window_or_none(since if account.start is None else max(account.start, since), last)
