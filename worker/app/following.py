"""Following the sources: readers of the accounts, and what they find decided about orders."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from functools import cached_property, partial

import sqlalchemy as sa
import structlog

from settings import Settings
from worker.app.clients import Clients
from worker.app.customers import Customers
from worker.app.reading import Reading
from worker.budget import Lane
from worker.checkpoints import Checkpoint
from worker.clock import Clock
from worker.db import Database
from worker.event_log import EventLog
from worker.events import OrderKey
from worker.leases import Leases
from worker.orders.completion import Completion
from worker.orders.links import Links
from worker.reading import accounts
from worker.reading.account_source import AccountSource
from worker.reading.accounts import Accounts
from worker.reading.backfill import Backfill, BackfillReport
from worker.reading.first_pages import FirstPages
from worker.reading.headway import Tell
from worker.reading.observations import Observations
from worker.reading.order_reader import OrderReader
from worker.reading.poller import Poller
from worker.reading.recorder import Recorder
from worker.reading.rhythm import Rhythm
from worker.reading.sweep import Sweep, SweepReport
from worker.reading.tail import Tail
from worker.reading.window_job import WindowDesk
from worker.reading.windows import WindowReader
from worker.runtime import backfills
from worker.runtime.jobs import Result
from worker.runtime.stopping import Stop
from worker.standing import OrderReading

_log = structlog.get_logger(__name__)


class Following:
    """The readers and the order service of one process."""

    def __init__(
        self,
        *,
        settings: Settings,
        clients: Clients,
        customers: Customers,
        database: Database,
        event_log: EventLog,
        clock: Clock,
        checkpoint: Checkpoint,
        stop: Stop,
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._customers = customers
        self._database = database
        self._event_log = event_log
        self._clock = clock
        self._checkpoint = checkpoint
        self._stop = stop
        self.links = Links()

    @cached_property
    def sources(self) -> Mapping[str, AccountSource]:
        """Every account with a key."""
        return self._in_lane(Lane.POLL)

    @cached_property
    def _background(self) -> Mapping[str, AccountSource]:
        return self._in_lane(Lane.BACKGROUND)

    def _in_lane(self, lane: Lane) -> Mapping[str, AccountSource]:
        found = [self._clients.source(account, lane) for account in self._settings.accounts]
        return {source.name: source for source in found if source is not None}

    @cached_property
    def completion(self) -> Completion:
        """What decides about orders."""
        return Completion(
            database=self._database,
            event_log=self._event_log,
            links=self.links,
            read_order=self._read_order,
            begin_reading=self._begin_reading,
            server_time=_server_time,
            quiet_seconds=self._settings.credits.quiet_seconds,
            checkpoint=self._checkpoint,
            gates=self._customers.gates,
        )

    def _read_order(self, key: OrderKey) -> OrderReading:
        """What is read before an order is called complete: its deliveries, and the customer orders that they name."""
        reading = self._urgent.read(key)
        self._customers.read_for(key)
        return reading

    @contextmanager
    def _begin_reading(self, key: OrderKey) -> Iterator[Callable[[], OrderReading]]:
        """The same before sending: barmate, where it is asked most, in a thread of its own meanwhile."""
        with self._customers.begin_reading(key) as customers_read:
            reading = self._urgent.read(key)

            def finish() -> OrderReading:
                customers_read()
                return reading

            yield finish

    @cached_property
    def _urgent(self) -> OrderReader:
        return self._order_reader(Lane.FIRING)

    def reading(self, *, leases: Leases | None, wake: Callable[[], None]) -> Reading:
        """The pollers, and the jobs about accounts."""
        return Reading(
            pollers=[self._poller(source) for source in self.sources.values()],
            backfill=self._backfill,
            sweep=self._sweep,
            rhythms={
                account.name: Rhythm(
                    idle_seconds=account.poll_seconds, turn_seconds=partial(self._clients.turn_seconds, account.name)
                )
                for account in self._settings.accounts
            },
            leases=leases,
            wake=wake,
            rest=self._clients.rest,
        )

    def _backfill(self, account: str, since: datetime, until: datetime, tell: Tell) -> Result:
        backfill = Backfill(database=self._database, accounts=self._accounts, windows=self._windows, clock=self._clock)
        return _document(backfill.run(self._background[account], since, until, tell))

    def _sweep(self, account: str, tell: Tell) -> Result:
        days = {found.name: found.sweep_days for found in self._settings.accounts}[account]
        sweep = Sweep(
            database=self._database,
            recorder=self.recorder,
            windows=self._windows,
            order_reader=self._order_reader(Lane.BACKGROUND),
            clock=self._clock,
        )
        report = sweep.run(self._background[account], days, tell)
        _log_sweep(report)
        return _document(report)

    @cached_property
    def _accounts(self) -> Accounts:
        return Accounts(self._event_log)

    @cached_property
    def recorder(self) -> Recorder:
        """What takes readings into the store."""
        return Recorder(
            database=self._database,
            observations=Observations(self._event_log),
            first_pages=FirstPages(self._event_log),
            accounts=self._accounts,
            clock=self._clock,
            checkpoint=self._checkpoint,
        )

    @cached_property
    def _windows(self) -> WindowReader:
        desk = WindowDesk(database=self._database, recorder=self.recorder, accounts=self._accounts, clock=self._clock)
        return WindowReader(desk)

    def _order_reader(self, lane: Lane) -> OrderReader:
        sources = self._in_lane(lane)
        return OrderReader(sources=sources, database=self._database, recorder=self.recorder, clock=self._clock)

    def _poller(self, source: AccountSource) -> Poller:
        tail = Tail(
            source=source,
            database=self._database,
            recorder=self.recorder,
            accounts=self._accounts,
            clock=self._clock,
        )
        return Poller(
            source=source,
            filling=self._background[source.name],
            read_elsewhere=lambda connection: backfills.under_way(connection, source.name),
            database=self._database,
            accounts=self._accounts,
            tail=tail,
            windows=self._windows,
            clock=self._clock,
            stopping=lambda: self._stop.requested,
            waits=self._clients.waits(source.name),
        )


def _server_time(connection: sa.Connection, account: str) -> datetime | None:
    found = accounts.find_or_none(connection, account)
    return None if found is None else found.server_time


def _log_sweep(report: SweepReport) -> None:
    _log.info(
        "swept",
        account=report.account,
        requests=report.requests,
        rows=report.rows,
        appeared=report.appeared,
        changed=report.changed,
        vanished=report.vanished,
    )
    for finding in report.findings:
        _log.warning("polling had not seen it", account=report.account, delivery=finding.delivery_id, why=finding.why)
    for reason in report.unread:
        _log.warning("the sweep could not read it", account=report.account, why=reason)


def _document(report: BackfillReport | SweepReport) -> Result:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(report).items()}
