"""The window reader: reads closed windows of source time until each is certified or a hole (DESIGN §4).

One request after another: its methods are generators that give way after each, so that the tail is read in between.
What fits one answer is proved by it; more is proved by a pass; where rows move, windows are cut in time to fit one
answer with room; a single second is cut by status, then passes are repeated; what still can't be proved is a hole.
"""

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from connectors.errors import UnexpectedAnswer
from connectors.logistic_cloud import DeliveryQuery
from worker.reading.account_source import ReadPage, asked_by
from worker.reading.certificates import (
    FILTERS,
    FilterNotUnderstood,
    Judgement,
    NotProved,
    Proved,
    judge_one_answer,
    judge_parts,
)
from worker.reading.normalizer import INBOUND_STATUSES, PRIORITIES, STATUSES
from worker.reading.pace import PASS_SLACK, Pace
from worker.reading.spans import Window, second_of
from worker.reading.spread import Spread, alike, misled, next_second, seen
from worker.reading.window_job import Job, WindowDesk, query_for
from worker.reading.window_pages import WindowPages

# How often a pass over one second is tried in one round.
TRIES = 3
# After so many pieces in a row with far fewer rows than expected, what is left is counted anew.
MISSES = 3

# By what a second is cut that can't be cut in time: how a query is narrowed, and to which values.
_Filter = tuple[Callable[[DeliveryQuery, str], DeliveryQuery], Sequence[str]]
_FILTERS: tuple[_Filter, ...] = (
    (lambda query, value: replace(query, status=value), STATUSES),
    (lambda query, value: replace(query, status_inbound=value), INBOUND_STATUSES),
    (lambda query, value: replace(query, priority=value), PRIORITIES),
)

# Yields after each request.
Steps = Generator[None, None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A window to be read. Where its rows were seen to move, no pass is tried: it is cut to fit one answer.

    `spread` is how its rows are thought to lie, None where nobody knows; `full` says that it was seen to hold more than
    an answer, or than a pass should; `size` is that of a page; `before` is the piece just read, and its rows.
    """

    window: Window
    size: int
    moving: bool = False
    spread: Spread | None = None
    full: bool = False
    before: tuple[Window, int] | None = None
    # Pieces in a row that held far fewer rows than the count of the whole promised.
    missed: int = 0

    def carved(self, pace: Pace) -> tuple["_Part", "_Part | None"]:
        """Its first piece, of a size that suits, and the rest, if any."""
        if self.spread is None or self.window.seconds == 1:
            return self, None
        wanted = pace.wanted(self.size, moving=self.moving)
        short = self.moving or pace.pages == 1
        slack = 1.0 if short else PASS_SLACK
        pieces = math.ceil(self.spread.total / wanted) if self.spread.total > wanted * slack else 1
        pieces = max(pieces, 2 if self.full else 1)
        if pieces == 1:
            return self, None
        wanted = self.spread.total / pieces
        if short and self.before is not None:
            return self._cut(self.spread, next_second(self.spread, wanted, *self.before))
        return self._cut(self.spread, self.spread.second_of(wanted))

    def _cut(self, spread: Spread, last: int) -> tuple["_Part", "_Part"]:
        """Cut behind a second; the second part is what is left over until the first one is counted."""
        first = replace(self, window=Window(self.window.since, last), spread=None, full=False, before=None)
        expected = spread.rows_until(last)
        rest = spread.after(last, max(0.0, spread.total - expected))
        return first, replace(self, window=rest.window, spread=rest, full=False)

    def expected(self, rest: "_Part | None") -> float:
        """How many rows its first piece was thought to hold."""
        return (
            0.0 if self.spread is None or rest is None or rest.spread is None else self.spread.total - rest.spread.total
        )

    def after(self, first: Window, expected: float, came: int | None) -> "_Part":
        """What is left, now that the piece before it was counted."""
        if self.spread is None or came is None:
            return self
        total = max(0.0, self.spread.total + expected - came)
        missed = self.missed + 1 if came < expected and misled(expected, came) else 0
        known = replace(self, before=(first, came), missed=missed)
        if missed == MISSES:
            # The count of the whole may have been wrong, and then it is wrong about every second that is left.
            return replace(known, spread=None, before=None, missed=0)
        if misled(expected, came) and came > self.size:
            return replace(known, spread=alike(self.window, total, first, came))
        return replace(known, spread=self.spread.after(self.window.since - 1, total))


class WindowReader:
    """Reads windows. Raises the connector's errors, except an answer of a foreign shape: that makes a hole."""

    def __init__(self, desk: WindowDesk) -> None:
        self._desk = desk
        self._pages = WindowPages(desk)

    def read(self, job: Job, window: Window) -> Steps:
        """Read the window: every second of it is certified or a hole afterwards, unless the lag grew meanwhile.

        Then it ends where it is, and the rest stays pending.
        """
        self._desk.begin(job)
        work = [_Part(window=window, size=job.source.page_size)]
        while work and not job.overtaken:
            part = work.pop()
            first, rest = part.carved(job.pace)
            try:
                came, parts = yield from self._part(job, first)
            except UnexpectedAnswer as error:
                self._desk.hole(job, first.window, error.sentence)
                came, parts = None, []
            work.extend([] if rest is None else [rest.after(first.window, part.expected(rest), came)])
            work.extend(reversed(parts))

    def _part(self, job: Job, part: _Part) -> Generator[None, None, tuple[int | None, list[_Part]]]:
        """Prove a window or give it up; or the parts that it has to be cut into. Also how many rows were counted."""
        window = part.window
        page, judged = yield from self._pages.probe(job, window)
        total, size, moving = page.shape.total, page.shape.size, part.moving
        if isinstance(judged, Proved):
            job.pace.answered()
        if (
            page.shape.full
            and total is not None
            and not moving
            and (job.pace.suits(total, size) or window.seconds == 1)
        ):
            judged, moving = (yield from self._pass(job, window, total)), True
        if isinstance(judged, Proved):
            return total, []
        if isinstance(judged, FilterNotUnderstood) or not page.shape.full:
            self._desk.hole(job, window, f"{judged.reason[0].upper()}{judged.reason[1:]}.")
            return total, []
        if window.seconds > 1:
            return total, _cut(part, page, moving=moving)
        yield from self._floor(job, window, total)
        return total, []

    def _pass(self, job: Job, window: Window, total: int) -> Generator[None, None, Judgement]:
        """Read a pass, and learn from it how long the next ones may be."""
        passed = yield from self._pages.through(job, window, total)
        if isinstance(passed.judged, Proved):
            job.pace.held(passed.pages)
        else:
            job.pace.broke(passed.pages)
        return passed.judged

    def _floor(self, job: Job, window: Window, total: int | None) -> Steps:
        """A second that can't be cut in time: by filters, then passes again, then a hole."""
        if total is None:
            # Nothing can be proved, but what can be seen is taken.
            yield from self._pages.through(job, window, None)
            self._desk.hole(job, window, "The source sends no X-Total, and a second holds more rows than one answer.")
            return
        judged: Judgement = yield from self._by_filters(job, window, total)
        for _attempt in range(TRIES):
            if isinstance(judged, Proved):
                return
            judged = yield from self._counted_pass(job, window)
        if not isinstance(judged, Proved):
            self._desk.hole(job, window, f"The rows of one second kept moving: {judged.reason}.")

    def _counted_pass(self, job: Job, window: Window) -> Generator[None, None, Judgement]:
        page, judged = yield from self._pages.probe(job, window)
        if isinstance(judged, Proved) or page.shape.total is None:
            return judged
        return (yield from self._pages.through(job, window, page.shape.total)).judged

    def _by_filters(self, job: Job, window: Window, total: int) -> Generator[None, None, Judgement]:
        """The parts by status, inbound status and priority must add up to the whole, counted before and after."""
        query = query_for(window)
        found = yield from self._filtered(job, window, query, _FILTERS)
        if found is None:
            return NotProved("a second holds more rows of one status than one answer")
        page = job.source.page(query, 0)
        judged = judge_parts(total, found, page.shape, asked_by(query))
        self._desk.keep(job, window, page, FILTERS, judged if isinstance(judged, Proved) else None)
        yield
        return judged

    def _filtered(
        self, job: Job, window: Window, query: DeliveryQuery, filters: Sequence[_Filter]
    ) -> Generator[None, None, set[str] | None]:
        """The distinct records of all parts, or None if a part can't be proved."""
        (narrowed, values), *deeper = filters
        found: set[str] = set()
        for value in values:
            part = narrowed(query, value)
            page = job.source.page(part, 0)
            self._desk.keep(job, window, page, FILTERS)
            yield
            judged = judge_one_answer(page.shape, asked_by(part))
            if isinstance(judged, Proved):
                found.update(page.shape.identities)
                continue
            inner = None
            if deeper and page.shape.full:
                inner = yield from self._filtered(job, window, part, deeper)
            if inner is None:
                return None
            found |= inner
        return found


def _cut(part: _Part, page: ReadPage, *, moving: bool) -> list[_Part]:
    """What is to be cut, with what its first page told of it. Halves where nothing was counted."""
    if page.shape.total is None:
        return [replace(part, window=half, spread=None, moving=moving) for half in part.window.parts(2)]
    stamps = [second_of(record.stamp) for record in page.records if record.stamp is not None]
    spread = seen(part.window, page.shape.total, stamps)
    return [replace(part, size=page.shape.size, spread=spread, moving=moving, full=True)]
