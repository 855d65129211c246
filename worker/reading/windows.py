"""The window reader: reads closed windows of source time until each is certified or a hole (DESIGN §4).

One request after another: its methods are generators that give way after each, so that the tail is read in between.
What fits one answer is proved by it; more is proved by a pass; where rows move, windows are cut in time to fit one
answer with room; a single second is cut by filters, then gathered in any order; what still can't be proved is a hole.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from connectors.errors import UnexpectedAnswer
from connectors.logistic_cloud import DeliveryQuery
from worker.reading.account_source import asked_by
from worker.reading.certificates import (
    FILTERS,
    FilterNotUnderstood,
    Judgement,
    NotProved,
    Proved,
    judge_one_answer,
    judge_parts,
)
from worker.reading.gathering import gathered
from worker.reading.normalizer import INBOUND_STATUSES, PRIORITIES, STATUSES
from worker.reading.parts import Part
from worker.reading.spans import Window
from worker.reading.window_job import Job, WindowDesk, query_for
from worker.reading.window_pages import Passed, WindowPages

# How often a pass over one second is tried in one round.
TRIES = 3

# By what a second is cut that can't be cut in time: how a query is narrowed, and to which values.
_Filter = tuple[Callable[[DeliveryQuery, str], DeliveryQuery], Sequence[str]]
_FILTERS: tuple[_Filter, ...] = (
    (lambda query, value: replace(query, status=value), STATUSES),
    (lambda query, value: replace(query, status_inbound=value), INBOUND_STATUSES),
    (lambda query, value: replace(query, priority=value), PRIORITIES),
)

# A value that nobody documented is found by no filter of its field: then the second is cut by the others alone.
_CUTS: tuple[tuple[_Filter, ...], ...] = (_FILTERS, _FILTERS[1:], (_FILTERS[0], _FILTERS[2]))

# Yields after each request.
Steps = Generator[None, None, None]


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
        work = [Part(window=window, size=job.source.page_size)]
        while work and not job.overtaken:
            part = work.pop()
            first, rest = part.carved(job.pace)
            try:
                came, parts = yield from self._part(job, first)
            except UnexpectedAnswer as error:
                self._desk.hole(job, first.window, error.sentence)
                came, parts = None, []
            work.extend([] if rest is None else [_rest(job, part, first, rest, came)])
            work.extend(reversed(parts))

    def _part(self, job: Job, part: Part) -> Generator[None, None, tuple[int | None, list[Part]]]:
        """Prove a window or give it up; or the parts that it has to be cut into. Also how many rows were counted."""
        window = part.window
        page, judged = yield from self._pages.probe(job, window, counting=True)
        total, size = page.shape.total, page.shape.size
        stamps: Sequence[int] = page.seconds
        if total is not None and job.passes(window, page.shape):
            passed = yield from self._passes(job, window, total, size)
            judged, stamps = passed.judged, passed.stamps
        if isinstance(judged, Proved):
            return total, []
        if isinstance(judged, FilterNotUnderstood) or not page.shape.full:
            self._desk.hole(job, window, f"{judged.reason[0].upper()}{judged.reason[1:]}.")
            return total, []
        if window.seconds > 1:
            return total, part.told(total, size, stamps)
        yield from self._floor(job, window, total)
        return total, []

    def _passes(self, job: Job, window: Window, total: int, size: int) -> Generator[None, None, Passed]:
        """Read a pass, and more while they are worth trying; the last one. The count of a broken one is the next's."""
        # What can't be cut in time is cut by filters before it is tried again.
        tries = TRIES if window.seconds > 1 else 1
        while True:
            passed = yield from self._pages.through(job, window, total)
            job.pace.passed(total / size, passed.pages, held=isinstance(passed.judged, Proved))
            tries -= 1
            moved = isinstance(passed.judged, NotProved) and passed.judged.moved
            if not moved or passed.total is None or not tries or not job.pace.suits(passed.total, size):
                return passed
            total = passed.total

    def _floor(self, job: Job, window: Window, total: int | None) -> Steps:
        """A second that can't be cut in time: by filters, then page by page until all came, then a hole."""
        if total is None:
            # Nothing can be proved, but what can be seen is taken.
            yield from self._pages.through(job, window, None)
            self._desk.hole(job, window, "The source sends no X-Total, and a second holds more rows than one answer.")
            return
        judged: Judgement = NotProved("it was not cut yet")
        for filters in _CUTS:
            judged = yield from self._by_filters(job, window, total, filters)
            if isinstance(judged, Proved):
                return
        judged = yield from self._gathered(job, window)
        if not isinstance(judged, Proved):
            self._desk.hole(job, window, f"The rows of one second kept moving: {judged.reason}.")

    def _gathered(self, job: Job, window: Window) -> Generator[None, None, Judgement]:
        page, judged = yield from self._pages.probe(job, window)
        if isinstance(judged, Proved) or page.shape.total is None:
            return judged
        return (yield from gathered(self._desk, job, window, page.shape.total, page.shape.size))

    def _by_filters(
        self, job: Job, window: Window, total: int, filters: Sequence[_Filter]
    ) -> Generator[None, None, Judgement]:
        """The parts by status, inbound status and priority must add up to the whole, counted before and after."""
        query = query_for(window)
        found = yield from self._filtered(job, window, query, filters)
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


def _rest(job: Job, part: Part, first: Part, rest: Part, came: int | None) -> Part:
    """What is left behind a piece, now that its rows were counted."""
    if came is not None and first.meant is not None:
        job.pace.aimed(first.meant, came, part.size)
    return rest.after(first, part.expected(rest), came)
