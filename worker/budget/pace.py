"""How fast turns are given: what a 429 and an outage change, and how it goes back. No I/O."""

from datetime import datetime, timedelta
from random import Random

# Turns are given 2 % slower than the limit: a limiter exactly at it is answered 429 by clock differences alone.
MARGIN = 1.02
# After a 429 without a hint the next turn waits this long, in seconds: a little more than the documented second …
THROTTLED_SECONDS = 1.5
# … and up to half as long again, so that several installations under one limit do not come back together.
_JITTER = 0.5
# Each 429 makes turns that much slower, four times at most: a quarter of the limit is below any miscount of it.
_SLOWER = 1.25
_SLOWEST = 4.0
# Each quiet minute takes one such step back.
_QUIET = timedelta(minutes=1)
# 429s that come together are one: they were all asked for at the old pace.
_TOGETHER = timedelta(seconds=2)
# Requests in a row without an answer from which on only one is out at a time: one call with its repeats.
OUTAGE_FAILURES = 3
# The wait between two of those doubles up to this many turns: half a minute at one request a second.
_MOST_TURNS = 30.0
# Longer than a client waits for a silent server, in seconds: whoever asked and has not told by then is gone.
PROBE_SECONDS = 35.0
# Numbers for this many seconds are taken at once, which costs one commit: above a few requests a second only.
_BLOCK_SECONDS = 0.25
# Where turns come faster than that, for longer: a commit then waits for whoever writes what was read, and nobody reads
# meanwhile. Another process waits as long for its first turn.
_FAST_INTERVAL = 0.02
_FAST_BLOCK_SECONDS = 1.0


def slowed_now(slowed: float, throttled_at: datetime | None, now: datetime) -> float:
    """How many times slower than the settings turns are given at present."""
    if throttled_at is None:
        return 1.0
    steps = max(0, (now - throttled_at) // _QUIET)
    return float(max(1.0, slowed / _SLOWER ** min(steps, 100)))


def slowed_more(slowed: float, throttled_at: datetime | None, now: datetime) -> float:
    """The same after a 429."""
    before = slowed_now(slowed, throttled_at, now)
    if throttled_at is not None and now - throttled_at < _TOGETHER:
        return before
    return min(_SLOWEST, before * _SLOWER)


def wait_after_429(wish: float | None, random: Random) -> float:
    """Seconds before anybody asks again: what the server wished, or our own guess."""
    return THROTTLED_SECONDS * (1 + random.uniform(0, _JITTER)) if wish is None else wish


def wait_in_outage(failures: int, interval: float, random: Random) -> float:
    """Seconds until the next one may find out whether the system answers again."""
    turns = min(_MOST_TURNS, 2.0 ** max(0, failures - OUTAGE_FAILURES))
    return interval * turns * (1 + random.uniform(0, _JITTER))


def numbers_at_once(interval: float) -> int:
    """How many turns are taken with one commit."""
    seconds = _FAST_BLOCK_SECONDS if interval < _FAST_INTERVAL else _BLOCK_SECONDS
    return max(1, int(seconds / interval))
