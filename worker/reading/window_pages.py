"""The pages of a window: how it is probed with one answer, and read with a pass."""

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

from connectors.errors import ConnectorError
from connectors.logistic_cloud import DeliveryQuery
from worker.reading.account_source import AccountSource, asked_by
from worker.reading.ahead import Ahead
from worker.reading.certificates import (
    Judgement,
    NotProved,
    PageShape,
    Proved,
    judge_one_answer,
    judge_pass,
    page_trouble,
)
from worker.reading.pace import MAX_PAGES
from worker.reading.read_page import ReadPage
from worker.reading.spans import Window
from worker.reading.window_job import Job, WindowDesk, query_for

# How often an answer that contradicts itself is asked for in one round.
TRIES = 3

# So many pages of a pass are kept together, if each comes within so many seconds: what they write into the same pages
# of an index is written once. Nobody waits for more, which would leave less to be done while others are asked for.
TOGETHER = 4
PATIENCE_SECONDS = 0.05

# A page of a pass, and the judgement once there is one.
JudgedPage = tuple[ReadPage, Judgement | None]
# What asking for one answer found.
Probe = tuple[ReadPage, Judgement]


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass came to, after how many pages, and what those told: the last count, and the seconds of their rows."""

    judged: Judgement
    pages: int
    total: int | None
    stamps: Sequence[int]


@dataclass(slots=True)
class _Pass:
    """A pass under way over what was counted as `total`."""

    query: DeliveryQuery
    total: int | None
    shapes: list[PageShape] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    # In the order of the list: rows that came before a page broke the pass.
    stamps: list[int] = field(default_factory=list)

    def add(self, shape: PageShape) -> Judgement | None:
        """Take the next page; the judgement once there is one."""
        self.shapes.append(shape)
        judged: Judgement | None = page_trouble(shape, asked_by(self.query)) or self._moved(shape)
        self.seen.update(shape.identities)
        if judged is None and (not shape.full or len(self.shapes) > self._longest(shape)):
            judged = judge_pass(self.total, self.shapes, asked_by(self.query))
        return judged

    def read(self, source: AccountSource) -> Iterator[JudgedPage]:
        """Page after page with what it brings the judgement to, until there is one. One request each."""
        with contextlib.closing(source.pages(self.query, self.total)) as pages:
            for page in pages:
                judged = self.add(page.shape)
                self.stamps.extend(page.seconds)
                yield page, judged
                if judged is not None:
                    return

    def _moved(self, shape: PageShape) -> NotProved | None:
        """Only to end early: what is seen here would be seen at the end."""
        if self.total is None:
            return None
        if shape.total != self.total:
            return NotProved(f"X-Total changed from {self.total} to {shape.total}", moved=True)
        return None if self.seen.isdisjoint(shape.identities) else NotProved("a record came on two pages", moved=True)

    def _longest(self, shape: PageShape) -> int:
        return MAX_PAGES if self.total is None else self.total // max(1, shape.size)


class WindowPages:
    """Asks for the pages of windows. Its methods give way after each request."""

    def __init__(self, desk: WindowDesk) -> None:
        self._desk = desk

    def probe(self, job: Job, window: Window, *, counting: bool = False) -> Generator[None, None, Probe]:
        """Ask once; again a few times only where a short answer contradicts itself.

        `counting`: where a pass follows, which begins with the same rows, only the count was wanted.
        """
        query = query_for(window)
        for attempt in range(TRIES):
            page = job.source.page(query, 0)
            judged = judge_one_answer(page.shape, asked_by(query))
            if page.shape.total is None and not page.shape.full and isinstance(judged, NotProved):
                page, judged = yield from self._without_total(job, window, page)
            if counting and job.passes(window, page.shape):
                job.tally.requests += 1
            else:
                self._desk.keep(job, window, page, "probe", judged if isinstance(judged, Proved) else None)
            yield
            again = isinstance(judged, NotProved) and judged.moved and not page.shape.full
            if not again or attempt == TRIES - 1:
                break
        return page, judged

    def through(self, job: Job, window: Window, total: int | None) -> Generator[None, None, Passed]:
        """Read page after page until a short one; `total` is what was counted before."""
        reading = _Pass(query_for(window), total)
        judged: Judgement | None = None
        pages = Ahead(reading.read(job.source), job.source.ahead)
        try:
            while judged is None:
                page, judged = self._next(job, pages)
                proved = judged if isinstance(judged, Proved) else None
                patience = PATIENCE_SECONDS if len(job.gathered) + 1 < TOGETHER else 0.0
                more = judged is None and pages.comes(patience)
                self._desk.keep(job, window, page, "pass", proved, more=more)
                yield
        finally:
            pages.close()
        return Passed(judged, len(reading.shapes), reading.shapes[-1].total, reading.stamps)

    def _next(self, job: Job, pages: Ahead[JudgedPage]) -> JudgedPage:
        try:
            return next(pages)
        except ConnectorError:
            # What came before the trouble is kept.
            self._desk.keep_gathered(job)
            raise

    def _without_total(self, job: Job, window: Window, page: ReadPage) -> Generator[None, None, Probe]:
        """Without X-Total the next page must be empty. The first one is recorded last, with the certificate."""
        query = query_for(window)
        following = job.source.page(query, 1)
        self._desk.keep(job, window, following, "probe")
        yield
        return page, judge_one_answer(page.shape, asked_by(query), following.shape)
