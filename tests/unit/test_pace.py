"""The pace of a receiver: learnt from its answers, one by one after a refusal, not at all while it asks for that."""

import pytest

from worker.pace import LONGEST_SECONDS, REFUSALS, UNNAMED_SECONDS, Pace


class Watch:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """Now."""
        return self.seconds


@pytest.fixture
def watch() -> Watch:
    """A stopped watch."""
    return Watch()


@pytest.fixture
def pace(watch: Watch) -> Pace:
    """A pace of at most 40."""
    return Pace(most=40, monotonic=watch)


def _refused(pace: Pace, *wishes: float | None) -> None:
    """Refuse until the receiver is about to be left alone, and go on with these wishes."""
    for _ in range(REFUSALS - 1):
        pace.too_much(1.0)
    for wish in wishes:
        pace.too_much(wish)


def test_good_answers_double_what_may_be_out(pace: Pace) -> None:
    """A few at first, then as many as there may be."""
    allowed = []
    for _ in range(5):
        allowed.append(pace.allowed)
        pace.went_well()

    assert allowed == [4, 8, 16, 32, 40]


def test_one_refusal_lets_them_go_one_by_one_and_pauses_nobody(pace: Pace) -> None:
    """It may be about its subject alone; the next good answer says so."""
    pace.too_much(3600.0)

    assert (pace.allowed, pace.pause) == (1, 0.0)


def test_refusals_in_a_row_leave_the_receiver_alone_for_as_long_as_it_asks(pace: Pace, watch: Watch) -> None:
    """The longest wish counts; afterwards they go one by one, and one more refusal is enough."""
    _refused(pace)
    for wish in (30.0, 60.0, 20.0):
        pace.too_much(wish)
    paused = pace.pause
    watch.seconds += 60.0
    afterwards = (pace.pause, pace.allowed)
    pace.too_much(40.0)

    assert paused == 60.0
    assert afterwards == (0.0, 1)
    assert pace.pause == 40.0


def test_a_receiver_that_asks_for_hours_is_asked_again_after_minutes(pace: Pace) -> None:
    """By one event, which may be welcome; those that were refused wait for as long as they were told."""
    _refused(pace, 3600.0)

    assert pace.pause == LONGEST_SECONDS


def test_a_good_answer_between_refusals_pauses_nobody(pace: Pace) -> None:
    """Some subjects are refused, the receiver as a whole is not."""
    for _ in range(10):
        _refused(pace)
        pace.went_well()

    assert pace.pause == 0.0


def test_a_receiver_that_names_no_time_is_left_alone_for_a_little(pace: Pace) -> None:
    """429 without Retry-After."""
    _refused(pace, None)

    assert pace.pause == UNNAMED_SECONDS


def test_a_receiver_can_be_left_alone_at_once(pace: Pace) -> None:
    """After 410 nothing more leaves the process."""
    pace.leave_alone(5.0)

    assert pace.pause == 5.0
