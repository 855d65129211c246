"""The source's clock: what the Date of an answer tells, and what follows where it steps or jumps (DESIGN §4).

Only the server's time counts. Ours serves to see that the server's jumped ahead, and to tell a person of the skew.
"""

from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.reading import accounts, coverage
from worker.reading.accounts import QUIET_DAY, Account, Accounts
from worker.reading.spans import window_or_none

# How far a `Date` may be before one received earlier: servers behind one address differ by that much.
STEP_BACK = timedelta(seconds=2)
# Clocks this far apart are told, in seconds: nothing is read wrongly, since the server's alone counts for that, but
# signatures and due times go by ours.
SKEW_SECONDS = 30.0
# From this change of skew on, one of the two clocks was set: answers are rarely so slow, and the guard band holds what
# a smaller change hides.
JUMP = timedelta(seconds=5)


class SourceClock:
    """Keeps the server's time of accounts, and acts where it went wrong. Methods take the caller's transaction."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def note(
        self, connection: sa.Connection, name: str, *, received: datetime, asked_after: datetime | None, now: datetime
    ) -> bool:
        """Keep the server's time and our skew. True if the clock stepped back behind `asked_after`.

        `asked_after` is a time received before the request was sent. After a step back, what was judged by the wrong
        time is forgotten, and the lag is raised.
        """
        account = accounts.find(connection, name)
        skew = (received - now).total_seconds()
        stepped_back = asked_after is not None and received < asked_after - STEP_BACK
        latest = account.server_time
        accounts.note_clock(
            connection,
            name,
            server_time=received if latest is None or stepped_back else max(latest, received),
            skew_seconds=skew,
            jumped_since=_jumped_since(account, skew, now),
        )
        if is_skewed(skew) and not is_skewed(account.skew_seconds):
            self._accounts.tell_skew(connection, name, skew_text(skew), now)
        if stepped_back:
            self._step_back(connection, name, received, now)
        if stepped_back or _jumped(account.skew_seconds, skew) < 0:
            self._reopen_since_jump(connection, name, received, now)
        return stepped_back

    def _step_back(self, connection: sa.Connection, name: str, received: datetime, now: datetime) -> None:
        why = "The server's clock stepped back."
        self._accounts.raise_lag(connection, name, server_time=received, now=now, why=why)
        coverage.retreat(connection, name, accounts.find(connection, name).closed_end(received))

    def _reopen_since_jump(self, connection: sa.Connection, name: str, received: datetime, now: datetime) -> None:
        """The Date was put back after a jump ahead: what was certified since then went by a wrong time.

        It may have been put back in part only, so the jump is not forgotten; nor can the Date tell by itself when polls
        are further apart than it was ahead.
        """
        account = accounts.find(connection, name)
        closed = account.closed_end(received)
        wrong = None if account.jumped_since is None else window_or_none(account.jumped_since, closed)
        if wrong is None or wrong.seconds > QUIET_DAY.total_seconds():
            return
        why = "The server's clock was ahead of ours for a while, and was put back."
        self._accounts.reopen(connection, name, wrong, why, now)


def skew_text(seconds: float) -> str:
    """The difference of the two clocks as a sentence with the remedy."""
    way = "ahead of" if seconds > 0 else "behind"
    return f"The server's clock is {abs(seconds):.0f} s {way} ours: synchronise this machine's clock."


def is_skewed(seconds: float | None) -> bool:
    """Whether clocks that differ by that much are worth telling."""
    return seconds is not None and abs(seconds) > SKEW_SECONDS


def _jumped(before: float | None, skew: float) -> int:
    """1 where the Date jumped ahead of our clock, -1 where it fell behind, 0 where nothing happened."""
    change = skew - (0.0 if before is None else before)
    return 0 if abs(change) <= JUMP.total_seconds() else 1 if change > 0 else -1


def _jumped_since(account: Account, skew: float, now: datetime) -> int | None:
    """From where on certificates go by a Date that had jumped ahead; for a day, and only if it is put back."""
    if _jumped(account.skew_seconds, skew) <= 0:
        return account.jumped_since
    # What was certified up to now went by a time from before the jump. At the first answer only our clock can tell.
    since = account.closed_end(now if account.server_time is None else account.server_time) + 1
    recent = account.jumped_since is not None and since - account.jumped_since <= QUIET_DAY.total_seconds()
    return account.jumped_since if recent else since
