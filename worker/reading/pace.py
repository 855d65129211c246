"""How long passes may be: as long as they hold, since each costs a request more for its count (DESIGN §4).

A pass that holds lets the next one be twice as long; one that rows broke costs what it had read, so the next ends
before. Where passes don't pay at all, windows are cut to fit one answer.
"""

from dataclasses import dataclass

# Pages of the first pass: its count costs a fortieth.
FIRST_PAGES = 40
# Pages of the longest pass: its count costs an eightieth, and what it holds in memory and loses in a crash stays small.
MAX_PAGES = 80
# Pages of the shortest pass: below, windows that fit one answer cost less.
MIN_PAGES = 6
# Answers in a row that hold whole windows before a pass is tried again.
ANSWERS_BEFORE_PASS = 30
# Parts are sized to this share of one answer, since rows are not spread as was thought.
ANSWER_ROOM = 0.8
# A window with up to this many times the rows that a pass is meant for is read all the same: cutting costs more.
PASS_SLACK = 1.5


@dataclass(slots=True)
class Pace:
    """Pages of the next pass; 1 means that windows have to fit one answer."""

    pages: int = FIRST_PAGES
    # Answers in a row that are waited for before a pass is tried again; more each time that it was in vain.
    _patience: int = ANSWERS_BEFORE_PASS
    _answers: int = 0
    _broken: bool = False

    def held(self, pages: int) -> None:
        """A pass of so many pages was not disturbed. Where one was before, the next ones grow slowly."""
        longer = pages + MIN_PAGES if self._broken else 2 * pages
        self.pages = min(MAX_PAGES, max(self.pages, longer))

    def broke(self, page: int) -> None:
        """A row moved by the time the pass had read `page` pages."""
        half = min(self.pages, page) // 2
        self._broken = True
        self._answers = 0
        if half >= MIN_PAGES:
            self.pages = half
            return
        if self.pages <= 2 * MIN_PAGES:
            self._patience *= 2
        self.pages = 1

    def answered(self) -> None:
        """A window fitted one answer."""
        self._answers += 1
        if self.pages == 1 and self._answers >= self._patience:
            self.pages, self._answers = MIN_PAGES, 0

    def wanted(self, size: int, *, moving: bool) -> float:
        """Rows that the next part should hold, with answers of `size` rows."""
        return size * ANSWER_ROOM if moving or self.pages == 1 else float(size * self.pages)

    def suits(self, total: int, size: int) -> bool:
        """Whether a pass over so many rows is worth trying."""
        return self.pages > 1 and total <= PASS_SLACK * self.pages * size
