"""Stories of a source that need one condition of the certificates each; the comments say what would go wrong.

Answers hold three rows, the lag is 20 seconds. A story looks whenever certificates must be true, and at its end.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connectors.logistic_cloud import DeliveryPage
from connectors.simulated.switches import PageOrder
from tests.reading_kit import Bench
from tests.reading_shadow import false_certificates, missed

SIZE = 3
LAG = 20.0
_LONG_AGO = timedelta(minutes=30)
_SECOND = timedelta(seconds=1)


@dataclass
class Stage:
    """A bench, and what was seen to be wrong."""

    bench: Bench
    wrong: list[str] = field(default_factory=list)

    def look(self) -> None:
        """Hold what is certified against the shadow of the source."""
        self.wrong += [f"false certificate: {one}" for one in false_certificates(self.bench)]

    def poll(self, seconds: float = 60) -> None:
        """Poll once and look."""
        self.bench.poll(seconds=seconds)
        self.look()

    def settle(self) -> None:
        """The source behaves again, and is read for a while."""
        client = self.bench.client
        client.before, client.within, client.bend, client.misread = _nothing, None, _as_it_is, timedelta(0)
        self.bench.poll(4, seconds=90)
        self.look()
        self.wrong += [f"missed: {key}" for key in missed(self.bench)]

    def rows(self, count: int, *, apart: float = 60, ago: timedelta = _LONG_AGO, first: int = 1) -> None:
        """So many deliveries, the first the oldest."""
        for index in range(count):
            at = self.bench.clock.now() - ago + timedelta(seconds=index * apart)
            self.bench.put(first + index, at=at)

    def change(self, key: int) -> None:
        """A delivery moves on: it leaves the window that it was in."""
        self.bench.warehouse.change(key, lambda record: record.update(note="moved on"))

    @property
    def asked(self) -> str:
        """The request under way."""
        return self.bench.client.requests[-1]

    def of_a_window(self, page: int) -> bool:
        """Whether the request under way asks for that page of a window."""
        return "updatedAtMax" in self.asked and "status" not in self.asked and f"page={page}&" in self.asked

    def nth(self, page: int, number: int, then: Callable[[], None]) -> Callable[[int], None]:
        """Do something in the request that is the `number`th for that page of a window."""
        left = iter(range(number))

        def within(_turn: int) -> None:
            if self.of_a_window(page) and next(left, None) == number - 1:
                then()

        return within


def _nothing(_turn: int) -> None:
    """Nothing happens."""


def _as_it_is(page: DeliveryPage) -> DeliveryPage:
    return page


def _ids(page: DeliveryPage) -> list[int]:
    return [record["id"] for record in page.records if isinstance(record, dict)]


def a_server_that_gives_fewer_rows_than_it_says(stage: Stage) -> None:
    """Two rows a page, without a word: the count is all that tells."""
    stage.rows(5)
    stage.bench.client.bend = lambda page: replace(page, records=page.records[:2], page_size=None)
    stage.poll()
    stage.settle()


def a_server_that_counts_nothing_and_gives_fewer_rows(stage: Stage) -> None:
    """Two rows a page and no count: only the next page tells."""
    stage.bench.warehouse.panel.change({"x_total": False})
    a_server_that_gives_fewer_rows_than_it_says(stage)


def a_count_of_the_rows_on_the_page(stage: Stage) -> None:
    """X-Total says how many rows the page has: only that it is full tells."""
    stage.rows(5)
    stage.bench.client.bend = lambda page: replace(page, total=len(page.records))
    stage.poll()
    stage.settle()


def a_row_in_the_place_of_another(stage: Stage) -> None:
    """One row is shown twice, and another one not at all."""
    stage.rows(2)
    stage.bench.client.bend = lambda page: replace(page, records=(*page.records[:-1], *page.records[:1]))
    stage.poll()
    stage.settle()


def a_cache_in_between(stage: Stage) -> None:
    """A cache answers the tail with what it heard before a row came; a new process then knows a newer time."""
    kept: list[DeliveryPage] = []

    def keeping(page: DeliveryPage) -> DeliveryPage:
        kept.append(page)
        return page

    stage.bench.client.bend = keeping
    stage.poll()
    stage.bench.clock.advance(5)
    stage.rows(1, ago=timedelta(0))
    stage.bench.restart()

    def cached(page: DeliveryPage) -> DeliveryPage:
        listing = "updatedAtMin" in stage.asked and "updatedAtMax" not in stage.asked
        return replace(kept[-1], age=300, turn=page.turn) if listing else page

    stage.bench.client.bend = cached
    stage.poll(seconds=300)
    stage.settle()


def a_filter_of_another_zone(stage: Stage) -> None:
    """The source takes instants for those of a zone an hour off: it leaves out rows, and shows one from elsewhere."""
    start = stage.bench.clock.now() - timedelta(days=1)
    stage.bench.put(1, at=start + timedelta(minutes=30))
    stage.rows(3, first=2)
    stage.rows(1, first=5, ago=timedelta(seconds=-55))
    stage.bench.client.misread = timedelta(hours=1)
    stage.poll()
    stage.settle()


def ends_that_are_left_out(stage: Stage) -> None:
    """Rows on every second, and ends that don't belong to what was asked: windows cut in two would lose their ends."""
    stage.bench.warehouse.panel.change({"min_inclusive": False, "max_inclusive": False, "x_total": False})
    stage.rows(12, apart=1)
    stage.poll()
    stage.settle()


def a_slow_answer(stage: Stage) -> None:
    """A row comes after the rows were listed and counted, and the answer's Date is later still."""
    stage.poll()

    def slow(page: DeliveryPage) -> DeliveryPage:
        stage.bench.client.bend = _as_it_is
        stage.rows(1, ago=timedelta(seconds=-1))
        stage.bench.clock.advance(60)
        return replace(page, server_time=stage.bench.clock.now())

    stage.bench.client.bend = slow
    stage.poll()
    stage.settle()


def a_clock_of_ours_that_is_fast(stage: Stage) -> None:
    """By a clock an hour fast the next hour is closed, and rows are still to come in it."""
    stage.poll()
    stage.rows(1, ago=timedelta(0))
    stage.look()
    stage.settle()


def a_row_visible_late(stage: Stage) -> None:
    """A row can be read fifteen seconds after its stamp, which the lag allows for."""
    stage.bench.warehouse.panel.change({"visible_late_seconds": 15.0, "visible_late_share": 1.0})
    stage.poll()
    for key in range(1, 6):
        stage.bench.put(key)
        stage.poll(seconds=5)
    stage.settle()


def _come_late(stage: Stage, key: int, seconds: float) -> None:
    """A row becomes visible so long after its stamp."""
    stage.bench.put(key, at=stage.bench.clock.now() - timedelta(seconds=seconds))


def a_row_visible_later_than_the_lag(stage: Stage) -> None:
    """The band below what is certified is read again; without it the row would never be seen."""
    stage.bench.poll(3)
    _come_late(stage, 1, LAG * 2)
    stage.bench.poll(2)
    stage.settle()


def a_row_later_than_the_band(stage: Stage) -> None:
    """Two late rows, one of them later than the band: the reopened seconds show it."""
    stage.bench.poll(20)
    _come_late(stage, 1, LAG * 2)
    _come_late(stage, 2, LAG * 3.5)
    stage.bench.poll(2)
    stage.settle()


def two_late_rows(stage: Stage) -> None:
    """A late row raises the lag on the very answer that would certify seconds in which another one is still to come."""
    stage.bench.poll(4, seconds=1)
    stage.bench.poll(seconds=15)
    stage.bench.clock.advance(1)
    _come_late(stage, 1, 40)
    stage.bench.poll(seconds=0)
    stage.bench.clock.advance(5)
    _come_late(stage, 2, 35)
    stage.look()
    stage.settle()


def a_date_an_hour_ahead(stage: Stage) -> None:
    """For a while the Date is an hour ahead: what it closed is forgotten once it steps back."""
    stage.bench.poll()
    stage.bench.warehouse.panel.change({"date_skew_seconds": 3600.0})
    stage.bench.poll(2)
    stage.bench.warehouse.panel.change({"date_skew_seconds": 0.0})
    stage.bench.poll()
    stage.rows(1, ago=timedelta(0))
    stage.settle()


def a_date_ahead_while_rows_come(stage: Stage) -> None:
    """Rows come while the Date is five minutes ahead: the seconds that they carry were closed before they came."""
    stage.bench.poll(4)
    stage.bench.warehouse.panel.change({"date_skew_seconds": 300.0})
    for key in range(1, 20):
        stage.bench.poll(seconds=30)
        stage.bench.put(key)
    stage.bench.warehouse.panel.change({"date_skew_seconds": 0.0})
    stage.bench.poll(seconds=30)
    stage.settle()


def a_date_put_back_between_two_polls(stage: Stage) -> None:
    """The Date was a minute ahead and is put back while nobody asks for two: no Date is before an earlier one."""
    stage.bench.poll(4)
    stage.bench.warehouse.panel.change({"date_skew_seconds": 60.0})
    for key in range(1, 10):
        stage.bench.poll(seconds=10)
        stage.bench.put(key)
    stage.bench.warehouse.panel.change({"date_skew_seconds": 0.0})
    stage.bench.poll(seconds=120)
    stage.settle()


def a_date_that_steps_back_in_the_middle(stage: Stage) -> None:
    """A long reading began by a Date an hour ahead; it must not certify the hour when the Date was put right."""
    stage.rows(75, apart=20, first=10)
    # Without a count the reading goes in halves, one of which ends within the hour.
    stage.bench.warehouse.panel.change({"date_skew_seconds": 3600.0, "x_total": False})
    stage.bench.client.before = lambda _turn: stage.bench.clock.advance(1)
    stage.bench.poll()
    stage.bench.warehouse.panel.change({"date_skew_seconds": 0.0})
    stage.bench.poll(10)
    stage.rows(1, ago=timedelta(0))
    stage.look()
    stage.settle()


def a_row_that_leaves_between_rows_and_count(stage: Stage) -> None:
    """Page 0 lists a row that is gone when it is counted: the rest moves up and one row is on no page."""
    stage.rows(7)
    stage.bench.client.within = stage.nth(0, 2, lambda: stage.change(1))
    stage.poll()
    stage.settle()


def a_replica_that_is_behind(stage: Stage) -> None:
    """The count and the last page come from a replica without the last row; the page in between tells."""
    stage.rows(5)
    answers = iter(range(3))

    def bend(page: DeliveryPage) -> DeliveryPage:
        if "updatedAtMax" not in stage.asked or next(answers, 1) == 1 or page.total is None:
            return page
        records = tuple(record for record in page.records if isinstance(record, dict) and record["id"] != 5)
        return replace(page, records=records, total=page.total - 1)

    stage.bench.client.bend = bend
    stage.poll()
    stage.settle()


def pages_in_another_order_each_time(stage: Stage) -> None:
    """Some records come on two pages, others on none; counts and ends are right."""
    stage.bench.warehouse.panel.change({"page_order": PageOrder.SHUFFLED})
    stage.rows(11)
    stage.poll()
    stage.settle()


def a_count_with_a_cap(stage: Stage) -> None:
    """X-Total says six at most."""
    stage.rows(8)
    cap = 6
    stage.bench.client.bend = lambda page: replace(page, total=None if page.total is None else min(cap, page.total))
    stage.poll()
    stage.settle()


def _one_second(stage: Stage) -> None:
    """Seven rows on one second, the last one of a status that nobody knows; a pass over them is spoilt."""
    stage.bench.warehouse.panel.change({"min_inclusive": False, "max_inclusive": False})
    at = stage.bench.clock.now() - _LONG_AGO
    for key, status in enumerate(["draft", "draft", "approved", "approved", "error", "error", "weird"], start=1):
        stage.bench.put(key, at=at, status=status)


def _spoilt(stage: Stage) -> Callable[[DeliveryPage], DeliveryPage]:
    """The first page of a pass comes from a cache, until parts were tried; the count before it stands."""

    def bend(page: DeliveryPage) -> DeliveryPage:
        again = stage.bench.client.requests.count(stage.asked) > 1
        in_parts = any("status=" in told for told in stage.bench.client.requests)
        return replace(page, age=1) if stage.of_a_window(0) and again and not in_parts else page

    return bend


def a_status_that_nobody_knows(stage: Stage) -> None:
    """The parts by status leave a row out."""
    _one_second(stage)
    stage.bench.client.bend = _spoilt(stage)
    stage.poll()
    stage.settle()


def a_count_that_is_one_too_low(stage: Stage) -> None:
    """The parts by status leave a row out, and the count before them was wrong by one."""
    _one_second(stage)
    second = stage.bench.clock.now() - _LONG_AGO
    ends = [f"{second + by:updatedAtM{end}=%Y-%m-%dT%H:%M:%SZ}" for end, by in (("in", -_SECOND), ("ax", _SECOND))]
    spoilt = _spoilt(stage)

    def bend(page: DeliveryPage) -> DeliveryPage:
        first = stage.bench.client.requests.count(stage.asked) == 1
        narrow = all(end in stage.asked for end in ends) and stage.of_a_window(0)
        return replace(page, total=6) if narrow and first else spoilt(page)

    stage.bench.client.bend = bend
    stage.poll()
    stage.settle()


def a_row_that_leaves_after_its_part(stage: Stage) -> None:
    """A row was found in its part and left: the count after the parts fits, though one was never found."""
    _one_second(stage)
    stage.bench.client.bend = _spoilt(stage)
    moved = iter(range(1))

    def before(_turn: int) -> None:
        if "status=completed" in stage.asked and next(moved, None) is not None:
            stage.change(1)

    stage.bench.client.before = before
    stage.poll()
    stage.settle()


def a_row_that_leaves_a_second_under_gathering(stage: Stage) -> None:
    """A row came and left: the rest moves up, and as many came as there are now, though one was on no page."""
    at = stage.bench.clock.now() - _LONG_AGO
    for key in range(1, 10):
        stage.bench.put(key, at=at)
    moved = iter(range(1))

    second = f"{at - _SECOND:updatedAtMin=%Y-%m-%dT%H:%M:%SZ}&{at + _SECOND:updatedAtMax=%Y-%m-%dT%H:%M:%SZ}"

    def under_gathering() -> bool:
        """Whether the request under way is for their second, and parts by status were tried before."""
        in_parts = any(told.startswith(f"{second}&status=") for told in stage.bench.client.requests)
        return in_parts and stage.asked.startswith(second)

    def bend(page: DeliveryPage) -> DeliveryPage:
        behind = "updatedAtMax" in stage.asked and "page=0&" not in stage.asked
        return replace(page, records=()) if behind and not under_gathering() else page

    def before(_turn: int) -> None:
        if stage.of_a_window(2) and under_gathering() and next(moved, None) is not None:
            stage.change(1)

    stage.bench.client.bend, stage.bench.client.before = bend, before
    stage.poll()
    stage.settle()


def a_row_that_enters_the_second_above(stage: Stage) -> None:
    """One row leaves the window and another enters the second above, so that the count stays: one is on no page."""
    stage.rows(7)
    second_above: list[datetime] = []

    def swap() -> None:
        end = stage.asked.split("updatedAtMax=")[1][: len("2026-03-02T12:00:00")]
        second_above.append(datetime.fromisoformat(f"{end}+00:00"))
        stage.change(1)
        stage.bench.put(99, at=second_above[0])

    open_second = stage.bench.clock.now() + timedelta(seconds=60 - LAG)

    def before(turn: int) -> None:
        still_open = stage.of_a_window(1) and open_second.strftime("updatedAtMax=%Y-%m-%dT%H:%M:%S") in stage.asked
        if still_open and not second_above:
            swap()
        del turn

    stage.bench.client.before = before
    stage.poll()
    stage.settle()
