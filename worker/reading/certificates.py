"""Certificates: when is a window proved to have been read completely? Pure judgements over pages (DESIGN §4).

What is asked must be closed: rows can leave it, none can enter. Then a pass that starts after a count of N and finds N
distinct records has seen every record that was there when it was counted, whatever moved meanwhile. The other
conditions bite where an answer is odd: one replica behind another, a count that is capped, an answer of a cache.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
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


Trouble = NotProved | FilterNotUnderstood
Judgement = Proved | Trouble


def judge_one_answer(page: PageShape, asked: Asked, next_page: PageShape | None = None) -> Judgement:
    """Whether one answer holds the whole set. `next_page` is needed only where X-Total is missing: it must be empty."""
    trouble = page_trouble(page, asked) or _first(condition(page) for condition in ANSWER_CONDITIONS)
    if trouble is None and page.total is None:
        trouble = _followed_by_nothing(next_page, asked)
    return Proved(ONE_ANSWER, page.rows) if trouble is None else trouble


def judge_pass(total_before: int | None, pages: Sequence[PageShape], asked: Asked) -> Judgement:
    """Whether the pages, read one after the other from page 0, hold the whole set of `total_before` records.

    `total_before` is the X-Total of an answer received before page 0 was asked for.
    """
    if total_before is None:
        return NotProved("X-Total is missing")
    trouble = _first(page_trouble(page, asked) for page in pages)
    trouble = trouble or _first(condition(total_before, pages) for condition in PASS_CONDITIONS)
    return Proved(PAGES, total_before) if trouble is None else trouble


def judge_parts(
    total_before: int, found: Collection[str], whole: PageShape, asked: Asked, kind: str = FILTERS
) -> Judgement:
    """Whether the records found in parts are the whole set, counted before the parts and by an answer after them."""
    trouble = page_trouble(whole, asked)
    trouble = trouble or _first(condition(total_before, found, whole) for condition in PARTS_CONDITIONS)
    return Proved(kind, total_before) if trouble is None else trouble


def page_trouble(page: PageShape, asked: Asked) -> Trouble | None:
    """Why this page can prove nothing, whatever it is part of."""
    return _first(condition(page, asked) for condition in PAGE_CONDITIONS)


def not_from_a_cache(page: PageShape, _asked: Asked) -> NotProved | None:
    """A cache may answer from a time when the window was still open."""
    return NotProved(f"the answer came from a cache (Age {page.age})") if page.age > 0 else None


def within_what_was_asked(page: PageShape, asked: Asked) -> FilterNotUnderstood | None:
    """A source that shows rows from elsewhere may leave out rows from here."""
    too_old = asked.low is not None and page.oldest is not None and page.oldest < asked.low - _TOLERANCE
    too_new = asked.high is not None and page.newest is not None and page.newest > asked.high + _TOLERANCE
    if not too_old and not too_new:
        return None
    stray = page.oldest if too_old else page.newest
    return FilterNotUnderstood(f"a row stamped {stray:%Y-%m-%dT%H:%M:%SZ} lies outside of what was asked for")


def not_full(page: PageShape) -> NotProved | None:
    """Behind a full page there may be more, whatever the count says."""
    return NotProved("more rows than one answer holds") if page.full else None


def nobody_twice(page: PageShape) -> NotProved | None:
    """A record that came twice may stand in the place of one that did not come."""
    twice = len(set(page.identities)) != page.rows
    return NotProved("a record came twice in one answer", moved=True) if twice else None


def counted(page: PageShape) -> NotProved | None:
    """Where there is a count, it is the number of rows that came."""
    if page.total is None or page.total == page.rows:
        return None
    return NotProved(f"X-Total says {page.total} and {page.rows} rows came", moved=True)


def same_count(total_before: int, pages: Sequence[PageShape]) -> NotProved | None:
    """Every page counts as many rows as were counted before the first one."""
    other = next((page.total for page in pages if page.total != total_before), total_before)
    return None if other == total_before else NotProved(f"X-Total changed from {total_before} to {other}", moved=True)


def ended(_total_before: int, pages: Sequence[PageShape]) -> NotProved | None:
    """The last page is short: a count that is capped must not hide what lies behind it."""
    if pages and not pages[-1].full:
        return None
    return NotProved("the pages do not end with a short one", moved=True)


def everybody(total_before: int, pages: Sequence[PageShape]) -> NotProved | None:
    """As many distinct records came as were counted before the first page was asked for."""
    return _as_many(total_before, set[str]().union(*(page.identities for page in pages)))


def everybody_in_parts(total_before: int, found: Collection[str], _whole: PageShape) -> NotProved | None:
    """The parts hold as many records as were counted before them."""
    return _as_many(total_before, found)


def same_count_after(total_before: int, _found: Collection[str], whole: PageShape) -> NotProved | None:
    """The whole is counted as before once its parts were read."""
    return same_count(total_before, [whole])


PAGE_CONDITIONS: tuple[Callable[[PageShape, Asked], Trouble | None], ...] = (
    not_from_a_cache,
    within_what_was_asked,
)
ANSWER_CONDITIONS: tuple[Callable[[PageShape], Trouble | None], ...] = (not_full, nobody_twice, counted)
PASS_CONDITIONS: tuple[Callable[[int, Sequence[PageShape]], Trouble | None], ...] = (same_count, ended, everybody)
PARTS_CONDITIONS: tuple[Callable[[int, Collection[str], PageShape], Trouble | None], ...] = (
    everybody_in_parts,
    same_count_after,
)


def _followed_by_nothing(next_page: PageShape | None, asked: Asked) -> Trouble | None:
    if next_page is None:
        return NotProved("X-Total is missing and the next page was not read")
    came = NotProved("rows came after a page that was not full", moved=True) if next_page.rows else None
    return page_trouble(next_page, asked) or came


def _as_many(total_before: int, found: Collection[str]) -> NotProved | None:
    if len(found) == total_before:
        return None
    return NotProved(f"{len(found)} distinct records came of {total_before}", moved=True)


def _first(troubles: Iterable[Trouble | None]) -> Trouble | None:
    return next((trouble for trouble in troubles if trouble is not None), None)
