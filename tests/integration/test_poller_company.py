"""The poller beside others: its lanes, what they read already, what everybody is told of trouble and of clocks."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from connectors.errors import NotConnected, Unauthorized
from tests.clocks import NOON, ManualClock
from tests.reading_kit import ACCOUNT, Bench, WarehouseSource
from worker.db import Database
from worker.db.tables import accounts as account_rows
from worker.db.tables import tasks
from worker.events import EventType
from worker.kinds import BACKFILL, RULES
from worker.reading.accounts import find
from worker.reading.poller import Poller
from worker.reading.share import MOST_FILL_SECONDS
from worker.reading.source_clock import SKEW_SECONDS
from worker.reading.spans import Window, second_of
from worker.reading.tail import Tail
from worker.runtime import backfills
from worker.runtime.jobs import ALL
from worker.tasks import NewTask, Tasks


@pytest.fixture
def bench(sqlite_database: Database) -> Bench:
    """An account whose answers hold five rows, a hundred rows spread over the day."""
    bench = Bench(sqlite_database, ManualClock(), page_size=5, lag=20)
    for index in range(100):
        bench.put(index + 1, at=bench.clock.now() - timedelta(seconds=120 + index * 300))
    return bench


def _poller(bench: Bench, filling: WarehouseSource, elsewhere: Sequence[Window] = ()) -> Poller:
    tail = Tail(
        source=bench.source,
        database=bench.database,
        recorder=bench.reading.recorder,
        accounts=bench.reading.accounts,
        clock=bench.clock,
    )
    return Poller(
        source=bench.source,
        filling=replace(bench.source, client=filling),
        read_elsewhere=lambda _connection: elsewhere,
        database=bench.database,
        accounts=bench.reading.accounts,
        tail=tail,
        windows=bench.reading.windows,
        clock=bench.clock,
    )


def test_what_is_pending_is_read_in_a_lane_of_its_own(bench: Bench) -> None:
    """The tail goes before it, whoever else reads."""
    filling = WarehouseSource(bench.warehouse, turn=1000)
    report = _poller(bench, filling).run_once(force=True)

    assert all("updatedAtMax" not in told for told in bench.client.requests)
    assert len(filling.requests) + len(bench.client.requests) == report.requests
    assert all("updatedAtMax" in told for told in filling.requests)


def test_what_a_backfill_reads_nobody_else_reads(bench: Bench) -> None:
    """It is left to the backfill for as long as that goes on, and does not make polls hurry."""
    whole = Window(second_of(NOON - timedelta(days=2)), second_of(NOON + timedelta(days=1)))
    filling = WarehouseSource(bench.warehouse, turn=1000)
    reports = [_poller(bench, filling, [whole]).run_once(force=True) for _ in range(2)]

    assert filling.requests == []
    assert not any(report.pending for report in reports)
    _poller(bench, filling).run_once(force=True)
    assert filling.requests


def test_a_slow_server_lets_the_tail_come_round(bench: Bench) -> None:
    """However few requests half a minute holds."""
    filling = WarehouseSource(bench.warehouse, turn=1000)
    filling.before = lambda _number: bench.clock.advance(10)
    report = _poller(bench, filling).run_once(force=True)

    assert report.pending
    assert len(filling.requests) <= MOST_FILL_SECONDS / 10 + 1


def test_backfills_under_way_are_known_by_their_jobs(bench: Bench) -> None:
    """Those that run, of this account or of all; what is asked for to the future ends when it was asked for."""
    numbers = iter(range(99))
    now = bench.clock.now()
    since, until = now - timedelta(hours=5), now + timedelta(hours=5)
    span = {"since": since.isoformat(), "until": until.isoformat()}
    queue = Tasks(rules=RULES, identity=lambda: f"t{next(numbers)}")
    with bench.database.write() as connection:
        jobs = [
            NewTask(kind=BACKFILL, subject="range 1", payload={**span, "account": ACCOUNT}),
            NewTask(kind=BACKFILL, subject="range 2", payload={**span, "account": "another"}),
            NewTask(kind=BACKFILL, subject=ALL, payload=span),
        ]
        ids = queue.add(connection, jobs, now)
        before = backfills.under_way(connection, ACCOUNT)
        queue.claim(connection, ids, owner="w", now=now, lease_seconds=30)
        running = backfills.under_way(connection, ACCOUNT)
        connection.execute(sa.update(tasks).values(ended_at=now))

    assert before == []
    assert running == [Window(second_of(since), second_of(now))] * 2


def test_why_an_account_cannot_be_read_is_in_its_row(bench: Bench) -> None:
    """From the first failure on, until it is read again or refuses us; since when, too."""
    down = NotConnected(ACCOUNT, "list deliveries", "no such host")

    def fail(_number: int) -> None:
        raise down

    def refuse(_number: int) -> None:
        raise Unauthorized(ACCOUNT, "list deliveries", "HTTP 401")

    bench.client.before = fail
    bench.poll()
    first = _row(bench)
    bench.poll(3, seconds=60)
    later = _row(bench)
    bench.client.before = refuse
    bench.poll()
    refused = _row(bench)
    bench.client.before = lambda _number: None
    bench.poll()
    healed = _row(bench)

    assert (first.trouble, later.trouble) == (down.sentence, down.sentence)
    assert first.trouble_since == later.trouble_since == NOON + timedelta(seconds=5)
    assert (refused.trouble, refused.stopped_reason is None) == (None, False)
    assert (healed.trouble, healed.trouble_since, healed.stopped_reason) == (None, None, None)


def _row(bench: Bench) -> sa.Row[tuple[object, ...]]:
    with bench.database.read() as connection:
        return connection.execute(sa.select(account_rows)).one()


@pytest.mark.parametrize("skew", [SKEW_SECONDS * 2, -3600.0])
def test_clocks_that_are_apart_are_told_once(bench: Bench, skew: float) -> None:
    """When they come to be, with which way and the remedy; what is read is judged by the server's alone."""
    bench.poll(2)
    quiet = bench.events(EventType.ACCOUNT_SKEWED)
    bench.clock.step(-skew)
    bench.warehouse.panel.change({"date_skew_seconds": skew})
    bench.poll(3)
    told = bench.events(EventType.ACCOUNT_SKEWED)
    with bench.database.read() as connection:
        known = find(connection, ACCOUNT).skew_seconds

    assert quiet == []
    assert len(told) == 1
    assert ("ahead of" if skew > 0 else "behind") in told[0].data["reason"]
    assert known is not None
    assert abs(known - skew) <= 1
