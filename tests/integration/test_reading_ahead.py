"""Reading ahead of what is stored, with pages that others prepare, from the poller down: nothing else changes."""

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.errors import Interrupted
from connectors.logistic_cloud import DeliveryQuery
from tests.clocks import ManualClock
from tests.reading_kit import START, Bench
from worker.db import Database

ROWS = 400
PAGE = 10
AHEAD = 6


def _bench(database: Database, *, ahead: int, prepared: bool = False) -> Bench:
    bench = Bench(database, ManualClock(), page_size=PAGE, prepared=prepared)
    bench.source = replace(bench.source, ahead=ahead)
    bench.restart()
    for number in range(ROWS):
        bench.put(1000 + number, at=START + timedelta(minutes=3 * number))
    return bench


def _read(bench: Bench) -> None:
    for _ in range(60):
        if not bench.poll().pending:
            return


def _passes(bench: Bench) -> list[str]:
    return [told for told in bench.client.requests if "pageSize=10" in told]


@pytest.fixture(params=[(AHEAD, False), (0, True), (AHEAD, True)], ids=["ahead", "prepared", "ahead and prepared"])
def ahead(database: Database, request: pytest.FixtureRequest) -> Bench:
    """An account that is read ahead, or whose pages are prepared while the next is asked for, or both."""
    most, prepared = request.param
    return _bench(database, ahead=most, prepared=prepared)


def test_a_reading_ahead_takes_what_the_source_has_and_certifies_it(ahead: Bench) -> None:
    """Pages that are fetched by one thread and stored by another are the same pages."""
    _read(ahead)
    ahead.poll(2)

    assert ahead.differences() == {}
    assert ahead.poller.caught_up()


def test_pages_that_share_a_transaction_tell_their_own_turns(ahead: Bench) -> None:
    """An event names the request that it comes from, however many pages were stored together."""
    _read(ahead)

    appeared = ahead.events("waybill.delivery.appeared")
    turns = [event.data["turn"] for event in appeared]
    assert all(event.data["proof"]["turn"] == event.data["turn"] for event in appeared)
    assert turns == sorted(turns)
    assert len(set(turns)) >= ROWS // PAGE


def test_a_quiet_source_is_asked_for_no_page_behind_the_last_one(ahead: Bench) -> None:
    """Reading ahead costs no request: whoever fetches sees where the pass ends."""
    _read(ahead)

    # A tail that overflows, the count of the window, and the tail that follows.
    assert len(_passes(ahead)) <= ROWS // PAGE + 4


def test_a_pass_that_breaks_is_not_read_on_behind_the_break(ahead: Bench) -> None:
    """What the rows did is seen by who fetches, so reading ahead costs no request where they move."""
    moved_at: list[int] = []

    def move(number: int) -> None:
        if not moved_at and "page=5&" in ahead.client.requests[-1]:
            moved_at.append(number)
            ahead.put(1000)

    ahead.client.before = move
    _read(ahead)
    ahead.poll(3)

    behind = ahead.client.requests[moved_at[0] : moved_at[0] + 2]
    assert moved_at
    assert not any("page=6&" in told or "page=7&" in told for told in behind)
    assert ahead.differences() == {}


def test_pages_before_a_failure_are_kept(ahead: Bench) -> None:
    """A line that is cut in the middle of a pass costs nothing that came before."""

    def cut(_number: int) -> None:
        if "page=5&" in ahead.client.requests[-1]:
            system, operation, detail = "logistic.cloud", "list deliveries", "the line is cut"
            raise Interrupted(system, operation, detail)

    ahead.client.before = cut
    report = ahead.poll()

    assert report.error is not None
    assert len(ahead.held()) >= 5 * PAGE
    ahead.client.before = lambda _number: None
    _read(ahead)
    assert ahead.differences() == {}


def test_a_source_in_the_usual_pace_is_not_read_ahead(sqlite_database: Database) -> None:
    """At one request a second a page is asked for when the one before is stored."""
    bench = _bench(sqlite_database, ahead=0)
    stored: list[int] = []
    bench.client.before = lambda _number: stored.append(len(bench.held()))
    _read(bench)

    assert all(later - earlier <= PAGE for earlier, later in itertools.pairwise(stored))
    assert bench.source.page(DeliveryQuery(), 0).records
