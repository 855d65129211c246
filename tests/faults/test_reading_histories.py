"""Random histories of a warehouse under reading: whatever happens between two requests, nothing is missed."""

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connectors.errors import Interrupted
from connectors.logistic_cloud import DeliveryPage
from connectors.simulated.switches import PageOrder
from tests.clocks import ManualClock
from tests.reading_kit import ACCOUNT, Bench
from tests.reading_shadow import false_certificates, missed, windows
from worker.db import Database
from worker.db.tables import metadata
from worker.db.upgrade import upgrade
from worker.reading.normalizer import INBOUND_STATUSES, STATUSES
from worker.states import CoverageState

LAG = 20.0
# Some in every run, thousands in the long one.
EXAMPLES = 20
THOUSANDS = int(os.environ.get("WAYBILL_TEST_HISTORIES", "2000"))
# Seconds that a history may take on a busy machine, with what goes before the first one.
PATIENCE = 60 + 3 * EXAMPLES
# Histories are full of chance, so making one smaller makes another one: it would take long and tell nothing.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


# The share of answers within which rows move, where they do.
WITHIN = 0.3
# How often the other account is polled between two requests of one.
BESIDE = 0.2
# Answers that contradict themselves; two lies that fit each other are another story (test_certificate_conditions).
ODDITIES: tuple[Callable[[DeliveryPage], DeliveryPage], ...] = (
    lambda page: replace(page, total=None),
    lambda page: replace(page, total=0 if page.total is None else page.total + 1),
    lambda page: replace(page, total=None if not page.total else page.total - 1),
    lambda page: replace(page, records=page.records[1:]),
    lambda page: replace(page, records=(*page.records[:-1], *page.records[:1])),
    lambda page: replace(page, age=3),
)


class Crash(BaseException):
    """The process died here."""


@dataclass(frozen=True, slots=True)
class History:
    """What the warehouse is like, and how wild it gets; the rest follows from the seed."""

    seed: int
    order: PageOrder
    min_inclusive: bool
    max_inclusive: bool
    x_total: bool
    page_size: int
    rows: int
    burst: int
    changes: float
    late: float
    skew: float
    failures: float
    crashes: float
    within: bool
    counted_first: bool
    odd: float
    steps: float
    prepared: bool


HISTORIES = st.builds(
    History,
    seed=st.integers(0, 2**32),
    order=st.sampled_from(PageOrder),
    min_inclusive=st.booleans(),
    max_inclusive=st.booleans(),
    x_total=st.sampled_from([True, True, True, False]),
    page_size=st.sampled_from([3, 5, 10]),
    rows=st.integers(0, 60),
    burst=st.sampled_from([0, 0, 4, 12, 30]),
    changes=st.sampled_from([0.0, 0.3, 1.0, 3.0]),
    late=st.sampled_from([0.0, LAG / 2, LAG - 1]),
    skew=st.sampled_from([0.0, -LAG, -300.0]),
    failures=st.sampled_from([0.0, 0.05]),
    crashes=st.sampled_from([0.0, 0.05]),
    within=st.booleans(),
    counted_first=st.booleans(),
    odd=st.sampled_from([0.0, 0.0, 0.05]),
    steps=st.sampled_from([0.0, 0.0, 0.02]),
    prepared=st.booleans(),
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One database for all histories, emptied before each."""
    path: Path = tmp_path_factory.mktemp("histories")
    database = Database(f"sqlite:///{path}/w.db", ManualClock())
    # Nobody pulls the plug here: what a process that dies leaves behind does not depend on the disk.
    sa.event.listen(database.engine, "connect", lambda raw, _record: raw.execute("PRAGMA synchronous=OFF"))
    upgrade(database)
    yield database
    database.close()


class World:
    """A bench whose warehouse moves at every request."""

    def __init__(self, database: Database, history: History, account: str = ACCOUNT) -> None:
        self.history = history
        # What goes on beside it between any two requests.
        self.beside: Callable[[], None] = _nothing
        self.chance = random.Random(history.seed)  # noqa: S311
        self.clock = ManualClock()
        self.skew = history.skew
        switches: dict[str, Any] = {
            "page_order": history.order,
            "min_inclusive": history.min_inclusive,
            "max_inclusive": history.max_inclusive,
            "x_total": history.x_total,
            "visible_late_seconds": history.late,
            "date_skew_seconds": history.skew,
        }
        self.bench = Bench(
            database,
            self.clock,
            page_size=history.page_size,
            lag=LAG,
            seed=history.seed,
            **switches,
            account=account,
            prepared=history.prepared,
            start=self.clock.now() - timedelta(hours=1),
        )
        self.keys: list[int] = []
        self.fill()
        self.bench.client.before = self.moved
        self.bench.client.within = self.moved_within if history.within else None
        self.bench.client.counted_first = history.counted_first
        self.bench.client.bend = self.bent
        self.bench.checkpoint = self.passed

    def fill(self) -> None:
        """What is there before the first poll: spread over an hour, and some all on one second."""
        now = self.clock.now()
        burst_at = now - timedelta(seconds=self.chance.randint(100, 3000))
        for index in range(self.history.rows + self.history.burst):
            spread = now - timedelta(seconds=self.chance.randint(0, 3500))
            self.put(at=spread if index < self.history.rows else burst_at)

    def put(self, *, at: datetime | None = None) -> None:
        """A new delivery."""
        key = 1000 + len(self.keys)
        self.keys.append(key)
        self.bench.put(
            key,
            at=at,
            numberPurchaseOrder=f"PO{key % 7}",
            status=self.chance.choice(STATUSES),
            statusInbound=self.chance.choice(INBOUND_STATUSES),
        )

    def moved(self, _number: int) -> None:
        """Time goes by and rows move between any two requests; some requests fail, and the Date steps."""
        self.clock.advance(self.chance.choice([0.0, 0.1, 0.4, 1.0, 1.7]))
        self.move()
        self.beside()
        if self.chance.random() < self.history.steps:
            self.step()
        if self.chance.random() < self.history.failures:
            raise Interrupted(self.bench.source.name, "list deliveries", "the connection was reset")

    def moved_within(self, _number: int) -> None:
        """Rows move between the rows of an answer and their count, and the answer may be slow."""
        if self.chance.random() < WITHIN:
            self.clock.advance(self.chance.choice([0.0, 0.3, 3.0]))
            self.move()

    def move(self) -> None:
        """Some deliveries change, some are new."""
        for _ in range(self.times(self.history.changes)):
            if self.keys and self.chance.random() < 0.8:
                self.change(self.chance.choice(self.keys))
            else:
                self.put()

    def step(self) -> None:
        """The Date of answers jumps ahead or is put back."""
        self.skewed(self.skew + self.chance.choice([50.0, 8.0, -8.0, -50.0]))

    def skewed(self, seconds: float) -> None:
        """The Date is so far ahead of the stamps."""
        self.skew = seconds
        self.bench.warehouse.panel.change({"date_skew_seconds": seconds})

    def bent(self, page: DeliveryPage) -> DeliveryPage:
        """Some answers are odd: a wrong count or none, a row twice or left out, one of a cache."""
        if self.chance.random() >= self.history.odd or page.total is None:
            return page
        return self.chance.choice(ODDITIES)(page)

    def times(self, mean: float) -> int:
        """A whole number of times around a mean."""
        return int(mean) + (self.chance.random() < mean - int(mean))

    def change(self, key: int) -> None:
        """A delivery moves on, sometimes twice within one second."""
        for _ in range(self.chance.choice([1, 1, 2])):
            self.bench.warehouse.change(key, lambda record: record.update(note=str(self.chance.random())))

    def passed(self, _name: str) -> None:
        """The process may die at any named point."""
        if self.chance.random() < self.history.crashes:
            raise Crash

    def run(self) -> None:
        """One poll, or what is left of it."""
        self.clock.advance(5)
        try:
            self.bench.poller.run_once(force=True)
        except Crash:
            self.bench.restart()

    def quiet(self) -> None:
        """Nothing moves or fails any more, and everything that was late is visible."""
        self.history = replace(self.history, changes=0.0, failures=0.0, crashes=0.0, odd=0.0, steps=0.0)
        self.skewed(min(self.skew, self.history.skew))
        self.clock.advance(LAG * 4 - self.skew)

    def settle(self) -> None:
        """Poll until nothing is left to be read."""
        for _ in range(200):
            self.clock.advance(60)
            self.run()
            if self.bench.poller.caught_up() and not self.bench.poller.run_once(force=True).pending:
                return


def _nothing() -> None:
    """Nothing goes on beside it."""


def emptied(database: Database) -> None:
    """Nothing of another history is left."""
    with database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name != "firing_changes":
                connection.execute(sa.delete(table))


def hold(database: Database, history: History) -> None:
    """Let a history happen, and hold what was read against what is."""
    emptied(database)
    world = World(database, history)
    false: list[str] = []
    for _ in range(5):
        world.run()
        false += false_certificates(world.bench)
    world.quiet()
    world.settle()

    # While the Date is ahead nobody can know; once it is put back, what it told is forgotten.
    assert false == [] or history.steps
    assert false_certificates(world.bench) == []
    assert missed(world.bench) == []
    assert windows(world.bench, CoverageState.HOLE) == [] or not history.x_total


def histories(examples: int) -> settings:
    """So many histories."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=examples, deadline=None, phases=PHASES, suppress_health_check=checks)


@pytest.mark.timeout(PATIENCE)
@histories(EXAMPLES)
@given(history=HISTORIES)
def test_whatever_moves_between_requests_nothing_is_missed(database: Database, history: History) -> None:
    """Once the source is quiet no row is missing or stale, and at no time a certificate was false."""
    hold(database, history)


@pytest.mark.long
@pytest.mark.timeout(60 + 3 * THOUSANDS)
@histories(THOUSANDS)
@given(history=HISTORIES)
def test_in_thousands_of_histories_nothing_is_missed(database: Database, history: History) -> None:
    """The same, for as long as it takes."""
    hold(database, history)


def hold_apart(database: Database, history: History) -> None:
    """Let a history happen while another account, with the same ids and often failing, is polled in between."""
    emptied(database)
    other = World(database, replace(history, seed=history.seed + 1, failures=0.4), "other.logistic.cloud")
    world = World(database, history)
    chance = random.Random(history.seed)  # noqa: S311
    world.beside = lambda: other.run() if chance.random() < BESIDE else None
    for _ in range(5):
        world.run()
        other.run()
    for each in (world, other):
        each.quiet()
        each.settle()

        assert false_certificates(each.bench) == []
        assert missed(each.bench) == []


@pytest.mark.timeout(PATIENCE)
@histories(EXAMPLES // 6)
@given(history=HISTORIES)
def test_accounts_side_by_side_do_not_disturb_each_other(database: Database, history: History) -> None:
    """One breaks off at every other request or so, and dies; of neither a row is missed or a certificate false."""
    hold_apart(database, history)


@pytest.mark.long
@pytest.mark.timeout(60 + 6 * THOUSANDS)
@histories(THOUSANDS // 4)
@given(history=HISTORIES)
def test_in_hundreds_of_histories_accounts_do_not_disturb_each_other(database: Database, history: History) -> None:
    """The same, for as long as it takes."""
    hold_apart(database, history)


@pytest.mark.timeout(PATIENCE)
@histories(EXAMPLES // 6)
@given(history=HISTORIES)
def test_rows_later_than_the_lag_allows_raise_an_alarm_or_are_found_by_the_sweep(
    database: Database, history: History
) -> None:
    """Nobody can certify against a source that breaks the lag; in the end nothing is missed all the same."""
    emptied(database)
    world = World(database, replace(history, late=LAG * 4))
    for _ in range(5):
        world.run()
    world.quiet()
    world.settle()
    polled = set(missed(world.bench))
    report = world.bench.reading.sweep.run(world.bench.source, 1, lambda _word: None)
    found = {finding.delivery_id for finding in report.findings}

    assert polled <= found
    assert missed(world.bench) == []
