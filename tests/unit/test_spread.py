"""Estimates of where rows lie, and how long passes may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.reading.pace import ANSWER_ROOM, ANSWERS_BEFORE_PASS, FIRST_PAGES, MAX_PAGES, MIN_PAGES, Pace
from worker.reading.spans import Window
from worker.reading.spread import Spread, alike, even, misled, next_second, seen

WINDOW = Window(0, 999)


def at(spread: Spread, *seconds: int) -> list[int]:
    """About how many rows lie up to these seconds."""
    return [round(spread.rows_until(second)) for second in seconds]


def test_nothing_known_means_evenly() -> None:
    """Half of the rows lie in half of the time."""
    spread = even(WINDOW, 1000)

    assert at(spread, 249, 499, 999) == [250, 500, 1000]
    assert spread.second_of(250) == 249


def test_rows_in_the_order_of_their_stamps_are_the_first_ones() -> None:
    """A page of ten that all lie in the first hundred seconds: the ninety others lie behind them."""
    spread = seen(WINDOW, 100, list(range(0, 100, 10)))

    assert at(spread, 40, 90, 999) == [5, 10, 100]
    assert spread.second_of(5) == 40


def test_rows_in_the_opposite_order_are_the_last_ones() -> None:
    """A page of ten that all lie in the last hundred seconds: the ninety others lie before them."""
    spread = seen(WINDOW, 100, list(range(990, 890, -10)))

    assert at(spread, 899, 990) == [90, 100]
    assert spread.second_of(90) == 899


def test_rows_in_any_other_order_are_a_sample() -> None:
    """Where every second row of a page lies in a tenth of the time, every second row of the window is thought to."""
    spread = seen(WINDOW, 1000, [5, 800, 15, 200, 25, 600, 35, 400, 45, 950])

    assert 400 < spread.rows_until(100) < 600
    assert spread.second_of(450) < 100


def test_what_is_left_has_as_many_rows_as_are_left() -> None:
    """A piece that held fewer rows than thought leaves more for the rest."""
    rest = even(WINDOW, 1000).after(499, 800)

    assert rest.window == Window(500, 999)
    assert at(rest, 749, 999) == [400, 800]


def test_after_a_surprise_the_next_stretch_is_thought_to_be_like_the_last() -> None:
    """Between the density of the piece and that of the rest."""
    spread = alike(Window(100, 999), 900, Window(0, 99), 400)

    assert misled(100, 400)
    assert not misled(100, 120)
    assert spread.total == 900
    assert 199 / 4 < spread.second_of(200) - 99 < 200


def test_the_piece_just_read_is_believed_more_than_a_rough_sample() -> None:
    """Up to a factor; beyond it both are."""
    thin = even(Window(100, 999), 900)

    assert next_second(thin, 200, Window(0, 99), 200) == 199
    assert next_second(thin, 100, Window(0, 99), 1) > 199


@given(
    st.lists(st.integers(-5, 1005), max_size=30),
    st.integers(0, 5000),
    st.floats(0, 6000),
    st.integers(0, 998),
)
def test_a_cut_always_leaves_something_on_both_sides(stamps: list[int], total: int, wanted: float, cut: int) -> None:
    """Whatever was seen, estimates stay within the window, and they never fall."""
    spread = seen(WINDOW, total, stamps)
    rest = spread.after(cut, total / 2)

    assert WINDOW.since <= spread.second_of(wanted) < WINDOW.until
    assert list(spread.rows) == sorted(spread.rows)
    assert list(spread.seconds) == sorted(set(spread.seconds))
    assert rest.window == Window(cut + 1, WINDOW.until)
    assert rest.total == total / 2


def test_passes_that_hold_grow_and_those_that_break_shrink() -> None:
    """Up to a bound; below another one windows fit one answer, until enough of them did in a row."""
    pace = Pace()
    pace.held(FIRST_PAGES)
    grown = pace.pages
    pace.broke(30)
    shorter = pace.pages
    pace.held(15)
    slowly = pace.pages
    pace.broke(3)
    given_up = pace.pages
    for _ in range(ANSWERS_BEFORE_PASS):
        pace.answered()

    assert (grown, shorter, slowly, given_up) == (MAX_PAGES, 15, 15 + MIN_PAGES, 1)
    assert pace.pages == MIN_PAGES


def test_a_pass_in_vain_is_tried_again_later_and_later() -> None:
    """Where rows move at every request, trying costs little."""
    pace = Pace(pages=MIN_PAGES)
    pace.broke(1)
    for _ in range(ANSWERS_BEFORE_PASS):
        pace.answered()

    assert pace.pages == 1


@pytest.mark.parametrize(("pages", "moving", "rows"), [(40, False, 10_000), (40, True, 200), (1, False, 200)])
def test_parts_fit_a_pass_or_an_answer_with_room(pages: int, *, moving: bool, rows: int) -> None:
    """Sized from X-Total, rather than halved."""
    assert Pace(pages=pages).wanted(250, moving=moving) == rows
    assert ANSWER_ROOM < 1
