"""When `run --until-idle` ends, how long failures wait, and how much may be out at once."""

from random import Random

import pytest

from tests.clocks import ManualClock
from worker.kinds import MIRROR_JITTER, MIRROR_SCHEDULE
from worker.mirror import next_wait
from worker.runtime.backoff import WAITS, wait_after
from worker.runtime.idleness import Due
from worker.runtime.relay import limits_of
from worker.runtime.slots import PLACES
from worker.runtime.waiting import UntilIdle, Verdict

NOTHING = Due(tasks=0, orders=0, firings=0)


class Reading:
    """Accounts as a test wants them."""

    def __init__(self, *, caught_up: bool = True, trouble: str | None = None, refusal: str | None = None) -> None:
        self.is_caught_up = caught_up
        self.told = trouble
        self.refused = refusal

    def caught_up(self) -> bool:
        """As the test said."""
        return self.is_caught_up

    def trouble(self) -> str | None:
        """As the test said."""
        return self.told if self.refused is None else self.refused

    def refusal(self) -> str | None:
        """As the test said."""
        return self.refused


class Work:
    """Work in progress."""

    def __init__(self, busy: int = 0) -> None:
        self.busy = busy


def _waiting(reading: Reading, *, due: Due = NOTHING, busy: int = 0, clock: ManualClock | None = None) -> UntilIdle:
    return UntilIdle(
        reading=reading,
        due=lambda _patience: due,
        engine=Work(busy),
        clock=ManualClock() if clock is None else clock,
        patience_seconds=120.0,
    )


def test_it_ends_once_everything_is_read_and_nothing_is_due() -> None:
    """Nothing but schedules is left."""
    assert _waiting(Reading()).look() is Verdict.IDLE


@pytest.mark.parametrize(
    "due",
    [Due(tasks=1, orders=0, firings=0), Due(tasks=0, orders=1, firings=0), Due(tasks=0, orders=0, firings=1)],
)
def test_it_goes_on_while_anything_is_due(due: Due) -> None:
    """A task, an order or a firing that is due within the patience is waited for."""
    assert _waiting(Reading(), due=due).look() is Verdict.GO_ON


def test_it_goes_on_while_a_worker_is_at_something() -> None:
    """What is being done may lead to more."""
    assert _waiting(Reading(), busy=1).look() is Verdict.GO_ON


def test_it_goes_on_while_an_account_is_not_read_yet() -> None:
    """Nothing due means nothing while changes may lie unread."""
    assert _waiting(Reading(caught_up=False)).look() is Verdict.GO_ON


def test_an_account_that_cannot_be_reached_is_waited_for_as_long_as_the_patience() -> None:
    """A short outage is sat out; a long one is told."""
    clock = ManualClock()
    waiting = _waiting(Reading(caught_up=False, trouble="no connection"), clock=clock)
    first = waiting.look()
    clock.advance(121)

    assert (first, waiting.look()) == (Verdict.GO_ON, Verdict.UNREACHABLE)


def test_trouble_that_passed_does_not_count() -> None:
    """The patience begins anew with the next outage."""
    clock, reading = ManualClock(), Reading(caught_up=False, trouble="no connection")
    waiting = _waiting(reading, clock=clock)
    waiting.look()
    reading.told = None
    waiting.look()
    reading.told = "no connection"
    clock.advance(121)

    assert waiting.look() is Verdict.GO_ON


def test_an_account_that_refuses_us_is_not_waited_for() -> None:
    """A person must act; waiting does not help."""
    assert _waiting(Reading(caught_up=False, refusal="wrong key")).look() is Verdict.UNREACHABLE


def test_failures_wait_longer_each_time_and_never_more_than_an_hour_and_a_bit() -> None:
    """A glitch is over in a second, an outage is asked after every hour."""
    waits = [wait_after(attempts, Random(1)) for attempts in range(1, 12)]  # noqa: S311 - jitter

    assert all(least <= wait <= least * 1.2 for least, wait in zip(WAITS, waits, strict=False))
    assert max(waits) <= 3600 * 1.2


class _Least(Random):
    """Jitter of nothing."""

    def uniform(self, a: float, b: float) -> float:
        """The lower end."""
        del b
        return a


def test_a_receiver_may_ask_for_more_time_and_never_for_less() -> None:
    """Retry-After is obeyed where it is longer than the schedule."""
    assert next_wait(MIRROR_SCHEDULE, 1, None, _Least()) == MIRROR_SCHEDULE[0]
    assert next_wait(MIRROR_SCHEDULE, 1, 600, _Least()) == 600
    assert next_wait(MIRROR_SCHEDULE, 4, 1, _Least()) == MIRROR_SCHEDULE[3]
    assert next_wait(MIRROR_SCHEDULE, 40, None, _Least()) == MIRROR_SCHEDULE[-1]


def test_events_that_failed_together_do_not_come_back_together() -> None:
    """Each wait is stretched by up to a tenth, never cut."""
    random = Random(1)  # noqa: S311 - jitter
    waits = {next_wait(MIRROR_SCHEDULE, 5, None, random) for _ in range(50)}
    scheduled = MIRROR_SCHEDULE[4]

    assert len(waits) == 50
    assert all(scheduled <= wait <= scheduled * (1 + MIRROR_JITTER) for wait in waits)


@pytest.mark.parametrize("threads", [1, 2, 4, 8, 16])
def test_every_lane_may_send_something_whatever_the_number_of_threads(threads: int) -> None:
    """A lane without room would never get on."""
    assert all(limit > 0 for limit in limits_of(threads).values())


def test_no_lane_can_take_every_thread() -> None:
    """Firings, orders and jobs leave a thread to each other's messages."""
    messages = {"firing": 2, "orders": 2, "jobs": 1, "long_jobs": 2}
    sizes = {"firing": 1, "orders": 4, "jobs": 1, "long_jobs": 1}
    limits = limits_of(8)

    assert {lane: limits[lane] for lane in messages} == {lane: messages[lane] * sizes[lane] for lane in messages}
    assert sum(messages.values()) < 8


def test_no_more_events_are_out_than_there_are_places_for() -> None:
    """Whatever the threads: posts have their own. What waits for its second try never fills the lane of first ones."""
    assert limits_of(1)["mirror"] == limits_of(16)["mirror"] >= PLACES.first
    assert limits_of(1)["mirror_tried"] == PLACES.again
    assert limits_of(None)["mirror"] == 2 * limits_of(1)["mirror"]
