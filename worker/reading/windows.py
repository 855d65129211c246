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
    PageShape,
    Proved,
    judge_one_answer,
    judge_pass,
    page_moved,
    page_trouble,
)
from worker.reading.normalizer import INBOUND_STATUSES, PRIORITIES, STATUSES
from worker.reading.spans import Window
from worker.reading.window_job import Job, WindowDesk, query_for

# Pages of the longest pass: more would lose more when a row moves, fewer would cost more counting.
MAX_PASS_PAGES = 40
# Parts are sized to this share of one answer, since rows are not spread evenly over time.
ROOM = 0.8
# And to this share of the longest pass: one that turns out too long costs a single request.
PASS_ROOM = 0.95
# How often a pass over one second, or an answer that contradicts itself, is tried in one round.
TRIES = 3

# By what a second is cut that can't be cut in time: how a query is narrowed, and to which values.
_Filter = tuple[Callable[[DeliveryQuery, str], DeliveryQuery], Sequence[str]]
_FILTERS: tuple[_Filter, ...] = (
    (lambda query, value: replace(query, status=value), STATUSES),
    (lambda query, value: replace(query, status_inbound=value), INBOUND_STATUSES),
    (lambda query, value: replace(query, priority=value), PRIORITIES),
)

# Yields after each request.
Steps = Generator[None, None, None]


@dataclass(frozen=True, slots=True)
class _Part:
    """A window to be read. Where its rows were seen to move, no pass is tried: it is cut to fit one answer."""

    window: Window
    moving: bool = False


class WindowReader:
    """Reads windows. Raises the connector's errors, except an answer of a foreign shape: that makes a hole."""

    def __init__(self, desk: WindowDesk) -> None:
        self._desk = desk

    def read(self, job: Job, window: Window) -> Steps:
        """Read the window: every second of it is certified or a hole afterwards (unless its lag grew meanwhile)."""
        work = [_Part(window)]
        while work:
            part = work.pop()
            try:
                parts = yield from self._part(job, part)
            except UnexpectedAnswer as error:
                self._desk.hole(job, part.window, error.sentence)
                parts = []
            work.extend(reversed(parts))

    def _part(self, job: Job, part: _Part) -> Generator[None, None, list[_Part]]:
        """Prove a window or give it up; or the parts that it has to be cut into."""
        window, moving = part.window, part.moving
        page, judged = yield from self._one_answer(job, window)
        total = page.shape.total
        if page.shape.full and total is not None and not moving and total <= MAX_PASS_PAGES * page.shape.size:
            judged = yield from self._pass(job, window, total)
            moving = True
        if isinstance(judged, Proved):
            return []
        if isinstance(judged, FilterNotUnderstood) or not page.shape.full:
            self._desk.hole(job, window, f"{judged.reason[0].upper()}{judged.reason[1:]}.")
            return []
        if window.seconds > 1:
            return _cut(window, page.shape, moving=moving)
        yield from self._floor(job, window, total)
        return []

    def _one_answer(self, job: Job, window: Window) -> Generator[None, None, tuple[ReadPage, Judgement]]:
        """Ask once; again a few times only where a short answer contradicts itself."""
        query = query_for(window)
        for attempt in range(TRIES):
            page = job.source.page(query, 0)
            judged = judge_one_answer(page.shape, asked_by(query))
            if page.shape.total is None and not page.shape.full and isinstance(judged, NotProved):
                page, judged = yield from self._without_total(job, window, page)
            self._desk.keep(job, window, page, "probe", judged if isinstance(judged, Proved) else None)
            yield
            again = isinstance(judged, NotProved) and judged.moved and not page.shape.full
            if not again or attempt == TRIES - 1:
                break
        return page, judged

    def _without_total(
        self, job: Job, window: Window, page: ReadPage
    ) -> Generator[None, None, tuple[ReadPage, Judgement]]:
        """Without X-Total the next page must be empty. The first one is recorded last, with the certificate."""
        query = query_for(window)
        following = job.source.page(query, 1)
        self._desk.keep(job, window, following, "probe")
        yield
        return page, judge_one_answer(page.shape, asked_by(query), following.shape)

    def _pass(self, job: Job, window: Window, total: int | None) -> Generator[None, None, Judgement]:
        """Read page after page until a short one. It ends early where a page shows that the rows moved."""
        query = query_for(window)
        shapes: list[PageShape] = []
        while True:
            page = job.source.page(query, len(shapes))
            shapes.append(page.shape)
            judged: Judgement | None = page_trouble(page.shape, asked_by(query))
            if judged is None:
                judged = page_moved(page.shape, total, shapes[0].size)
            if judged is None and (not page.shape.full or len(shapes) > MAX_PASS_PAGES):
                judged = judge_pass(total, shapes, asked_by(query))
            self._desk.keep(job, window, page, "pass", judged if isinstance(judged, Proved) else None)
            yield
            if judged is not None:
                return judged

    def _floor(self, job: Job, window: Window, total: int | None) -> Steps:
        """A second that can't be cut in time: by filters, then passes again, then a hole."""
        if total is None:
            # Nothing can be proved, but what can be seen is taken.
            yield from self._pass(job, window, None)
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
        page, judged = yield from self._one_answer(job, window)
        if isinstance(judged, Proved) or page.shape.total is None:
            return judged
        return (yield from self._pass(job, window, page.shape.total))

    def _by_filters(self, job: Job, window: Window, total: int) -> Generator[None, None, Judgement]:
        """The parts by status, inbound status and priority must add up to the whole, counted before and after."""
        query = query_for(window)
        found = yield from self._filtered(job, window, query, _FILTERS)
        if found is None:
            return NotProved("a second holds more rows of one status than one answer")
        page = job.source.page(query, 0)
        judged: Judgement = _sum_of_parts(page.shape, total, found)
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


def _sum_of_parts(whole: PageShape, total_before: int, found: set[str]) -> Judgement:
    if whole.age > 0:
        return NotProved("the answer came from a cache")
    if whole.total != total_before or len(found) != total_before:
        reason = f"the parts hold {len(found)} records of {total_before}, counted again as {whole.total}"
        return NotProved(reason, moved=True)
    return Proved(FILTERS, total_before)


def _cut(window: Window, shape: PageShape, *, moving: bool) -> list[_Part]:
    """Parts sized from X-Total to fit one answer where rows move, else the longest pass. Halves where it is missing."""
    fits = shape.size * (ROOM if moving else PASS_ROOM * MAX_PASS_PAGES)
    count = 2 if shape.total is None else max(2, math.ceil(shape.total / max(1.0, fits)))
    return [_Part(piece, moving) for piece in window.parts(count)]
