from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from random import Random
from threading import Thread
from time import sleep

import pytest
import sqlalchemy as sa

from connectors.errors import Interrupted
from connectors.logistic_cloud import DeliveryAnswer, DeliveryPage, DeliveryQuery, ServerTime
from tests.clocks import NOON, ManualClock
from tests.reading_kit import ACCOUNT, Bench, WarehouseSource
from worker.budget import Budget, Lane
from worker.clock import SystemClock
from worker.db import Database
from worker.db.tables import coverage
from worker.errors import NotReady
from worker.reading.backfill import BackfillReport
from worker.reading.coverage import Proof, certify
from worker.reading.headway import Headway
from worker.reading.spans import Window
from worker.runtime.stopping import Stopped
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


def test_a_backfill_that_comes_first_leaves_no_gap_behind_the_start(bench: Bench) -> None:
    """What lies between the start and the range is pending from then on: polling would never look back at it."""
    bench.reading.backfill.run(bench.source, NOON - timedelta(hours=2), NOON, _ignored)
    open_before = {span.state for span in bench.spans()}
    report = bench.poll(9)

    assert CoverageState.PENDING in open_before
    assert report.certified_until is not None
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}
    assert bench.poller.caught_up()


def test_a_gap_behind_the_front_is_read_by_the_next_process(bench: Bench, database: Database) -> None:
    """Wherever it came from: it would be taken for certified, and never be looked at."""
    bench.poll(9)
    with database.write() as connection:
        second = int((NOON - timedelta(hours=3)).timestamp())
        connection.execute(sa.delete(coverage))
        certify(connection, ACCOUNT, Window(second, second + 60), Proof(kind="pass", rows=0, requests=1))
    bench.restart()
    bench.put(500, at=NOON - timedelta(hours=5))
    bench.poll(9)

    assert bench.poller.caught_up()
    assert 500 not in bench.differences()


def test_a_range_before_the_start_does_not_keep_later_ones_from_being_read(bench: Bench) -> None:
    """Before the first poll, what was read of long ago says nothing about how far polling has come."""
    bench.reading.backfill.run(bench.source, NOON - 4 * DAY, NOON - 3 * DAY, _ignored)
    report = bench.reading.backfill.run(bench.source, NOON - timedelta(hours=2), NOON, _ignored)

    assert report.holes == 0
    assert CoverageState.PENDING in {span.state for span in bench.spans()}


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


def test_a_backfill_expects_the_rows_that_the_source_counts(bench: Bench) -> None:
    """What it expects comes with its first answer; what was certified before counts as done."""
    words: list[Headway] = []
    filled(bench, words)
    bench.put(500, at=NOON - 5 * DAY)
    more: list[Headway] = []
    bench.reading.backfill.run(bench.source, NOON - 6 * DAY, NOON, more.append)

    assert {word.all for word in words[:-1]} == {96}
    assert more[0].share > 0.9
    assert bench.differences() == {}


def test_what_listens_may_end_a_backfill_which_then_goes_on_from_there(bench: Bench) -> None:
    """A process that is to end stops between two requests, and what was certified stays so."""
    heard: list[Headway] = []

    def enough(headway: Headway) -> None:
        heard.append(headway)
        if len(heard) == 20:
            raise Stopped

    with pytest.raises(Stopped):
        bench.reading.backfill.run(bench.source, NOON - 4 * DAY, NOON, enough)
    asked = len(bench.client.requests)
    report = filled(bench)

    assert report.holes == 0
    assert bench.differences() == {}
    assert report.requests + asked < 60


def test_two_backfills_take_turns(database: Database) -> None:
    """Both get on at the same time: neither waits for the other's end."""
    budget = Budget(
        database,
        name="shared",
        requests_per_second=100.0,
        sleep=sleep,
        clock=SystemClock(),
        random=Random(1),  # noqa: S311
    )
    order: list[str] = []
    bench = Bench(database, ManualClock(), page_size=5)
    for key in range(1, 97):
        bench.put(key, at=NOON - timedelta(hours=key))
    bench.poll(3)
    threads = [
        Thread(target=_taking_turns, args=(bench, name, budget, order, NOON - days * DAY))
        for name, days in (("older", 4), ("newer", 2.5))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    ends = min(len(order) - order[::-1].index(name) for name in ("older", "newer"))
    begins = max(order.index(name) for name in ("older", "newer"))
    together = order[begins:ends]

    assert len(together) > 10
    assert max(len(list(run)) for _name, run in groupby(together)) <= 3


def _taking_turns(bench: Bench, name: str, budget: Budget, order: list[str], since: datetime) -> None:
    client = _InTurn(bench.client, name, budget, order)
    readers = bench.built()
    readers.backfill.run(replace(bench.source, client=client), since, since + 1.4 * DAY, _ignored)


@dataclass(slots=True)
class _InTurn:
    """The account's client for one of several who share a budget."""

    client: WarehouseSource
    name: str
    budget: Budget
    order: list[str]

    def list_deliveries(self, query: DeliveryQuery, *, page: int, page_size: int) -> DeliveryPage:
        """One page, in turn."""
        turn = self.budget.lane(Lane.BACKGROUND).take()
        self.order.append(self.name)
        return replace(self.client.list_deliveries(query, page=page, page_size=page_size), turn=turn)

    def get_delivery(self, delivery_id: int) -> DeliveryAnswer:
        """One record."""
        return self.client.get_delivery(delivery_id)

    def server_time(self) -> ServerTime:
        """The server's clock."""
        return self.client.server_time()


def _fail_at(number: int, last: int) -> None:
    if number > last:
        raise Interrupted(ACCOUNT, "list deliveries", "reset")


def _ignored(progress: Headway) -> None:
    del progress
