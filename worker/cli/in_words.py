"""Counts and accounts in the words of a person, for `status` and the live view."""

from collections.abc import Mapping

from worker.reading.accounts import SKEW_SECONDS, skew_text
from worker.runtime.progress import some
from worker.runtime.status import AccountStatus


def in_words(counts: Mapping[str, int]) -> str:
    """Such as `1 open · 11 complete`; states that nothing is in are left out."""
    return " · ".join(f"{count} {state.replace('_', ' ')}" for state, count in some(counts).items()) or "none"


def reading(account: AccountStatus) -> str:
    """How far behind the account is, and what is wrong with it."""
    lag = "not read yet" if account.lag_seconds is None else f"{account.lag_seconds:.0f} s behind"
    holes = f"{account.holes} {'hole' if account.holes == 1 else 'holes'}" if account.holes else ""
    pending = f"{account.pending} {'span' if account.pending == 1 else 'spans'} to read" if account.pending else ""
    stopped = "" if account.stopped is None else f"stopped: {account.stopped}"
    trouble = "" if account.trouble is None else f"cannot be read: {account.trouble}"
    pace = f"slowed to {account.requests_per_second:.2f} requests/s after 429" if account.slowed else ""
    skew = account.skew_seconds
    clock = skew_text(skew) if skew is not None and abs(skew) > SKEW_SECONDS else ""
    return " · ".join(part for part in (lag, holes, pending, pace, clock, stopped, trouble) if part)
