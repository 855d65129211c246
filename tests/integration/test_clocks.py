from datetime import datetime, timedelta

import pytest

from tests.clocks import NOON, ManualClock
from tests.reading_kit import ACCOUNT, Bench
from worker.db import Database
from worker.events import EventType
from worker.reading.accounts import MAX_LAG_SECONDS, find, reset_lag
from worker.reading.spans import Span, second_of
from worker.states import CoverageState

HOUR = 3600.0
DAY = 86400.0


class OtherClock(ManualClock):
    """The worker's clock, so many seconds away from the server's, and set anew by whoever likes to."""

    def __init__(self, server: ManualClock, ahead: float) -> None:
        super().__init__()
        self.server = server
        self.ahead = ahead

    def now(self) -> datetime:
        """The server's time, and what it is off."""
        return self.server.now() + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        """As time passes."""
        return self.server.monotonic()

    def advance(self, seconds: float) -> None:
        """Time passes for both."""
        self.server.advance(seconds)


@pytest.fixture
def bench(sqlite_database: Database) -> Bench:
    """An account that begins a day before noon."""
    return Bench(sqlite_database, ManualClock())


def lag_of(bench: Bench) -> float:
    """The lag in force."""
    with bench.database.read() as connection:
        return find(connection, ACCOUNT).lag_seconds


def history(bench: Bench, jump: float) -> tuple[list[Span], dict[int, str]]:
    """Half an hour in which things change and the worker's clock jumps; what is known of it afterwards."""
    for key in range(1, 31):
        bench.put(key, at=bench.warehouse.clock.now() - timedelta(seconds=600 + key))
    for step in range(16):
        bench.put(1 + step % 7, status=("approved", "processing")[step % 2])
        if step % 8 == 5 and isinstance(bench.clock, OtherClock):
            bench.clock.ahead += jump
        bench.poll(1, 60.0)
    return bench.spans(), {key: row.raw for key, row in bench.held().items()}


def with_clock(database: Database, ahead: float) -> Bench:
    """The worker's clock is that far ahead of the server's."""
    bench = Bench(database, ManualClock())
    bench.clock = OtherClock(bench.clock, ahead)
    bench.restart()
    return bench


@pytest.mark.parametrize(("ahead", "jump"), [(HOUR, 0.0), (-HOUR, 0.0), (0.0, HOUR), (0.0, -HOUR), (HOUR, -2 * DAY)])
def test_the_workers_clock_makes_no_difference_to_coverage(
    sqlite_database: Database, database_like_it: Database, ahead: float, jump: float
) -> None:
    """An hour off or jumping: the same seconds are certified, the same rows held, and nothing alarms."""
    right = history(with_clock(sqlite_database, 0.0), 0.0)
    wrong = with_clock(database_like_it, ahead)

    assert history(wrong, jump) == right
    assert lag_of(wrong) == 60.0
    assert wrong.events(EventType.COVERAGE_REOPENED) == []


@pytest.mark.parametrize(("seconds", "alarms"), [(1.0, False), (2.0, False), (3.0, True), (HOUR, True)])
def test_a_date_alarms_once_it_is_more_than_two_seconds_before_an_earlier_one(
    bench: Bench, seconds: float, *, alarms: bool
) -> None:
    """Servers behind one address differ by a second or two; more is a clock that was set back."""
    bench.put(1, at=NOON - timedelta(minutes=5))
    bench.poll(3)
    before = bench.spans()[-1].window.until
    bench.warehouse.panel.change({"date_skew_seconds": -5.0 - seconds})
    bench.poll()
    (told, lag), spans = (bench.events(EventType.COVERAGE_REOPENED), lag_of(bench)), bench.spans()

    assert len(told) == alarms
    assert lag == (120.0 if alarms else 60.0)
    if alarms:
        assert told[0].data["reason"].startswith("The server's clock stepped back.")
        assert second_of(bench.clock.now()) - seconds - 5 - 120 - 1 >= spans[-1].window.until
        assert spans[-1].window.until < before


def test_a_date_that_goes_back_little_by_little_alarms_too(bench: Bench) -> None:
    """Each answer is held against the latest Date there ever was, not against the last one."""
    bench.poll(3)
    for polls in range(1, 4):
        bench.warehouse.panel.change({"date_skew_seconds": -6.5 * polls})
        bench.poll()

    assert bench.events(EventType.COVERAGE_REOPENED)[0].data["reason"].startswith("The server's clock stepped back.")


@pytest.mark.parametrize("page_size", [250, 5], ids=["one answer", "outgrown"])
def test_the_answer_that_shows_a_step_back_says_nothing_of_the_hour_ahead(database: Database, page_size: int) -> None:
    """It was asked for when the time was still thought to be an hour later."""
    bench = Bench(database, ManualClock(), page_size=page_size)
    bench.poll(3)
    bench.warehouse.panel.change({"date_skew_seconds": HOUR})
    bench.poll()
    for key in range(1, 9):
        bench.put(key)
    bench.warehouse.panel.change({"date_skew_seconds": 0.0})
    bench.poll()

    assert bench.spans()[-1].window.until <= second_of(bench.clock.now()) - 60


def test_what_a_wrong_clock_certified_is_read_again_once_it_is_right(bench: Bench) -> None:
    """A Date an hour ahead certifies seconds that are still open; a row born in them is not lost."""
    bench.poll(3)
    bench.warehouse.panel.change({"date_skew_seconds": HOUR})
    bench.poll(2)
    bench.put(1)
    bench.warehouse.panel.change({"date_skew_seconds": 0.0})
    bench.poll(3)
    bench.put(2)
    bench.poll(8, 600.0)

    assert bench.differences() == {}
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}
    assert bench.spans()[-1].window.until <= second_of(bench.clock.now()) - 60


def test_the_lag_doubles_up_to_an_hour_and_no_further(bench: Bench) -> None:
    """A source that is later than that needs a person."""
    bench.poll()
    for key in range(1, 9):
        bench.poll(1, lag_of(bench))
        bench.poll(3)
        bench.put(key, at=bench.clock.now() - timedelta(seconds=lag_of(bench) + 30))
        bench.poll()

    assert lag_of(bench) == MAX_LAG_SECONDS
    assert bench.differences() == {}


def test_a_row_born_in_a_certified_second_reopens_the_last_two_lags(bench: Bench) -> None:
    """It is told which row and why, and what else may have come late is read again."""
    bench.poll(20)
    bench.put(1, at=bench.clock.now() - timedelta(seconds=90))
    bench.poll()
    (told,) = bench.events(EventType.COVERAGE_REOPENED)
    since, until = (datetime.fromisoformat(told.data[name]) for name in ("since", "until"))

    assert told.data["reason"].startswith("Delivery 1 was first seen with the stamp ")
    assert told.data["reason"].endswith("The lag is now 120 s.")
    assert (until - since).total_seconds() + 1 == 240
    assert 1 in bench.held()


def test_the_lag_goes_back_by_hand_before_a_quiet_day_has_passed(bench: Bench) -> None:
    """And stays there, as after a quiet day."""
    bench.poll(20)
    bench.put(1, at=bench.clock.now() - timedelta(seconds=90))
    bench.poll()
    raised = lag_of(bench)
    with bench.database.write() as connection:
        before = reset_lag(connection, ACCOUNT, 60.0)
    bench.poll(3, 60.0)

    assert (raised, before, lag_of(bench)) == (120.0, 120.0, 60.0)
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}
