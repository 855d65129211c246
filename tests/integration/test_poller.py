from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
import pytest

from connectors.errors import ConnectorError, Interrupted, Unauthorized, UnexpectedAnswer
from connectors.logistic_cloud import DeliveryAnswer, DeliveryPage, DeliveryQuery, ServerTime
from connectors.simulated.switches import PageOrder
from tests.clocks import NOON, ManualClock
from tests.reading_kit import ACCOUNT, Bench, record
from worker.db import Database
from worker.events import EventType
from worker.reading.account_source import DeliverySource
from worker.reading.accounts import find
from worker.reading.delivery_rows import facts_of_row
from worker.reading.recorder import Tally
from worker.reading.spans import second_of
from worker.reading.window_job import Job
from worker.standing import LineItem
from worker.states import CoverageState

SECOND = timedelta(seconds=1)


@pytest.fixture
def bench(database: Database) -> Bench:
    """An account that begins a day before noon."""
    return Bench(database, ManualClock())


def small(database: Database, **switches: Any) -> Bench:  # noqa: ANN401 - the switches of the twin
    """An account whose answers hold five rows."""
    return Bench(database, ManualClock(), page_size=5, lag=20, **switches)


def spread(bench: Bench, count: int, *, first: int = 1, step: float = 60, ago: float = 120) -> None:
    """So many deliveries, one each `step` seconds, the newest `ago` seconds old."""
    for index in range(count):
        bench.put(first + index, at=bench.clock.now() - timedelta(seconds=ago + index * step))


def lag_of(bench: Bench) -> float:
    """The lag in force."""
    with bench.database.read() as connection:
        return find(connection, ACCOUNT).lag_seconds


def test_a_first_poll_of_a_small_account_is_two_requests(bench: Bench) -> None:
    """The server's time, then everything in one answer, certified up to that time less lag and a second."""
    spread(bench, 10)
    report = bench.poll()

    assert (report.requests, report.appeared, report.pending, report.holes) == (2, 10, False, 0)
    assert report.certified_until == bench.clock.now() - 61 * SECOND
    assert bench.poller.caught_up()
    assert bench.differences() == {}


def test_an_idle_poll_is_one_request_and_writes_no_event(bench: Bench) -> None:
    """Coverage grows, nothing else is written."""
    spread(bench, 10)
    bench.poll()
    before = bench.held(), len(bench.events())
    report = bench.poll()

    assert report.requests == 1
    assert (bench.held(), len(bench.events())) == before
    assert len(bench.spans()) == 1


def test_a_second_process_asks_twice(bench: Bench) -> None:
    """For the server's time, and for the tail; then it is caught up."""
    spread(bench, 10)
    bench.poll()
    bench.restart()

    assert not bench.poller.caught_up()
    assert bench.poll().requests == 2
    assert bench.poller.caught_up()


def test_a_change_is_seen_at_the_next_poll_though_its_window_is_still_open(bench: Bench) -> None:
    """The tail is read in the same request on every poll."""
    spread(bench, 3)
    bench.poll()
    bench.put(2, status="completed")
    report = bench.poll()

    assert report.changed == 1
    assert bench.held()[2].status == "completed"


def test_without_a_start_coverage_begins_thirty_days_before_the_first_run(database: Database) -> None:
    """Fixed by the server's time at the first run, for ever."""
    bench = Bench(database, ManualClock(), start=None)
    bench.poll()
    bench.clock.advance(86400)
    bench.restart()
    bench.poll()

    assert bench.spans()[0].window.since == second_of(NOON + 5 * SECOND - timedelta(days=30))


def test_an_account_that_outgrows_one_answer_is_read_by_windows(database: Database) -> None:
    """A pass proves what one answer can't hold; the last closed second follows with the next poll."""
    bench = small(database)
    spread(bench, 40)
    bench.poll(2)
    (span,) = bench.spans()

    assert span.state is CoverageState.CERTIFIED
    assert span.proof == "one_answer+pass"
    assert span.rows == 40
    assert bench.differences() == {}


def test_a_long_reading_lets_the_tail_come_round(database: Database) -> None:
    """A run makes a bounded number of requests; the rest stays pending, and changes are seen in between."""
    bench = small(database)
    bench.client.before = lambda _number: bench.clock.advance(1)
    spread(bench, 400, step=100)
    first = bench.poll()
    bench.put(3, status="completed")
    second = bench.poll()

    assert first.requests < 40
    assert first.pending
    assert not bench.poller.caught_up()
    assert second.changed >= 1


def test_a_process_that_dies_in_between_reads_only_what_is_not_certified(database: Database) -> None:
    """Coverage is a set of intervals: the rest is a pending span."""
    bench = small(database)
    bench.client.before = lambda _number: bench.clock.advance(1)
    spread(bench, 400, step=100)
    bench.poll(3)
    certified = next(span for span in bench.spans() if span.state is CoverageState.CERTIFIED).window
    bench.restart()
    bench.client.requests.clear()
    bench.poll(20)
    again = [told for told in bench.client.requests if f"updatedAtMax=2026-03-01T{12}" in told]

    assert certified.seconds > 100
    assert again == []
    assert bench.differences() == {}


def test_rows_of_one_second_are_proved_by_their_status(database: Database) -> None:
    """Where time can't be cut further, parts by status must add up to the whole, counted before and after."""
    bench = small(database, page_order=PageOrder.SHUFFLED)
    for index in range(12):
        bench.put(index + 1, at=NOON - timedelta(seconds=500), status=["draft", "approved", "completed"][index % 3])
    bench.poll(3)
    proofs = {span.proof for span in bench.spans()}

    assert all(span.state is CoverageState.CERTIFIED for span in bench.spans())
    assert any("filters" in str(proof) for proof in proofs)


def test_a_second_whose_pages_are_dealt_anew_each_time_is_gathered(database: Database) -> None:
    """No pass holds, and no filter helps: as many distinct rows came as there are, counted before and after."""
    bench = small(database, page_order=PageOrder.SHUFFLED)
    for index in range(22):
        bench.put(index + 1, at=NOON - timedelta(seconds=500))
    report = bench.poll(2)

    assert report.holes == 0
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}
    assert bench.differences() == {}


def test_what_can_not_be_proved_is_a_hole_told_once_and_tried_again(database: Database) -> None:
    """Stored, shown, alerted, retried with growing waits, and certified when the source allows it."""
    bench = small(database, x_total=False)
    for index in range(40):
        bench.put(index + 1, at=NOON - timedelta(seconds=500))
    report = bench.poll(2)
    tries = [span.tries for span in bench.spans() if span.state is CoverageState.HOLE]
    caught_up_at_once = bench.poller.caught_up()
    bench.clock.advance(60)
    bench.poll(2)

    assert report.holes >= 1
    assert set(tries) == {1}
    assert not caught_up_at_once
    assert bench.poller.caught_up()
    assert {span.tries for span in bench.spans() if span.state is CoverageState.HOLE} == {2}
    assert len(bench.events(EventType.COVERAGE_HOLE)) == len(tries) == 1
    bench.warehouse.panel.change({"x_total": True})
    bench.clock.advance(3600)
    assert bench.poll(2).holes == 0
    assert bench.differences() == {}


def test_a_late_row_raises_the_lag_and_reopens(bench: Bench) -> None:
    """A row first seen although its second was certified: alert, twice the lag, the last 2 L again."""
    until = bench.poll(3).certified_until
    assert until is not None
    bench.put(1, at=until - timedelta(seconds=10))
    report = bench.poll()

    assert lag_of(bench) == 120
    assert report.appeared == 1
    assert len(bench.events(EventType.COVERAGE_REOPENED)) == 1
    assert "Delivery 1 " in bench.events(EventType.COVERAGE_REOPENED)[0].data["reason"]
    bench.clock.advance(300)
    bench.poll(2)
    assert [span.state for span in bench.spans()] == [CoverageState.CERTIFIED]
    assert len(bench.events(EventType.COVERAGE_REOPENED)) == 1


def test_the_lag_goes_back_after_a_quiet_day(bench: Bench) -> None:
    """It does not grow beyond an hour, and does not stay for ever."""
    bench.poll()
    for index in range(8):
        bench.clock.advance(4000)
        until = bench.poll(2).certified_until
        assert until is not None
        bench.put(index + 1, at=until - timedelta(seconds=10))
        bench.poll()
    raised = lag_of(bench)
    bench.clock.advance(86500)
    bench.poll()

    assert raised == 3600
    assert lag_of(bench) == 60


def test_the_guard_band_is_read_by_itself_where_the_tail_outgrows_an_answer(database: Database) -> None:
    """At least once per lag, however busy the account is."""
    bench = small(database)
    bench.poll()
    for round_number in range(6):
        spread(bench, 12, first=100 * (round_number + 1), step=0.1, ago=0)
        bench.poll()
    bench.put(1, at=bench.clock.now() - timedelta(seconds=30))
    spread(bench, 12, first=1000, step=0.1, ago=0)
    bench.clock.advance(15)
    bench.poll(4)

    assert 1 in bench.held()
    assert lag_of(bench) > 20


def test_a_clock_that_steps_back_is_told_and_what_it_judged_is_forgotten(bench: Bench) -> None:
    """A wrong Date in the future must not hide an hour of changes."""
    bench.poll()
    bench.warehouse.panel.change({"date_skew_seconds": 3600.0})
    bench.poll(2)
    bench.warehouse.panel.change({"date_skew_seconds": 0.0})
    bench.poll()
    bench.put(1)
    bench.poll()
    last = bench.spans()[-1].window.until

    assert 1 in bench.held()
    assert last <= second_of(bench.clock.now())
    assert len(bench.events(EventType.COVERAGE_REOPENED)) >= 1


def test_only_the_servers_clock_counts(bench: Bench) -> None:
    """Our own may be an hour off; the skew is known."""
    bench.warehouse.panel.change({"date_skew_seconds": -3600.0})
    report = bench.poll()

    assert report.certified_until == bench.clock.now() - 3661 * SECOND


def test_a_cached_answer_proves_nothing(bench: Bench) -> None:
    """Its rows are taken, its silence is not."""
    spread(bench, 3)
    bench.poll()
    certified = bench.spans()
    bench.warehouse.panel.change({"age_seconds": 7})
    bench.put(9)
    bench.poll()

    assert 9 in bench.held()
    assert [span for span in bench.spans() if span.state is CoverageState.CERTIFIED] == certified


def test_a_server_that_tells_no_time_is_told(bench: Bench) -> None:
    """Without a Date nothing can be certified."""
    bench.warehouse.panel.change({"age_seconds": 7})
    report = bench.poll()

    assert report.error is not None
    assert "Date" in report.error
    assert bench.spans() == []


def test_without_a_count_the_tail_takes_a_second_request(bench: Bench) -> None:
    """Where X-Total is missing the next page has to be empty."""
    bench.warehouse.panel.change({"x_total": False})
    spread(bench, 3)
    report = bench.poll()

    assert report.requests == 3
    assert [span.state for span in bench.spans()] == [CoverageState.CERTIFIED]


def test_without_a_count_windows_are_halved(database: Database) -> None:
    """More than one answer without X-Total is cut in time until it fits."""
    bench = small(database, x_total=False)
    spread(bench, 12)
    bench.poll(3)

    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}
    assert bench.differences() == {}


def test_without_a_count_a_full_second_is_read_but_stays_a_hole(database: Database) -> None:
    """What can be seen is taken, what can't be proved is shown."""
    bench = small(database, x_total=False)
    for index in range(12):
        bench.put(index + 1, at=NOON - timedelta(seconds=500))
    bench.poll(2)

    assert bench.differences() == {}
    assert any("X-Total" in str(span.reason) for span in bench.spans())


def test_a_filter_that_is_not_understood_certifies_nothing(bench: Bench) -> None:
    """Rows outside of what was asked for: no certificate, an alert, a hole."""
    bench.warehouse.panel.change({"filters_ignored": True})
    bench.put(1, at=NOON - timedelta(days=20))
    report = bench.poll(2)

    assert report.error is not None
    assert "outside" in report.error
    assert report.certified_until is None
    assert len(bench.events(EventType.COVERAGE_HOLE)) == 1


@pytest.mark.parametrize(
    "bend",
    [
        lambda page: replace(page, total=None if page.total is None else page.total + 1),
        lambda page: replace(page, records=page.records * 2, total=None if page.total is None else page.total * 2),
    ],
    ids=["wrong X-Total", "rows twice"],
)
def test_an_answer_that_contradicts_itself_is_a_hole_and_no_endless_reading(
    bench: Bench, bend: Callable[[DeliveryPage], DeliveryPage]
) -> None:
    """Tried a few times, then shown; the rows are taken."""
    spread(bench, 3)
    bench.client.bend = bend
    report = bench.poll(2)

    assert report.holes == 1
    assert len(bench.client.requests) < 12
    assert bench.differences() == {}


def test_a_page_size_clamped_by_the_server_is_the_one_in_force(bench: Bench) -> None:
    """X-PageSize below what was asked: a page of that size is full."""
    list_deliveries = bench.client.list_deliveries
    spread(bench, 30)

    class Clamping(type(bench.client)):  # type: ignore[misc]
        """Gives at most seven rows a page."""

        def list_deliveries(self, query: object, *, page: int, page_size: int) -> DeliveryPage:
            """As the twin does, for smaller pages."""
            return list_deliveries(query, page=page, page_size=min(page_size, 7))  # type: ignore[arg-type]

    bench.source = replace(bench.source, client=Clamping(bench.warehouse))
    bench.restart()
    bench.poll(2)

    assert bench.differences() == {}
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}


def test_a_refused_key_stops_the_account_until_it_is_accepted(bench: Bench) -> None:
    """One sentence with the remedy, told once; asked again only after a while; recovered when it answers."""
    bench.poll()
    refusal = Unauthorized(ACCOUNT, "list deliveries", "HTTP 401")
    bench.client.before = _raising(refusal)
    report = bench.poll()
    asked = len(bench.client.requests)
    again = bench.poller.run_once()
    bench.poll()
    bench.client.before = lambda _number: None
    bench.clock.advance(60)
    healed = bench.poller.run_once()

    assert report.stopped == refusal.sentence
    assert again == report
    assert len(bench.client.requests) == asked + 2
    assert healed.stopped is None
    assert len(bench.events(EventType.ACCOUNT_STOPPED)) == 1
    assert len(bench.events(EventType.ACCOUNT_RECOVERED)) == 1


def test_a_key_that_was_never_accepted_is_shown(bench: Bench) -> None:
    """The account exists, stopped, before its first answer."""
    bench.client.before = _raising(Unauthorized(ACCOUNT, "list deliveries", "HTTP 401"))
    report = bench.poll()

    assert report.stopped is not None
    assert report.certified_until is None
    with bench.database.read() as connection:
        assert find(connection, ACCOUNT).stopped_reason == report.stopped


def test_a_passing_failure_is_tried_again_after_a_growing_wait(bench: Bench) -> None:
    """5xx and resets for minutes: nothing is lost, nothing is a hole."""
    spread(bench, 3)
    bench.client.before = _raising(Interrupted(ACCOUNT, "list deliveries", "reset"))
    first = bench.poller.run_once()
    asked = len(bench.client.requests)
    second = bench.poller.run_once()
    bench.client.before = lambda _number: None
    bench.clock.advance(3)
    third = bench.poller.run_once()

    assert first.error is not None
    assert second == first
    assert asked == 1
    assert third.error is None
    assert third.holes == 0
    assert bench.differences() == {}


def test_a_changed_key_reopens_coverage(bench: Bench) -> None:
    """It may see other rows; what was read is not read again for nothing but proved again."""
    spread(bench, 3)
    bench.poll()
    bench.source = replace(bench.source, key_fingerprint="second-key")
    bench.restart()
    report = bench.poll()

    assert "key" in bench.events(EventType.COVERAGE_REOPENED)[0].data["reason"]
    assert report.requests > 2
    bench.poll()
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}


def test_whoever_still_reads_with_the_key_of_yesterday_certifies_nothing(bench: Bench) -> None:
    """Processes are restarted one after the other; what the old key sees proves nothing for the new one."""
    spread(bench, 3)
    bench.poll()
    before, old = bench.reading, bench.source
    bench.source = replace(old, key_fingerprint="second-key")
    bench.restart()
    with bench.database.write() as connection:
        bench.reading.accounts.ensure(connection, bench.source, bench.clock.now())
    for _ in range(2):
        bench.clock.advance(5)
        report = before.poller.run_once(force=True)
    job = Job(source=old, received=bench.clock.now(), tally=Tally())
    assert list(before.windows.read(job, bench.spans()[0].window))

    assert "restart" in str(report.error)
    assert {span.state for span in bench.spans()} == {CoverageState.PENDING}
    assert bench.poll(2).error is None
    assert {span.state for span in bench.spans()} == {CoverageState.CERTIFIED}


def test_stopping_ends_a_run_after_its_present_request(database: Database) -> None:
    """A long reading does not hold up the end of the process."""
    bench = small(database)
    spread(bench, 400, step=100)
    stop = [False]
    bench.stopping = lambda: stop[0]
    bench.restart()
    bench.client.before = lambda number: stop.__setitem__(0, number >= 8)
    report = bench.poll()

    assert report.pending
    assert len(bench.client.requests) < 12


def test_a_stamp_that_went_back_is_confirmed_by_id_before_the_window_counts(bench: Bench) -> None:
    """Taken as the source shows it, and flagged."""
    bench.put(1, at=NOON - timedelta(seconds=100))
    bench.poll()
    bench.put(1, at=NOON - timedelta(seconds=110), note="restored")
    bench.poll()

    assert bench.held()[1].stamp_went_back
    assert bench.client.requests[-1] == "id 1"
    assert bench.differences() == {}


def _raising(error: ConnectorError) -> Callable[[int], None]:
    def refuse(_number: int) -> None:
        raise error

    return refuse


def test_an_answer_of_a_foreign_shape_in_a_window_is_a_hole_and_the_rest_goes_on(database: Database) -> None:
    """A page that can't be read, however often, must not hold up all others."""
    bench = small(database)
    spread(bench, 12)
    foreign = UnexpectedAnswer(ACCOUNT, "list deliveries", "the answer is not JSON")
    bench.client.before = lambda _number: _raise_in_window(bench, foreign)
    bench.poll()
    report = bench.poll()
    bench.client.before = lambda _number: None
    bench.clock.advance(60)

    assert (report.error, report.holes) == (None, 1)
    assert foreign.sentence in {span.reason for span in bench.spans()}
    assert bench.poll(2).holes == 0
    assert bench.differences() == {}


def test_a_floor_raised_in_the_settings_raises_the_lag(bench: Bench) -> None:
    """And a lowered one lowers it, unless a late row raised it."""
    bench.poll()
    bench.source = replace(bench.source, lag_floor=90)
    bench.restart()
    bench.poll()
    raised = lag_of(bench)
    bench.source = replace(bench.source, lag_floor=30)
    bench.restart()
    bench.poll()

    assert (raised, lag_of(bench)) == (90, 30)


def test_what_a_list_of_ids_shows_unasked_is_not_confirmed(bench: Bench) -> None:
    """A source that does not understand the filter shows others too, and may show them as they were."""
    for key in range(1, 11):
        bench.put(key, at=NOON - timedelta(seconds=100))
    bench.put(50, at=NOON - timedelta(seconds=100), note="as it is")
    bench.poll()
    for key in range(1, 11):
        bench.put(key, at=NOON - timedelta(seconds=110), note="restored")
    as_it_was = {"id": 50, **record("LS50", updatedAt="2026-03-02T11:00:00Z", note="as it was")}

    def bend(page: DeliveryPage) -> DeliveryPage:
        by_ids = bench.client.requests[-1].startswith("ids=")
        return replace(page, records=(*page.records, as_it_was)) if by_ids else page

    bench.client.bend = bend
    bench.poll()

    assert bench.client.requests[-1].startswith("ids=")
    assert orjson.loads(bench.held()[50].raw)["note"] == "as it is"
    assert bench.differences() == {}


def test_many_stamps_that_went_back_are_confirmed_in_one_list(bench: Bench) -> None:
    """A restored source must not cost a request a row; what is gone is asked for singly."""
    for key in range(1, 21):
        bench.put(key, at=NOON - timedelta(seconds=100))
    bench.poll()
    for key in range(1, 21):
        bench.put(key, at=NOON - timedelta(seconds=110), note="restored")
    report = bench.poll()

    assert report.requests == 2
    assert bench.client.requests[-1].startswith("ids=")
    assert bench.differences() == {}


def test_a_doubt_that_nobody_could_ask_about_is_certified_by_nobody(bench: Bench) -> None:
    """The page is kept, but what it proves waits until the source could be asked by id."""
    bench.put(1, at=NOON - timedelta(seconds=100))
    bench.poll(2)
    certified = bench.spans()
    bench.put(1, at=NOON - timedelta(seconds=110), note="restored")
    bench.put(2)

    def cut(_number: int) -> None:
        if bench.client.requests[-1].startswith("id "):
            system, operation, detail = "logistic.cloud", "read a delivery", "the line is cut"
            raise Interrupted(system, operation, detail)

    bench.client.before = cut
    report = bench.poll()
    meanwhile = bench.spans()
    bench.client.before = lambda _number: None

    assert report.error is not None
    assert meanwhile == certified
    assert set(bench.held()) == {1, 2}
    assert bench.poll(2).error is None
    assert bench.spans()[0].window.until > certified[0].window.until
    assert bench.held()[1].stamp_went_back


@pytest.mark.parametrize("count", [1, 20], ids=["one by one", "in a list"])
def test_what_a_cache_says_about_a_doubt_is_neither_taken_nor_certified(bench: Bench, count: int) -> None:
    """It may be older than the doubt itself."""
    for key in range(1, count + 1):
        bench.put(key, at=NOON - timedelta(seconds=100))
    bench.poll(2)
    certified = bench.spans()
    for key in range(1, count + 1):
        bench.put(key, at=NOON - timedelta(seconds=110), note="restored")
    bench.source = replace(bench.source, client=_CachedById(bench.client))
    bench.restart()
    bench.poll(2)

    assert bench.spans() == certified
    assert not any(row.stamp_went_back for row in bench.held().values())


class _CachedById:
    """The source behind a cache that keeps what is asked for by id."""

    def __init__(self, client: DeliverySource) -> None:
        self._client = client

    def list_deliveries(self, query: DeliveryQuery, *, page: int, page_size: int) -> DeliveryPage:
        """Lists by time are fresh."""
        found = self._client.list_deliveries(query, page=page, page_size=page_size)
        return replace(found, age=5) if query.ids else found

    def get_delivery(self, delivery_id: int) -> DeliveryAnswer:
        """Kept for five seconds."""
        return replace(self._client.get_delivery(delivery_id), age=5)

    def server_time(self) -> ServerTime:
        """Fresh."""
        return self._client.server_time()


def test_line_items_are_held_as_completion_needs_them(bench: Bench) -> None:
    """Quantities exactly, in the article's unit."""
    item = {"id": 9, "status": "booked", "articleNumber": "A1", "articleUnit": "ST", "quantity": 5000}
    bench.put(1, lineItems=[item])
    bench.put(2, lineItems=None)
    bench.poll()
    held = {key: facts_of_row(row) for key, row in bench.held().items()}

    assert held[1].line_items == (
        LineItem(id=9, status="booked", article_number="A1", unit="ST", quantity=Decimal(5000)),
    )
    assert held[2].line_items is None


def _raise_in_window(bench: Bench, error: ConnectorError) -> None:
    if "updatedAtMax" in bench.client.requests[-1]:
        raise error
