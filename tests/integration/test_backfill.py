from datetime import timedelta

import pytest

from connectors.errors import Interrupted
from tests.clocks import NOON, ManualClock
from tests.reading_kit import ACCOUNT, Bench
from worker.db import Database
from worker.errors import NotReady
from worker.reading.backfill import BackfillReport
from worker.reading.headway import Headway
from worker.states import CoverageState

DAY = timedelta(days=1)


@pytest.fixture
def bench(database: Database) -> Bench:
    """An account whose answers hold five rows, with a delivery every hour of the last four days."""
    bench = Bench(database, ManualClock(), page_size=5)
    for key in range(1, 97):
        bench.put(key, at=NOON - timedelta(hours=key))
    return bench


def filled(bench: Bench, words: list[Headway] | None = None) -> BackfillReport:
    """Backfill of the four days."""
    heard: list[Headway] = [] if words is None else words
    return bench.reading.backfill.run(bench.source, NOON - 4 * DAY, NOON, heard.append)


def test_a_backfill_certifies_a_range_older_than_the_start(bench: Bench) -> None:
    """On demand, beyond what polling answers for; it reads only what is not certified."""
    bench.poll(3)
    words: list[Headway] = []
    report = filled(bench, words)

    assert (report.holes, report.appeared) == (0, 72)
    assert bench.differences() == {}
    assert [word.share for word in words] == sorted(word.share for word in words)
    assert 0.0 < words[0].share < words[-1].share == 1.0
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}
    assert filled(bench).requests == 1


def test_an_interrupted_backfill_goes_on_where_it_was(bench: Bench) -> None:
    """It leaves a pending span, which polling fills."""
    bench.poll(3)
    asked = len(bench.client.requests)
    bench.client.before = lambda number: _fail_at(number, asked + 12)

    with pytest.raises(Interrupted):
        filled(bench)
    bench.client.before = lambda _number: None
    assert CoverageState.PENDING in {span.state for span in bench.spans()}
    bench.poll(3)
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}
    assert bench.differences() == {}


def test_a_backfill_may_be_the_first_thing_done(bench: Bench) -> None:
    """Polling goes on from there."""
    report = filled(bench)
    bench.poll(3)

    assert report.holes == 0
    assert bench.differences() == {}
    assert bench.poller.caught_up()


def test_what_is_not_closed_yet_is_left_to_polling(bench: Bench) -> None:
    """One sentence says so."""
    bench.poll()

    with pytest.raises(NotReady, match="closed yet"):
        bench.reading.backfill.run(bench.source, NOON, NOON + DAY, _ignored)


def test_a_server_that_tells_no_time_can_not_be_backfilled(bench: Bench) -> None:
    """Nothing could be certified."""
    bench.warehouse.panel.change({"age_seconds": 3})

    with pytest.raises(NotReady, match="Date"):
        filled(bench)


def _fail_at(number: int, last: int) -> None:
    if number > last:
        raise Interrupted(ACCOUNT, "list deliveries", "reset")


def _ignored(progress: Headway) -> None:
    del progress
