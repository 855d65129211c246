"""Counts and accounts in the words of a person, for `status` and the live view."""

from collections.abc import Mapping

from worker.customers.overview import CustomersStatus
from worker.reading.source_clock import is_skewed, skew_text
from worker.runtime.progress import some
from worker.runtime.status import AccountStatus

# Units of time by their length in seconds, the longest first.
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def in_words(counts: Mapping[str, int]) -> str:
    """Such as `1 open · 11 complete`; states that nothing is in are left out."""
    return " · ".join(f"{count} {state.replace('_', ' ')}" for state, count in some(counts).items()) or "none"


def things(counts: Mapping[str, int]) -> str:
    """Such as `1 order · 2 firings`, of counts by the plural of what is counted; what there is none of is left out."""
    told = (f"{count} {name.removesuffix('s') if count == 1 else name}" for name, count in some(counts).items())
    return " · ".join(told) or "none"


def duration(seconds: float) -> str:
    """Such as `3 d 4 h`, `1 min 5 s` or `7 s`: two units at most."""
    left, parts = round(seconds), []
    for name, length in _UNITS:
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) if parts else "0 s"


def reading(account: AccountStatus) -> str:
    """How far behind the account is, and what is wrong with it."""
    lag = "not read yet" if account.lag_seconds is None else f"{account.lag_seconds:.0f} s behind"
    holes = f"{account.holes} {'hole' if account.holes == 1 else 'holes'}" if account.holes else ""
    pending = f"{account.pending} {'span' if account.pending == 1 else 'spans'} to read" if account.pending else ""
    stopped = "" if account.stopped is None else f"stopped: {account.stopped}"
    waiting = "" if account.waiting_seconds is None else waits(account.account, account.waiting_seconds)
    trouble = "" if account.trouble is None else f"cannot be read: {account.trouble}"
    pace = f"slowed to {account.requests_per_second:.2f} requests/s after 429" if account.slowed else ""
    skew = account.skew_seconds
    clock = skew_text(skew) if skew is not None and is_skewed(skew) else ""
    return " · ".join(
        part for part in (lag, holes, pending, pace, clock, stopped, waiting, trouble, _sweep(account)) if part
    )


def waits(host: str, seconds: float) -> str:
    """That it has not answered yet."""
    return f"waits for an answer of {host} since {duration(seconds)}"


def customers(account: CustomersStatus) -> str:
    """How many customer orders are open, how old the oldest reading of one is, and what is wrong."""
    polled = "not read yet" if account.polled_at is None else f"polled {account.polled_at:%Y-%m-%dT%H:%M:%SZ}"
    open_ = f"{account.open} open of {account.orders}"
    oldest = account.longest_unread_at
    since = "" if oldest is None else f"each read since {oldest:%Y-%m-%dT%H:%M:%SZ}"
    unread = f"{account.unread} never read by id" if account.unread else ""
    wanted = f"{account.wanted} to be read now" if account.wanted else ""
    stopped = "" if account.stopped is None else f"stopped: {account.stopped}"
    return " · ".join(part for part in (polled, open_, since, unread, wanted, stopped) if part)


def _sweep(account: AccountStatus) -> str:
    """When it was swept last, and how much of that polling had not seen."""
    if account.swept_at is None or account.sweep is None:
        return ""
    found = len(account.sweep["findings"]) + account.sweep["vanished"]
    unread = f", {len(account.sweep['unread'])} not read completely" if account.sweep["unread"] else ""
    told = f"{found} not seen by polling" if found else "nothing that polling had not seen"
    return f"swept {account.swept_at:%Y-%m-%dT%H:%M:%SZ}: {told}{unread}"
