"""What Prometheus scrapes: read from the database at the scrape, so that every process tells the same."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from worker import coverage
from worker.db import Database
from worker.db.tables import accounts, attempts, events, firings, orders, set_aside, switches, tasks
from worker.db.tables import coverage as spans
from worker.pulse import Pulse
from worker.states import CoverageState, FiringState, OrderState, TaskState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Everything(Collector):
    """All families, in one consistent reading of the database."""

    def __init__(self, database: Database, pulse: Pulse) -> None:
        self._database = database
        self._pulse = pulse

    def collect(self) -> Iterable[Metric]:
        """Raises DatabaseUnavailable."""
        yield self._loops()
        with self._database.read() as connection:
            now = self._database.now(connection)
            yield from _states(connection)
            yield from _accounts(connection, now)
            yield from _totals(connection)
            yield _switches(connection)

    def _loops(self) -> Metric:
        family = GaugeMetricFamily("waybill_loop_age_seconds", "Seconds since a loop's last progress.", labels=["loop"])
        for name, age in self._pulse.ages().items():
            family.add_metric([name], age)
        return family


def exposition(database: Database, pulse: Pulse) -> bytes:
    """The metrics as Prometheus reads them. Raises DatabaseUnavailable."""
    registry = CollectorRegistry()
    # Registered without being described first: that would read the database once more.
    registry.register(_Everything(database, pulse))
    return generate_latest(registry)


def _states(connection: sa.Connection) -> Iterator[Metric]:
    yield _by_state(connection, "tasks", "Tasks that are kept, by state.", tasks, TaskState)
    yield _by_state(connection, "orders", "Orders by state.", orders, OrderState)
    yield _by_state(connection, "firings", "Firings by state.", firings, FiringState)


def _by_state(
    connection: sa.Connection, name: str, about: str, table: sa.Table, states: type[StrEnum]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"waybill_{name}", about, labels=["state"])
    rows = connection.execute(sa.select(table.c.state, sa.func.count()).group_by(table.c.state))
    counts = {str(state): int(count) for state, count in rows}
    # A state without rows is told as 0: an alert cannot fire on a series that is not there.
    for state in states:
        family.add_metric([state.value], counts.get(state.value, 0))
    return family


def _accounts(connection: sa.Connection, now: datetime) -> Iterator[Metric]:
    lag = GaugeMetricFamily("waybill_lag_seconds", "Seconds behind which all is certified.", labels=["account"])
    answer = GaugeMetricFamily("waybill_last_answer_seconds", "Seconds since the last answer.", labels=["account"])
    stopped = GaugeMetricFamily("waybill_account_stopped", "1 while an account refuses us.", labels=["account"])
    holes = GaugeMetricFamily("waybill_coverage_holes", "Holes in the coverage.", labels=["account"])
    for row in connection.execute(sa.select(accounts).order_by(accounts.c.name)).all():
        until = coverage.certified_until(connection, row.name, row.start)
        certified = row.start if until is None else until
        lag.add_metric([row.name], now.timestamp() - certified)
        stopped.add_metric([row.name], 0 if row.stopped_reason is None else 1)
        holes.add_metric([row.name], _holes(connection, row.name))
        if row.server_time is not None:
            answer.add_metric([row.name], (now - row.server_time).total_seconds())
    yield from (lag, answer, stopped, holes)


def _holes(connection: sa.Connection, account: str) -> int:
    statement = sa.select(sa.func.count()).select_from(spans)
    holes = statement.where(spans.c.account == account, spans.c.state == CoverageState.HOLE)
    return int(connection.execute(holes).scalar_one())


def _totals(connection: sa.Connection) -> Iterator[Metric]:
    # Positions only grow, whatever is pruned.
    last = connection.execute(sa.select(sa.func.max(events.c.position))).scalar_one_or_none()
    yield CounterMetricFamily("waybill_events", "Events appended to the log.", value=0 if last is None else last)
    confirmed = sa.select(sa.func.coalesce(sa.func.sum(firings.c.kg), 0)).where(
        firings.c.state == FiringState.CONFIRMED
    )
    kilograms = connection.execute(confirmed).scalar_one()
    yield CounterMetricFamily("waybill_credits_confirmed_kg", "Kilograms confirmed.", value=int(kilograms))
    yield _attempts(connection)
    open_records = sa.select(sa.func.count()).select_from(set_aside).where(set_aside.c.closed_at.is_(None))
    count = int(connection.execute(open_records).scalar_one())
    yield GaugeMetricFamily("waybill_records_set_aside", "Records that did not parse.", value=count)


def _attempts(connection: sa.Connection) -> CounterMetricFamily:
    family = CounterMetricFamily("waybill_attempts", "Requests to deliver credits, by outcome.", labels=["outcome"])
    rows = connection.execute(sa.select(attempts.c.outcome, sa.func.count()).group_by(attempts.c.outcome))
    for outcome, count in rows:
        family.add_metric(["under_way" if outcome is None else str(outcome)], int(count))
    return family


def _switches(connection: sa.Connection) -> GaugeMetricFamily:
    family = GaugeMetricFamily("waybill_switch_on", "1 while a switch is on.", labels=["switch"])
    for row in connection.execute(sa.select(switches.c.name, switches.c.on).order_by(switches.c.name)):
        family.add_metric([row.name], 1 if row.on else 0)
    return family
