"""Parts of a window under reading: how much of one is read next, and what each piece tells of the rest. No I/O."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

from worker.reading.pace import Pace
from worker.reading.spans import Window
from worker.reading.spread import Spread, alike, misled, next_second, seen

# After so many pieces in a row with far fewer rows than expected, what is left is counted anew.
MISSES = 3
# A pass is as long as wanted or up to this share of it longer, before it is made two.
_LONGER = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A window to be read.

    `spread` is how its rows are thought to lie, None where nobody knows; `full` says that it was seen to hold more than
    an answer, or than a pass should; `size` is that of a page; `before` is the piece just read, and its rows.

    Where the source lists the newest rows first, its pages tell of the end of a window, so it is read `backward`: from
    its end. Spread and `before` are then on an axis of time that runs the other way.
    """

    window: Window
    size: int
    backward: bool = False
    spread: Spread | None = None
    full: bool = False
    before: tuple[Window, int] | None = None
    # Rows that it is meant to hold, where it is a piece of a window.
    meant: float | None = None
    # Pieces in a row that held far fewer rows than the count of the whole promised.
    missed: int = 0

    def told(self, total: int | None, size: int, stamps: Sequence[int]) -> list[Self]:
        """What is to be cut, now that `total` rows were counted, and the first ones of its list have these seconds.

        Halves where nothing was counted.
        """
        if total is None:
            return [replace(self, window=half, spread=None) for half in self.window.parts(2)]
        backward = _falls(stamps)
        along = [-stamp for stamp in stamps] if backward else list(stamps)
        spread = seen(_along(self.window, backward=backward), total, along)
        return [replace(self, size=size, backward=backward, spread=spread, full=True)]

    def carved(self, pace: Pace) -> tuple["Part", "Part | None"]:
        """Its first piece, of a size that suits, and the rest, if any."""
        if self.spread is None or self.window.seconds == 1:
            return self, None
        wanted = pace.wanted(self.size)
        longer = _LONGER if wanted > self.size else 0.0
        pieces = max(math.ceil(self.spread.total / wanted - longer), 2 if self.full else 1)
        if pieces == 1:
            return self, None
        wanted = self.spread.total / pieces
        if self.before is not None:
            return self._cut(self.spread, next_second(self.spread, wanted, *self.before), wanted)
        return self._cut(self.spread, self.spread.second_of(wanted), wanted)

    def expected(self, rest: "Part | None") -> float:
        """How many rows its first piece was thought to hold."""
        return (
            0.0 if self.spread is None or rest is None or rest.spread is None else self.spread.total - rest.spread.total
        )

    def after(self, first: "Part", expected: float, came: int | None) -> "Part":
        """What is left, now that the piece before it was counted."""
        if self.spread is None or came is None:
            return self
        total = max(0.0, self.spread.total + expected - came)
        missed = self.missed + 1 if came < expected and misled(expected, came) else 0
        before = _along(first.window, backward=self.backward)
        known = replace(self, before=(before, came), missed=missed)
        if missed == MISSES:
            # The count of the whole may have been wrong, and then it is wrong about every second that is left.
            return replace(known, spread=None, before=None, missed=0)
        if misled(expected, came) and came > self.size:
            return replace(known, spread=alike(self.spread.window, total, before, came))
        return replace(known, spread=self.spread.after(self.spread.window.since - 1, total))

    def _cut(self, spread: Spread, last: int, meant: float) -> tuple["Part", "Part"]:
        """Cut behind a second; the second part is what is left over until the first one is counted."""
        first = _along(Window(spread.window.since, last), backward=self.backward)
        rest = spread.after(last, max(0.0, spread.total - spread.rows_until(last)))
        return (
            replace(self, window=first, spread=None, full=False, before=None, meant=meant),
            replace(self, window=_along(rest.window, backward=self.backward), spread=rest, full=False),
        )


def _along(window: Window, *, backward: bool) -> Window:
    """The window on the axis along which it is read, and back."""
    return Window(-window.until, -window.since) if backward else window


def _falls(stamps: Sequence[int]) -> bool:
    """Whether they are listed with the newest first."""
    return len(stamps) > 1 and stamps[0] > stamps[-1] and all(left >= right for left, right in pairwise(stamps))
