"""Gathering: the rows of one second from pages in whatever order, until as many distinct ones came as there are.

A closed second can only lose rows. Counted alike before and after, it lost none in between; and where that many
distinct records came, all of them did - also from a source that deals its pages anew for every request.
"""

import math
from collections.abc import Generator
from dataclasses import dataclass, field

from worker.reading.account_source import asked_by
from worker.reading.certificates import PAGES, Judgement, Proved, judge_parts, page_trouble
from worker.reading.read_page import ReadPage
from worker.reading.spans import Window
from worker.reading.window_job import Job, WindowDesk, query_for

# How often the pages are gone through in one round. Dealt anew each time, ten pages are complete after seven rounds on
# average, and nearly always after twelve.
ROUNDS = 12


@dataclass(slots=True)
class _Found:
    """What came since the rows were last counted differently."""

    total: int
    identities: set[str] = field(default_factory=set)

    def add(self, page: ReadPage) -> None:
        """Take what came; where rows have left, begin anew with those that are there."""
        if page.shape.total is not None and page.shape.total != self.total:
            self.total, self.identities = page.shape.total, set()
        else:
            self.identities.update(page.shape.identities)

    @property
    def complete(self) -> bool:
        """Whether as many came as were counted."""
        return len(self.identities) >= self.total


def gathered(desk: WindowDesk, job: Job, window: Window, total: int, size: int) -> Generator[None, None, Judgement]:
    """Read the window, counted before as `total`, over and over in pages of `size`; gives way after each request."""
    query, found = query_for(window), _Found(total)
    pages = math.ceil(total / size)
    for request in range(ROUNDS * pages):
        page = job.source.page(query, request % pages)
        trouble = page_trouble(page.shape, asked_by(query))
        found.add(page)
        desk.keep(job, window, page, PAGES)
        yield
        if trouble is not None:
            return trouble
        if found.complete:
            break
    return (yield from _judged(desk, job, window, found))


def _judged(desk: WindowDesk, job: Job, window: Window, found: _Found) -> Generator[None, None, Judgement]:
    """Count once more, after everything came."""
    query = query_for(window)
    page = job.source.page(query, 0)
    judged = judge_parts(found.total, found.identities, page.shape, asked_by(query), PAGES)
    desk.keep(job, window, page, PAGES, judged if isinstance(judged, Proved) else None)
    yield
    return judged
