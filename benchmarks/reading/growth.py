"""The third table: how memory and time of waybill's first reading grow with the account."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.reading.first_reading import Reading, measure
from benchmarks.reading.lineup import Peer
from benchmarks.reading.telling import Row, shown

SIZES = (10_000, 100_000, 1_000_000)


# How often each size but the largest is read before it, and again after it.
REPEATS = 2


def grow(peer: Peer, sizes: Sequence[int]) -> list[Reading]:
    """First readings of each size, all but the largest before and after it: a machine gets slower while it works."""
    *smaller, largest = sorted(sizes)
    before = [measure([peer], size, REPEATS)[0] for size in smaller]
    last = measure([peer], largest, 1)[0]
    after = [measure([peer], size, REPEATS)[0] for size in smaller]
    return [*map(_between, before, after), last]


def _between(before: Reading, after: Reading) -> Reading:
    return replace(
        before,
        requests=max(before.requests, after.requests),
        seconds=(before.seconds + after.seconds) / 2,
        cpu_seconds=(before.cpu_seconds + after.cpu_seconds) / 2,
        peak_mb=(before.peak_mb + after.peak_mb) / 2,
    )


def as_rows(readings: Sequence[Reading]) -> list[Row]:
    """The table as people read it; ratios are against the line above."""
    head = ("rows", "requests / minimum", "seconds", "time ratio", "CPU s", "peak MB", "memory against the smallest")
    return [head, *(_as_row(readings, before, now) for before, now in itertools.pairwise([None, *readings]))]


def _as_row(readings: Sequence[Reading], before: Reading | None, now: Reading | None) -> Row:
    assert now is not None
    return (
        f"{now.rows:,}",
        f"{now.requests} / {now.minimum}",
        shown(now.seconds, 1),
        "" if before is None else shown(now.seconds / before.seconds, 2),
        shown(now.cpu_seconds, 1),
        shown(now.peak_mb, 0),
        shown(now.peak_mb / readings[0].peak_mb, 2),
    )
