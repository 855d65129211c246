"""What Prometheus scrapes: read from the database at the scrape, so that every process tells the same."""

from collections.abc import Iterable, Iterator, Mapping

import sqlalchemy as sa
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from worker.db import Database
from worker.db.tables import accounts, attempts, firings, switches
from worker.runtime.pulse import Pulse
from worker.runtime.status import Status, read_status
from worker.states import FiringState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Everything(Collector):
    """All families."""

    def __init__(self, database: Database, pulse: Pulse, calls: Mapping[str, int]) -> None:
        self._database = database
        self._pulse = pulse
        self._calls = calls

    def collect(self) -> Iterable[Metric]:
        """Raises DatabaseUnavailable."""
        yield _gauges("waybill_loop_age_seconds", "Seconds since a loop's last progress.", "loop", self._pulse.ages())
        yield _heard(self._calls)
        # Whether anything is mirrored decides only what is due soon, which is not told here.
        yield from _of_status(read_status(self._database, mirroring=True))
        with self._database.read() as connection:
            yield _answers(connection, self._database)
            yield _confirmed(connection)
            yield _attempts(connection)
            yield _switches(connection)


def exposition(database: Database, pulse: Pulse, calls: Mapping[str, int]) -> bytes:
    """The metrics as Prometheus reads them. Raises DatabaseUnavailable."""
    registry = CollectorRegistry()
    registry.register(_Everything(database, pulse, calls))
    return generate_latest(registry)


def _of_status(status: Status) -> Iterator[Metric]:
    yield _gauges("waybill_tasks", "Tasks that are kept, by state.", "state", status.tasks)
    yield _gauges("waybill_orders", "Orders by state.", "state", status.orders)
    yield _gauges("waybill_firings", "Firings by state.", "state", status.firings)
    yield _gauges("waybill_responses", "Responses to customer orders by state.", "state", status.responses)
    lags = {one.account: one.lag_seconds for one in status.accounts if one.lag_seconds is not None}
    yield _gauges("waybill_lag_seconds", "Seconds up to which everything before is certified.", "account", lags)
    holes = {one.account: one.holes for one in status.accounts}
    yield _gauges("waybill_coverage_holes", "Holes in the coverage.", "account", holes)
    pending = {one.account: one.pending for one in status.accounts}
    yield _gauges("waybill_coverage_pending", "Spans not read yet.", "account", pending)
    stopped = {one.account: int(one.stopped is not None) for one in status.accounts}
    stopped |= {one.account: int(one.stopped is not None) for one in status.barmate}
    yield _gauges("waybill_account_stopped", "1 while an account refuses us.", "account", stopped)
    for name, says in (
        ("open", "Customer orders that are not final."),
        ("unread", "Customer orders never read by their id."),
        ("wanted", "Customer orders to be read by their id now."),
    ):
        counts = {one.account: getattr(one, name) for one in status.barmate}
        yield _gauges(f"waybill_customer_orders_{name}", says, "account", counts)
    yield GaugeMetricFamily("waybill_records_set_aside", "Records that did not parse.", value=status.set_aside)
    yield CounterMetricFamily("waybill_events", "Events appended to the log.", value=status.events)


def _gauges(name: str, about: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _heard(calls: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily("waybill_barmate_calls", "Calls of barmate's webhooks here.", labels=["outcome"])
    for outcome, count in calls.items():
        family.add_metric([outcome], count)
    return family


def _answers(connection: sa.Connection, database: Database) -> GaugeMetricFamily:
    now = database.now(connection)
    rows = connection.execute(sa.select(accounts.c.name, accounts.c.server_time).order_by(accounts.c.name))
    ages = {row.name: (now - row.server_time).total_seconds() for row in rows if row.server_time is not None}
    return _gauges("waybill_last_answer_seconds", "Seconds since an account's last answer.", "account", ages)


def _confirmed(connection: sa.Connection) -> CounterMetricFamily:
    total = sa.func.coalesce(sa.func.sum(firings.c.kg), 0)
    kilograms = connection.execute(sa.select(total).where(firings.c.state == FiringState.CONFIRMED)).scalar_one()
    return CounterMetricFamily("waybill_credits_confirmed_kg", "Kilograms confirmed.", value=int(kilograms))


def _attempts(connection: sa.Connection) -> CounterMetricFamily:
    family = CounterMetricFamily("waybill_attempts", "Requests to deliver credits, by outcome.", labels=["outcome"])
    rows = connection.execute(sa.select(attempts.c.outcome, sa.func.count()).group_by(attempts.c.outcome))
    for outcome, count in rows:
        family.add_metric(["under_way" if outcome is None else str(outcome)], int(count))
    return family


def _switches(connection: sa.Connection) -> GaugeMetricFamily:
    rows = connection.execute(sa.select(switches.c.name, switches.c.on).order_by(switches.c.name))
    return _gauges("waybill_switch_on", "1 while a switch is on.", "switch", {row.name: int(row.on) for row in rows})
