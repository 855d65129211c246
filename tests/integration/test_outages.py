import gzip
import logging
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.client import MAX_BODY_BYTES
from connectors.simulated.http_server import Reply, Request
from tests.wire_kit import KEY, WireBench, straight, wired
from worker.db import Database
from worker.events import EventType
from worker.reading.poller import STOPPED_SECONDS
from worker.states import CoverageState

# Bytes that refusing an answer may take: a piece of it that unpacks to a thousand times its size, with a copy.
MEMORY = 5 * MAX_BODY_BYTES


@pytest.fixture
def bench(sqlite_database: Database) -> Iterator[WireBench]:
    """An account with some deliveries, all of them read."""
    with wired(sqlite_database, lag=20.0) as bench:
        for key in range(1, 13):
            bench.put(key, at=bench.clock.now() - timedelta(seconds=120 + 60 * key))
        bench.poll(3)
        yield bench


def go_on(bench: WireBench, seconds: float) -> int:
    """The schedule's polls, one each five seconds, with a change each; how many requests that took."""
    before, end = bench.turns.taken, bench.clock.monotonic() + seconds
    key = 100
    while bench.clock.monotonic() < end:
        key += 1
        bench.put(key)
        bench.clock.advance(5.0)
        bench.poller.run_once()
    return bench.turns.taken - before


@pytest.mark.parametrize("trouble", [{"server_error": 1.0}, {"reset": 1.0}, {"throttled": 1.0}, {"truncated": 1.0}])
def test_minutes_without_an_answer_leave_no_hole(bench: WireBench, trouble: dict[str, float]) -> None:
    """The waits grow, so the source is left in peace; then the tail goes on where it was, in a few requests."""
    bench.warehouse.panel.change(trouble)
    asked = go_on(bench, 600.0)
    bench.warehouse.panel.change(dict.fromkeys(trouble, 0.0))
    bench.clock.advance(60.0)
    report = bench.poller.run_once()

    assert asked < 60
    assert (report.error, report.holes, report.requests) == (None, 0, 1)
    assert bench.differences() == {}
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}
    assert bench.events(EventType.COVERAGE_HOLE) == []


@pytest.mark.parametrize(("with_wish", "wish"), [(True, 1.0), (False, None)])
def test_a_429_is_told_to_the_budget_with_the_servers_wish(
    bench: WireBench, *, with_wish: bool, wish: float | None
) -> None:
    """The next request waits as long as the server asks for, and the poll goes on by itself."""
    bench.warehouse.panel.change({"throttled": 1.0, "retry_after": with_wish})
    bench.server.before = lambda: _stop_after(bench, 2)
    asked = bench.turns.taken
    report = bench.poll()

    assert report.error is None
    assert bench.turns.wishes == [wish]
    assert bench.turns.taken - asked == 2


def _stop_after(bench: WireBench, requests: int) -> None:
    if bench.server.traffic.throttled >= requests - 1:
        bench.warehouse.panel.change({"throttled": 0.0})


def test_a_key_that_is_accepted_again_goes_on_by_itself(bench: WireBench, caplog: pytest.LogCaptureFixture) -> None:
    """A refusal is told once, asked about once a minute, and over without anybody's help."""
    bench.server.keys.pop(KEY)
    with caplog.at_level(logging.INFO):
        asked = go_on(bench, 600.0)
    bench.server.keys[KEY] = ["Delivery.Read"]
    bench.clock.advance(STOPPED_SECONDS)
    report = bench.poller.run_once()
    (stopped,) = bench.events(EventType.ACCOUNT_STOPPED)

    assert asked <= 600.0 / STOPPED_SECONDS + 1
    assert "a new one is issued by the logistic.cloud administrator" in stopped.data["reason"]
    assert KEY not in caplog.text + str(stopped.data)
    assert (report.stopped, report.error) == (None, None)
    assert len(bench.events(EventType.ACCOUNT_RECOVERED)) == 1
    assert bench.differences() == {}


def test_a_page_of_ten_megabytes_is_read(bench: WireBench) -> None:
    """Long notes are no reason to miss anything."""
    for key in range(200, 210):
        bench.put(key, note="n" * 1024 * 1024)
    bench.poll()

    assert bench.differences() == {}


def test_an_answer_beyond_all_bounds_is_refused_before_it_fills_the_memory(bench: WireBench) -> None:
    """200 MB that unpack from a few kilobytes: the limit counts what is unpacked, and the sentence names it."""
    bomb = gzip.compress(b"[" + b" " * 200 * 1024 * 1024 + b"]")
    packed = (("Content-Encoding", "gzip"),)

    def bend(_request: Request, reply: Reply) -> Reply:
        return replace(reply, body=bomb, headers=(*reply.headers, *packed))

    bench.server.bend = bend
    tracemalloc.start()
    try:
        report = bench.poll()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    bench.put(300)
    bench.heal()

    assert f"is larger than {MAX_BODY_BYTES} bytes" in str(report.error)
    assert "PAGE_SIZE" in str(report.error)
    assert peak < MEMORY
    assert bench.differences() == {}


def test_a_count_that_lies_once_costs_a_few_requests(sqlite_database: Database) -> None:
    """X-Total of a billion in the first answers: windows are cut by it, and cut anew once it tells the truth."""
    with wired(sqlite_database, lag=20.0, page_size=5) as bench:
        for key in range(1, 41):
            bench.put(key, at=bench.clock.now() - timedelta(seconds=120 + 60 * key))
        bench.header("X-Total", "1000000000")
        bench.poll(1)
        bench.server.bend = straight
        asked = bench.turns.taken
        bench.poll(10, 60.0)

        assert bench.differences() == {}
        assert bench.turns.taken - asked < 100


def test_a_connection_that_breaks_within_a_page_loses_nothing(sqlite_database: Database) -> None:
    """Every third answer ends in the middle, while rows change: what is certified was read."""
    with wired(sqlite_database, lag=20.0, page_size=5, page_order="shuffled") as bench:
        for key in range(1, 41):
            bench.put(key, at=bench.clock.now() - timedelta(seconds=120 + 60 * key))
        bench.warehouse.panel.change({"truncated": 0.2, "reset": 0.1, "server_error": 0.1})
        for key in range(1, 41, 4):
            bench.put(key, status="completed")
            bench.poll(1, 30.0)
            assert bench.unseen() == []
        bench.warehouse.panel.change({"truncated": 0.0, "reset": 0.0, "server_error": 0.0})
        bench.heal()

        assert bench.differences() == {}
        assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}
