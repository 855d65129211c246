"""Estimates of where rows lie."""

from hypothesis import given
from hypothesis import strategies as st

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
