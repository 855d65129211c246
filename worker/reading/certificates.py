"""Certificates: when is a window proved to have been read completely? Pure judgements over pages (DESIGN §4).

What is asked must be closed: rows can leave it, none can enter. Then a pass that starts after a count of N and finds N
distinct records has seen every record that was there when it was counted; the other conditions are checked because a
source that breaks them does not behave as described, and then nothing is proved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# A row may lie this far outside of what was asked before the filter counts as not understood: fractions and ends.
_TOLERANCE = timedelta(seconds=1)

ONE_ANSWER = "one_answer"
PAGES = "pass"
FILTERS = "filters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The span of `updatedAt` that a request asked for; an end that is None is open."""

    low: datetime | None
    high: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageShape:
    """A page as far as proofs depend on it: who was on it in order, and the ends of their stamps.

    `size` is the page size in force: the server's X-PageSize, else what was asked.
    """

    identities: tuple[str, ...]
    oldest: datetime | None
    newest: datetime | None
    total: int | None
    size: int
    age: int

    @property
    def rows(self) -> int:
        """How many records came."""
        return len(self.identities)

    @property
    def full(self) -> bool:
        """Whether there may be more behind it."""
        return self.rows >= self.size


@dataclass(frozen=True, slots=True)
class Proved:
    """The set was read completely; `rows` distinct records."""

    kind: str
    rows: int


@dataclass(frozen=True, slots=True)
class NotProved:
    """Not proved, with the reason. `moved` says that the rows moved, so that reading less at once may help."""

    reason: str
    moved: bool = False


@dataclass(frozen=True, slots=True)
class FilterNotUnderstood:
    """A row lies outside of what was asked: the source does not filter as described, and splitting won't help."""

    reason: str


Judgement = Proved | NotProved | FilterNotUnderstood


def judge_one_answer(page: PageShape, asked: Asked, next_page: PageShape | None = None) -> Judgement:
    """Whether one answer holds the whole set. `next_page` is needed only where X-Total is missing: it must be empty."""
    trouble = page_trouble(page, asked)
    if trouble is not None:
        return trouble
    if page.full:
        return NotProved("more rows than one answer holds")
    if len(set(page.identities)) != page.rows:
        return NotProved("a record came twice in one answer", moved=True)
    if page.total is None:
        return _without_total(page, asked, next_page)
    if page.total != page.rows:
        return NotProved(f"X-Total says {page.total} and {page.rows} rows came", moved=True)
    return Proved(ONE_ANSWER, page.rows)


def _without_total(page: PageShape, asked: Asked, next_page: PageShape | None) -> Judgement:
    if next_page is None:
        return NotProved("X-Total is missing and the next page was not read")
    trouble = page_trouble(next_page, asked)
    if trouble is not None:
        return trouble
    if next_page.rows:
        return NotProved("rows came after a page that was not full", moved=True)
    return Proved(ONE_ANSWER, page.rows)


def judge_pass(total_before: int | None, pages: Sequence[PageShape], asked: Asked) -> Judgement:
    """Whether the pages, read one after the other from page 0, hold the whole set of `total_before` records.

    `total_before` is the X-Total of an answer received before page 0 was asked for.
    """
    if total_before is None:
        return NotProved("X-Total is missing")
    for page in pages:
        trouble = page_trouble(page, asked) or page_moved(page, total_before, pages[0].size)
        if trouble is not None:
            return trouble
    if any(not page.full for page in pages[:-1]) or not pages or pages[-1].full:
        return NotProved("the pages do not end with a short one", moved=True)
    distinct = set[str]().union(*(page.identities for page in pages))
    if len(distinct) != total_before or sum(page.rows for page in pages) != total_before:
        return NotProved(f"{len(distinct)} distinct records came of {total_before}", moved=True)
    return Proved(PAGES, total_before)


def page_trouble(page: PageShape, asked: Asked) -> NotProved | FilterNotUnderstood | None:
    """Why this page can prove nothing, whatever it is part of."""
    if page.age > 0:
        return NotProved(f"the answer came from a cache (Age {page.age})")
    too_old = asked.low is not None and page.oldest is not None and page.oldest < asked.low - _TOLERANCE
    too_new = asked.high is not None and page.newest is not None and page.newest > asked.high + _TOLERANCE
    if too_old or too_new:
        stray = page.oldest if too_old else page.newest
        return FilterNotUnderstood(f"a row stamped {stray:%Y-%m-%dT%H:%M:%SZ} lies outside of what was asked for")
    return None


def page_moved(page: PageShape, total_before: int | None, size: int) -> NotProved | None:
    """Whether a page of a pass shows that rows moved since they were counted."""
    if page.total != total_before:
        return NotProved(f"X-Total changed from {total_before} to {page.total}", moved=True)
    if page.size != size:
        return NotProved(f"X-PageSize changed from {size} to {page.size}", moved=True)
    return None
