import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.reading.spans import Span, Window, gaps, merged, paint, window_or_none
from worker.states import CoverageState

WINDOWS = st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda ends: Window(ends[0], sum(ends)))
STATES = st.sampled_from(CoverageState)


def seconds(spans: list[Span]) -> dict[int, CoverageState]:
    """What is known of each second."""
    return {second: span.state for span in spans for second in range(span.window.since, span.window.until + 1)}


def test_a_window_cannot_end_before_it_begins() -> None:
    """A window holds at least one second."""
    with pytest.raises(ValueError, match="cannot end"):
        Window(2, 1)


@given(st.lists(st.tuples(WINDOWS, STATES), max_size=12))
def test_painting_is_like_painting_seconds(strokes: list[tuple[Window, CoverageState]]) -> None:
    """Laying spans over each other says of every second what the last span on it said; nothing overlaps."""
    spans: list[Span] = []
    expected: dict[int, CoverageState] = {}
    for window, state in strokes:
        spans = paint(spans, Span(window=window, state=state))
        expected.update(dict.fromkeys(range(window.since, window.until + 1), state))

    assert seconds(spans) == expected
    assert sum(span.window.seconds for span in spans) == len(expected)
    assert merged(spans) == spans


@given(st.lists(WINDOWS, max_size=8), WINDOWS)
def test_gaps_are_the_seconds_that_nothing_is_said_about(windows: list[Window], within: Window) -> None:
    """Gaps and spans together are the whole window."""
    spans: list[Span] = []
    for window in windows:
        spans = paint(spans, Span(window=window, state=CoverageState.PENDING))
    known = seconds(spans)
    found = {second for gap in gaps(spans, within) for second in range(gap.since, gap.until + 1)}

    assert found == {second for second in range(within.since, within.until + 1) if second not in known}


@given(WINDOWS, st.integers(-1, 40))
def test_parts_are_the_whole_in_order(window: Window, count: int) -> None:
    """Cutting a window loses no second and makes none twice."""
    parts = window.parts(count)

    assert [second for part in parts for second in range(part.since, part.until + 1)] == list(
        range(window.since, window.until + 1)
    )
    assert len(parts) == max(1, min(count, window.seconds))


def test_certified_neighbours_become_one_and_add_up() -> None:
    """The table stays small: neighbours merge, their counts and kinds of proof are joined."""
    certified = CoverageState.CERTIFIED
    left = Span(window=Window(0, 9), state=certified, proof="one_answer", rows=3, requests=1)
    right = Span(window=Window(10, 19), state=certified, proof="pass", rows=600, requests=4)

    assert paint([left], right) == [
        Span(window=Window(0, 19), state=certified, proof="one_answer+pass", rows=603, requests=5)
    ]


def test_holes_merge_only_where_they_are_tried_again_together() -> None:
    """A hole tells how often it was tried, and when it is tried again."""
    left = Span(window=Window(0, 0), state=CoverageState.HOLE, reason="moved", tries=1)
    same = Span(window=Window(1, 1), state=CoverageState.HOLE, reason="moved", tries=1)
    other = Span(window=Window(2, 2), state=CoverageState.HOLE, reason="moved", tries=2)

    assert [span.window for span in merged([left, same, other])] == [Window(0, 1), Window(2, 2)]


def test_counts_stay_with_the_first_piece_of_a_cut_span() -> None:
    """Counts are never told twice."""
    whole = Span(window=Window(0, 9), state=CoverageState.CERTIFIED, proof="pass", rows=5, requests=2)
    pieces = paint([whole], Span(window=Window(4, 5), state=CoverageState.PENDING))

    assert [piece.rows for piece in pieces] == [5, 0, 0]


def test_no_window_holds_no_second() -> None:
    """What would be empty is None."""
    assert window_or_none(5, 4) is None
