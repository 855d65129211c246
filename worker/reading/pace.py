"""How many rows a window should hold, reckoned from how often rows move and how well windows were aimed (DESIGN §4).

A pass costs a request more for its count, and all that it had read where a row moves. A window that fits one answer
costs what it leaves empty, and more where it holds more than was thought. What is cheaper is reckoned anew for each
window; it decides only what reading costs, never what is proved.
"""

import math
from dataclasses import dataclass, field

# Pages of the first pass: its count costs a fortieth.
FIRST_PAGES = 40
# Pages of the longest pass: its count costs next to nothing, what it holds in memory and loses in a crash stays small.
MAX_PAGES = 120
# A window with up to this many times the rows that a pass may have is read all the same: cutting costs more.
PASS_SLACK = 1.5
# What windows may be meant to hold, in pages: up to an answer, or a pass.
_ANSWERS = (0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)
_PASSES = (2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 28, FIRST_PAGES, 56, 80, MAX_PAGES)
# Before anything is known: so few rows move that a first pass of forty pages is best, and one that holds says more.
_FIRST_BREAKS, _FIRST_EXPOSURE = 0.004, 215.0
# Of what passes taught, so much is still believed after the next one; answers take the doubt away a little.
_REMEMBERED, _CALMED = 0.96, 0.99
# Rows that move in the course of a pass, on average, from which on it is not tried: cutting costs less then.
_HOPELESS = 0.5
# By how much windows for an answer and for a pass are thought to be missed before any was aimed: standard deviation of
# the logarithm.
_ANSWER_MISS, _PASS_MISS = 0.12, 0.25
# The share of the latest miss in what is believed, and that by which what is not used goes back to its beginning.
_LATEST, _FADING = 0.15, 0.02
# A miss by more than this factor tells of something else (a count that was wrong, a gap), in logarithm.
_WILD = 0.7
# Standard deviations by which an aim may be missed, and how likely each is: five points do for a mean.
_MISSES = ((-1.5, 0.12), (-0.75, 0.22), (0.0, 0.32), (0.75, 0.22), (1.5, 0.12))
# Of the pages of a pass that breaks, so many were read in vain on average; the last page of any is half empty.
_IN_VAIN, _LAST_PAGE = 0.55, 0.5
# Requests a page where a window turns out too large for a pass and is cut, beside the one that showed it.
_CUT = 1.7


@dataclass(slots=True)
class _Aim:
    """How far windows of one kind were missed: the variance of the logarithm of what came to what was expected."""

    usual: float
    variance: float = field(init=False)

    def __post_init__(self) -> None:
        self.variance = self.usual**2

    def took(self, expected: float, came: int) -> None:
        """One was counted."""
        miss = max(-_WILD, min(_WILD, math.log(max(came, 0.5) / max(expected, 0.5))))
        self.variance += _LATEST * (miss**2 - self.variance)

    def fade(self) -> None:
        """None was: what was learnt may be over."""
        self.variance += _FADING * (self.usual**2 - self.variance)


@dataclass(slots=True)
class Pace:
    """What the windows of a job have taught about the next ones."""

    # Passes that broke, and for how many pages times requests rows of a pass were exposed to moving; both fade.
    _breaks: float = _FIRST_BREAKS
    _exposure: float = _FIRST_EXPOSURE
    _answers: _Aim = field(default_factory=lambda: _Aim(_ANSWER_MISS))
    _passes: _Aim = field(default_factory=lambda: _Aim(_PASS_MISS))

    def passed(self, pages: float, read: int, *, held: bool) -> None:
        """A pass over so many pages was read through, or broke when `read` of them had been."""
        self._breaks = self._breaks * _REMEMBERED + (0.0 if held else 1.0)
        self._exposure = self._exposure * _REMEMBERED + pages * read

    def aimed(self, expected: float, came: int, size: int) -> None:
        """A window that was meant to hold `expected` rows, with answers of `size`, holds `came`."""
        hit, other = (self._answers, self._passes) if expected <= size else (self._passes, self._answers)
        hit.took(expected, came)
        other.fade()
        if hit is self._answers:
            self._breaks *= _CALMED

    def wanted(self, size: int) -> float:
        """Rows that the next window should hold, with answers of `size` rows."""
        return size * max((*_ANSWERS, *(pages for pages in _PASSES if self._hopeful(pages))), key=self._worth)

    def suits(self, total: int, size: int) -> bool:
        """Whether a pass over so many rows is worth trying."""
        pages = total / size
        return pages <= PASS_SLACK * MAX_PAGES and self._hopeful(pages)

    def _hopeful(self, pages: float) -> bool:
        return self._moves(pages) < _HOPELESS

    def _moves(self, pages: float) -> float:
        """Rows of so many pages that move while they are read, on average."""
        return self._breaks / self._exposure * pages**2

    def _worth(self, pages: float) -> float:
        """Pages proved for each request where windows are meant to hold so many."""
        spread = math.sqrt((self._answers if pages < 1 else self._passes).variance)
        likely = [(pages * math.exp(spread * miss), chance) for miss, chance in _MISSES]
        return sum(came * chance for came, chance in likely) / sum(
            self._requests(came) * chance for came, chance in likely
        )

    def _requests(self, pages: float) -> float:
        """What a window that holds so many pages takes, on average."""
        if pages < 1:
            return 1.0
        if not self._hopeful(pages):
            return 2.0 + _CUT * pages
        return 1.0 + (pages + _LAST_PAGE) * (1.0 + _IN_VAIN * (math.exp(self._moves(pages)) - 1.0))
