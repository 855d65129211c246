from datetime import UTC, datetime, timedelta

import pytest

from worker.reading.certificates import (
    Asked,
    FilterNotUnderstood,
    Judgement,
    NotProved,
    PageShape,
    Proved,
    judge_one_answer,
    judge_parts,
    judge_pass,
)

LOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HIGH = LOW + timedelta(minutes=1)
ASKED = Asked(low=LOW, high=HIGH)


def page(
    *names: str,
    total: int | None = None,
    size: int = 3,
    age: int = 0,
    oldest: datetime | None = LOW,
    newest: datetime | None = LOW,
) -> PageShape:
    """A page of records with these names."""
    return PageShape(identities=names, oldest=oldest, newest=newest, total=total, size=size, age=age)


def not_proved(judged: Judgement) -> bool:
    """Whether it proves nothing."""
    return isinstance(judged, NotProved)


def test_a_short_answer_with_its_own_total_is_proof() -> None:
    """Fewer rows than the page size, and X-Total equal to them."""
    assert judge_one_answer(page("a", "b", total=2), ASKED) == Proved("one_answer", 2)


@pytest.mark.parametrize(
    "shape",
    [
        page("a", "b", "c", total=3),
        page("a", "b", total=3),
        page("a", "b", total=1),
        page("a", "a", total=2),
        page("a", total=1, age=1),
        page("a"),
    ],
    ids=["full", "more counted", "fewer counted", "twice", "cached", "not counted"],
)
def test_any_condition_missing_is_no_proof(shape: PageShape) -> None:
    """A full page, another count, a record twice, an aged answer, no count: each of them proves nothing."""
    assert not_proved(judge_one_answer(shape, ASKED))


def test_without_a_count_the_next_page_must_be_empty() -> None:
    """Where X-Total is missing, a second request takes its place."""
    assert judge_one_answer(page("a"), ASKED, page(oldest=None, newest=None)) == Proved("one_answer", 1)
    assert not_proved(judge_one_answer(page("a"), ASKED, page("b")))
    assert not_proved(judge_one_answer(page("a"), ASKED, page(age=1)))


def test_a_row_outside_of_the_span_means_the_filter_was_not_understood() -> None:
    """A second of tolerance on either side, then it is another set than asked for."""
    second = timedelta(seconds=1)
    old = page("a", total=1, oldest=LOW - 2 * second)
    new = page("a", total=1, newest=HIGH + 2 * second)

    assert isinstance(judge_one_answer(old, ASKED), FilterNotUnderstood)
    assert isinstance(judge_one_answer(new, ASKED), FilterNotUnderstood)
    assert isinstance(judge_one_answer(page("a", total=1, oldest=LOW - second, newest=HIGH + second), ASKED), Proved)
    assert isinstance(judge_one_answer(new, Asked(low=LOW, high=None)), Proved)


def test_a_pass_with_all_that_were_counted_is_proof() -> None:
    """As many distinct records as were counted before, the same count on every page, a short last page."""
    pages = [page("a", "b", "c", total=5), page("d", "e", total=5)]

    assert judge_pass(5, pages, ASKED) == Proved("pass", 5)


def test_a_pass_may_end_with_an_empty_page() -> None:
    """A whole number of pages ends with an empty one."""
    assert judge_pass(3, [page("a", "b", "c", total=3), page(total=3)], ASKED) == Proved("pass", 3)


@pytest.mark.parametrize(
    ("before", "pages"),
    [
        (None, [page("a", total=1)]),
        (6, [page("a", "b", "c", total=5), page("d", "e", total=5)]),
        (5, [page("a", "b", "c", total=5), page("d", "e", total=4)]),
        (5, [page("a", "b", "c", total=5), page("c", "e", total=5)]),
        (5, [page("a", "b", "c", total=5), page("d", total=5)]),
        (3, [page("a", "b", "c", total=3)]),
        (5, [page("a", "b", "c", total=5), page("d", "e", total=5, age=3)]),
        (1, []),
    ],
    ids=[
        "not counted",
        "counted more",
        "count fell",
        "twice",
        "one short",
        "no end",
        "aged",
        "none",
    ],
)
def test_any_condition_of_a_pass_missing_is_no_proof(before: int | None, pages: list[PageShape]) -> None:
    """Every condition of DESIGN §4 (b) is needed."""
    assert not_proved(judge_pass(before, pages, ASKED))


@pytest.mark.parametrize(
    "pages",
    [
        [page("a", "b", total=5), page("c", "d", "e", total=5), page(total=5)],
        [page("a", "b", "c", total=5), page("d", "e", total=5, size=4)],
        [page("a", "b", "c", total=5), page("c", "d", "e", total=5), page(total=5)],
    ],
    ids=["short first", "another size", "one twice"],
)
def test_however_the_pages_were_cut_everybody_is_everybody(pages: list[PageShape]) -> None:
    """As many distinct records as were counted before are all there were: sizes and repeats say nothing more."""
    assert judge_pass(5, pages, ASKED) == Proved("pass", 5)


@pytest.mark.parametrize(
    ("found", "whole"),
    [({"a", "b"}, page(total=3)), ({"a", "b", "c"}, page(total=4)), ({"a", "b", "c"}, page(total=3, age=1))],
    ids=["one not found", "counted more", "aged"],
)
def test_parts_that_do_not_add_up_are_no_proof(found: set[str], whole: PageShape) -> None:
    """Counted before and after, found in between."""
    assert judge_parts(3, {"a", "b", "c"}, page("a", "b", "c", total=3), ASKED) == Proved("filters", 3)
    assert not_proved(judge_parts(3, found, whole, ASKED))


def test_a_row_outside_of_the_span_spoils_a_pass() -> None:
    """A pass over another set than asked for proves nothing about this one."""
    pages = [page("a", total=1, newest=HIGH + timedelta(hours=1))]

    assert isinstance(judge_pass(1, pages, ASKED), FilterNotUnderstood)
