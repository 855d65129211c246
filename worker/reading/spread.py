"""How the rows of a window are spread over its seconds, as far as pages have told: an estimate, never a proof.

It only decides where windows are cut; what was cut badly costs a request more.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from worker.reading.spans import Window

# A piece found this many times fuller or emptier than expected means that the estimate told nothing.
MISLED = 1.6
# A page is a rough sample of what lies far ahead: up to this factor the piece read just before is believed instead.
ROUGH = 2.5
# After a surprise the next stretch, this many times as long as the last piece, is taken to be like it.
ALIKE = 4


@dataclass(frozen=True, slots=True)
class Spread:
    """Estimated rows: `rows[i]` of them lie at or before second `seconds[i]`; in between they are spread evenly.

    `seconds` begins with the second before the window and ends with its last one; both grow or stand still.
    """

    seconds: tuple[int, ...]
    rows: tuple[float, ...]

    @property
    def total(self) -> float:
        """All rows of the window."""
        return self.rows[-1]

    @property
    def window(self) -> Window:
        """The window it tells of."""
        return Window(self.seconds[0] + 1, self.seconds[-1])

    def second_of(self, wanted: float) -> int:
        """The second up to which about `wanted` rows lie: never the last one, so that something is left."""
        last = max(self.seconds[0] + 1, self.seconds[-1] - 1)
        index = bisect_left(self.rows, wanted)
        if index >= len(self.rows):
            return last
        low, high = self.rows[max(0, index - 1)], self.rows[index]
        since, until = self.seconds[max(0, index - 1)], self.seconds[index]
        share = 1.0 if high <= low else (wanted - low) / (high - low)
        return min(last, max(self.seconds[0] + 1, since + math.floor(share * (until - since))))

    def rows_until(self, second: int) -> float:
        """About how many rows lie at or before the second."""
        index = min(max(1, bisect_left(self.seconds, second)), len(self.seconds) - 1)
        since, until = self.seconds[index - 1], self.seconds[index]
        low, high = self.rows[index - 1], self.rows[index]
        return low + (high - low) * min(1.0, (second - since) / max(1, until - since))

    def after(self, second: int, total: float) -> "Spread":
        """What is left behind the second, of which `total` rows are now known to be."""
        begin = self.rows_until(second)
        scale = total / max(self.total - begin, 1.0)
        knots = [(at, (rows - begin) * scale) for at, rows in zip(self.seconds, self.rows, strict=True) if at > second]
        return _of([(second, 0.0), *knots[:-1], (self.seconds[-1], total)])


def even(window: Window, total: float) -> Spread:
    """Rows spread evenly."""
    return Spread((window.since - 1, window.until), (0.0, total))


def alike(window: Window, total: float, before: Window, came: int) -> Spread:
    """Of what is left behind a surprise: the next stretch is between the last piece and the mean of the rest."""
    stretch = min(window.seconds, before.seconds * ALIKE)
    density = math.sqrt(max(1, came) / before.seconds * max(total, 1.0) / window.seconds)
    near = min(total, density * stretch)
    return _of([(window.since - 1, 0.0), (window.since - 1 + stretch, near), (window.until, total)])


def seen(window: Window, total: int, stamps: Sequence[int]) -> Spread:
    """What the first pages of `total` rows tell by their stamps (seconds, in the order they came).

    Rows in the order of their stamps are the first ones exactly; in any other order they are a sample.
    """
    inside = [min(max(stamp, window.since), window.until) for stamp in stamps]
    if not inside or total <= len(inside):
        return even(window, total)
    if _grows(inside):
        return _of([(window.since - 1, 0.0), *_counted(inside, 0.0, 1.0), (window.until, float(total))])
    inside.sort()
    weight = total / (len(inside) + 1)
    return _of([(window.since - 1, 0.0), *_counted(inside, 0.0, weight), (window.until, float(total))])


def next_second(spread: Spread, wanted: float, before: Window, came: int) -> int:
    """The second up to which `wanted` rows lie, by how many `came` in the piece before and by the spread."""
    begin = spread.window.since - 1
    by_spread = max(1, spread.second_of(wanted) - begin)
    by_last = wanted * before.seconds / max(1, came)
    alike = by_spread / ROUGH <= by_last <= by_spread * ROUGH
    length = by_last if alike else math.sqrt(by_last * by_spread)
    return min(spread.window.until - 1, begin + max(1, int(length)))


def misled(expected: float, came: int) -> bool:
    """Whether a piece held so many more or fewer rows than expected that the estimate told nothing."""
    return came > expected * MISLED or came * MISLED < expected


def _grows(stamps: Sequence[int]) -> bool:
    return stamps[0] < stamps[-1] and all(left <= right for left, right in pairwise(stamps))


def _counted(stamps: Sequence[int], first: float, weight: float) -> list[tuple[int, float]]:
    return [(stamp, first + weight * (index + 1)) for index, stamp in enumerate(stamps)]


def _of(knots: Sequence[tuple[int, float]]) -> Spread:
    """With one knot a second, the highest one."""
    highest: dict[int, float] = {}
    for second, rows in knots:
        highest[second] = max(rows, highest.get(second, rows))
    return Spread(tuple(highest), tuple(highest.values()))
