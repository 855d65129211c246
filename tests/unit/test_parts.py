"""How much of a window is read next: the pace that is learnt, and the parts that are cut by it."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.reading.pace import FIRST_PAGES, MAX_PAGES, Pace
from worker.reading.parts import MISSES, Part
from worker.reading.share import FILL_REQUESTS, FILL_SECONDS, MOST_FILL_SECONDS, QUIET_FILL_SECONDS, Share
from worker.reading.spans import Window

SIZE = 250
WINDOW = Window(0, 9999)


def taught(passes: Iterable[tuple[float, int, bool]] = (), aims: Iterable[tuple[float, int]] = ()) -> Pace:
    """A pace after passes (pages, pages read, whether it held) and aims (rows meant, rows that came)."""
    pace = Pace()
    for pages, read, held in passes:
        pace.passed(pages, read, held=held)
    for meant, came in aims:
        pace.aimed(meant, came, SIZE)
    return pace


def test_the_first_pass_is_long_and_those_after_it_grow_to_the_longest_while_they_hold() -> None:
    """On a quiet source the count before a pass is nearly all that is paid."""
    assert taught().wanted(SIZE) == FIRST_PAGES * SIZE
    assert taught([(40, 40, True)]).wanted(SIZE) == 80 * SIZE
    assert taught([(40, 40, True), (80, 80, True)]).wanted(SIZE) == MAX_PAGES * SIZE


def test_where_rows_move_windows_fit_an_answer_with_room() -> None:
    """As long as they can be aimed well, that costs least."""
    wanted = taught([(40, 3, False), (6, 3, False)], [(200, 205), (200, 190)] * 5).wanted(SIZE)

    assert 0.6 * SIZE <= wanted <= 0.9 * SIZE


def test_where_rows_move_and_windows_are_missed_short_passes_are_read() -> None:
    """A pass bears a window that holds twice what was meant; an answer does not."""
    wanted = taught([(40, 3, False), (6, 6, True)] * 3, [(200, 600), (200, 40)] * 5).wanted(SIZE)

    assert 2 * SIZE <= wanted <= 12 * SIZE


def test_where_most_passes_break_none_is_tried_until_many_answers_fitted() -> None:
    """Each try costs what it has read; the doubt fades, since rows may have come to rest."""
    pace = taught([(4, 1, False)] * 20)
    hopeless = pace.suits(3 * SIZE, SIZE)
    for _ in range(300):
        pace.aimed(200, 200, SIZE)

    assert not hopeless
    assert pace.suits(3 * SIZE, SIZE)


@pytest.mark.parametrize("seconds", [1, 2, 1000])
def test_without_a_count_a_window_is_halved(seconds: int) -> None:
    """Down to the second."""
    parts = Part(window=Window(0, seconds - 1), size=SIZE).told(None, SIZE, [])

    assert len(parts) == min(2, seconds)
    assert sum(part.window.seconds for part in parts) == seconds


def test_a_list_in_the_order_of_its_stamps_is_cut_where_its_first_rows_end() -> None:
    """A thousand rows, whose first hundred lie in the first hundred seconds."""
    pace = taught([(4, 2, False)] * 20)
    (part,) = Part(window=WINDOW, size=100).told(1000, 100, range(100))
    first, rest = part.carved(pace)

    assert first.window.since == 0
    assert 40 <= first.window.until < 100
    assert rest is not None
    assert rest.window == Window(first.window.until + 1, 9999)


def test_a_list_with_the_newest_first_is_read_from_its_end() -> None:
    """There its first rows lie, so there it is known where to cut: the mirror image of the other order."""
    pace = taught([(4, 2, False)] * 20)
    (part,) = Part(window=WINDOW, size=100).told(1000, 100, range(9999, 9899, -1))
    first, rest = part.carved(pace)

    assert first.window.until == 9999
    assert 9899 < first.window.since <= 9959
    assert rest is not None
    assert rest.window == Window(0, first.window.since - 1)
    assert rest.after(first, part.expected(rest), 90).carved(pace)[0].window.until == first.window.since - 1


def test_a_count_that_pieces_contradict_is_taken_anew() -> None:
    """An X-Total that was far too high would otherwise have a month cut into single seconds."""
    (part,) = Part(window=Window(0, 9_999_999), size=100).told(100_000, 100, [])
    for _ in range(MISSES):
        first, rest = part.carved(Pace())
        assert rest is not None
        part = rest.after(first, part.expected(rest), 300)

    assert part.spread is None


@given(
    st.integers(2, 5000),
    st.lists(st.integers(-5, 1005), max_size=30),
    st.lists(st.tuples(st.floats(0.5, 30), st.integers(1, 30), st.booleans()), max_size=8),
    st.lists(st.integers(0, 3000), min_size=1, max_size=8),
    st.sampled_from([1, -1]),
)
def test_pieces_and_rests_always_make_up_the_window(
    total: int, stamps: list[int], passes: list[tuple[float, int, bool]], came: list[int], way: int
) -> None:
    """Whatever was told and whatever came, no second is left out or read twice."""
    pace = taught(passes)
    left: Part | None = Part(window=Window(0, 999), size=10).told(total, 10, sorted(stamps)[::way])[0]
    read: list[Window] = []
    for rows in came:
        if left is None:
            break
        first, rest = left.carved(pace)
        read.append(first.window)
        pace.aimed(10 if first.meant is None else first.meant, rows, 10)
        left = None if rest is None else rest.after(first, left.expected(rest), rows)
    everything = [*read, *([] if left is None else [left.window])]

    seconds = [second for window in everything for second in range(window.since, window.until + 1)]
    assert sorted(seconds) == list(range(1000))


def test_a_poll_fills_for_half_a_minute_and_twice_as_long_while_nothing_new_is_seen() -> None:
    """At one request a second; a tail that shows something brings it back at once."""
    share = Share(lag_seconds=60)
    first = share.is_done(FILL_REQUESTS, FILL_REQUESTS), share.is_done(1, MOST_FILL_SECONDS)
    share.tail_was_read(quiet=True)
    quiet = share.is_done(FILL_REQUESTS, FILL_REQUESTS), share.is_done(50, 59), share.is_done(1, QUIET_FILL_SECONDS)
    share.tail_was_read(quiet=False)

    assert first == (True, True)
    assert quiet == (False, False, True)
    assert share.is_done(FILL_REQUESTS, FILL_SECONDS)


def test_with_a_short_lag_the_guard_band_is_read_no_later_for_that() -> None:
    """It is due once per lag, and was never put off by more than the longest fill."""
    share = Share(lag_seconds=20)
    share.tail_was_read(quiet=True)

    assert share.is_done(1, MOST_FILL_SECONDS)
