"""What tests of reading share: a warehouse in process as the source, a database, and the readers on both."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from connectors.logistic_cloud import DeliveryAnswer, DeliveryPage, DeliveryQuery, ServerTime
from connectors.simulated.switches import Panel, WarehouseSwitches
from connectors.simulated.warehouse import Page, Warehouse
from connectors.simulated.warehouse_query import DeliveryFilter, parse_filter
from connectors.simulated.warehouse_words import JsonObject
from tests.clocks import NOON, ManualClock
from tests.preparing_kit import long_lists
from worker.checkpoints import Checkpoint, nothing
from worker.db import Database
from worker.db.tables import deliveries, events
from worker.event_log import EventLog
from worker.reading.account_source import AccountSource
from worker.reading.accounts import Accounts
from worker.reading.backfill import Backfill
from worker.reading.coverage import spans
from worker.reading.first_pages import FirstPages
from worker.reading.observations import Observations
from worker.reading.order_reader import OrderReader
from worker.reading.poller import Poller, PollReport
from worker.reading.recorder import Recorder
from worker.reading.spans import Span
from worker.reading.sweep import Sweep
from worker.reading.tail import Tail
from worker.reading.window_job import WindowDesk
from worker.reading.windows import WindowReader
from worker.tasks import Tasks

ACCOUNT = "acme.logistic.cloud"
START = NOON - timedelta(days=1)


def record(number: str = "LS1", **changes: object) -> JsonObject:
    """A delivery as the warehouse's documents show it; the warehouse adds the stamps."""
    return {
        "customerId": 1000050,
        "status": "approved",
        "statusInbound": "new",
        "number": number,
        "numberExternal": None,
        "numberPurchaseOrder": "PO1",
        "date": "2026-03-02T09:30:00Z",
        "priority": "normal",
        "note": None,
        "attributes": None,
        "lineItems": [],
        **changes,
    }


@dataclass(slots=True)
class WarehouseSource:
    """The warehouse as a client sees it, without HTTP: every request takes a turn and may be disturbed."""

    warehouse: Warehouse
    turn: int = 0
    requests: list[str] = field(default_factory=list)
    # Called before each request, with its number: moves rows, time, or raises a ConnectorError.
    before: Callable[[int], None] = lambda _number: None
    # Called within each request, with its number: between the rows and their count, and before the Date.
    within: Callable[[int], None] | None = None
    # Whether the count is made before the rows are listed.
    counted_first: bool = False
    # Changes the page on its way.
    bend: Callable[[DeliveryPage], DeliveryPage] = lambda page: page
    # How far the source misunderstands the instants of filters, as a server that takes them for local time.
    misread: timedelta = timedelta(0)
    # The filter by purchase order ignores case, as a database may.
    fold_case: bool = False

    def list_deliveries(self, query: DeliveryQuery, *, page: int, page_size: int) -> DeliveryPage:
        """One page, as the twin answers."""
        params = [*self._misread(query).params(), ("page", str(page)), ("pageSize", str(page_size))]
        self._begin("&".join(f"{name}={value}" for name, value in params))
        found = self._found(parse_filter(params))
        if self.fold_case and query.purchase_order is not None:
            found = self._folded(query.purchase_order)
        return self.bend(
            DeliveryPage(
                records=tuple(orjson.loads(body) for body in found.bodies),
                total=found.total if self.warehouse.panel.now.x_total else None,
                page_size=page_size,
                server_time=self._date(),
                age=self.warehouse.panel.now.age_seconds,
                turn=self.turn,
            )
        )

    def _misread(self, query: DeliveryQuery) -> DeliveryQuery:
        low, high = query.updated_min, query.updated_max
        return replace(
            query,
            updated_min=None if low is None else low + self.misread,
            updated_max=None if high is None else high + self.misread,
        )

    def _found(self, asked: DeliveryFilter) -> Page:
        """Rows and their count, between which something may happen."""
        first = self.warehouse.find(asked)
        if self.within is None:
            return first
        self.within(self.turn)
        second = self.warehouse.find(asked)
        rows, count = (second, first) if self.counted_first else (first, second)
        return Page(bodies=rows.bodies, total=count.total)

    def _folded(self, number: str) -> Page:
        rows = [orjson.loads(body) for body in self.warehouse.find(parse_filter([("pageSize", "250")])).bodies]
        same = [row for row in rows if str(row["numberPurchaseOrder"]).lower() == number.lower()]
        return Page(bodies=tuple(orjson.dumps(row) for row in same), total=len(same))

    def get_delivery(self, delivery_id: int) -> DeliveryAnswer:
        """One record, or none."""
        self._begin(f"id {delivery_id}")
        body = self.warehouse.get(delivery_id)
        known = None if body is None else orjson.loads(body)
        return DeliveryAnswer(record=known, server_time=self._date(), age=0, turn=self.turn)

    def server_time(self) -> ServerTime:
        """The Date of a list of one."""
        page = self.list_deliveries(DeliveryQuery(), page=0, page_size=1)
        return ServerTime(instant=page.server_time, age=page.age, turn=page.turn)

    def _begin(self, told: str) -> None:
        self.turn += 1
        self.requests.append(told)
        self.before(self.turn)

    def _date(self) -> datetime:
        skew = timedelta(seconds=self.warehouse.panel.now.date_skew_seconds)
        return (self.warehouse.clock.now().astimezone(UTC) + skew).replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """What a process that has just started reads with."""

    accounts: Accounts
    recorder: Recorder
    windows: WindowReader
    poller: Poller
    order_reader: OrderReader
    backfill: Backfill
    sweep: Sweep


class Bench:
    """One account under reading: its warehouse, its database, and a clock that only tests move."""

    def __init__(
        self,
        database: Database,
        clock: ManualClock,
        *,
        page_size: int = 250,
        lag: float = 60.0,
        seed: int = 1,
        start: datetime | None = START,
        account: str = ACCOUNT,
        prepared: bool = False,
        **switches: Any,  # noqa: ANN401 - the switches of the twin
    ) -> None:
        self.database = database
        self.clock = clock
        self.checkpoint: Checkpoint = nothing
        self.stopping: Callable[[], bool] = lambda: False
        panel = Panel(WarehouseSwitches(**switches))
        self.warehouse = Warehouse(clock=clock, chance=random.Random(seed), panel=panel)  # noqa: S311
        self.client = WarehouseSource(self.warehouse)
        self.source = AccountSource(
            name=account,
            client=self.client,
            page_size=page_size,
            lag_floor=lag,
            start=start,
            key_fingerprint="first-key",
            long_lists=long_lists(account, self.client, page_size) if prepared else None,
        )
        self._ids = iter(range(10**9))
        self.reading = self.built()

    def built(self) -> Readers:
        """The readers of a process that has just started."""
        log = EventLog(tasks=Tasks(rules={}, identity=lambda: f"task_{next(self._ids)}"), subscriptions={})
        accounts = Accounts(log)
        recorder = Recorder(
            database=self.database,
            observations=Observations(log),
            first_pages=FirstPages(log),
            accounts=accounts,
            clock=self.clock,
            checkpoint=self._pass,
        )
        windows = WindowReader(
            WindowDesk(database=self.database, recorder=recorder, accounts=accounts, clock=self.clock)
        )
        orders = OrderReader(
            sources={self.source.name: self.source}, database=self.database, recorder=recorder, clock=self.clock
        )
        return Readers(
            accounts=accounts,
            recorder=recorder,
            windows=windows,
            poller=self._poller(accounts, recorder, windows),
            order_reader=orders,
            backfill=Backfill(database=self.database, accounts=accounts, windows=windows, clock=self.clock),
            sweep=Sweep(
                database=self.database, recorder=recorder, windows=windows, order_reader=orders, clock=self.clock
            ),
        )

    def _poller(self, accounts: Accounts, recorder: Recorder, windows: WindowReader) -> Poller:
        return Poller(
            source=self.source,
            database=self.database,
            accounts=accounts,
            tail=Tail(
                source=self.source,
                database=self.database,
                recorder=recorder,
                accounts=accounts,
                clock=self.clock,
            ),
            windows=windows,
            clock=self.clock,
            stopping=self._stops,
        )

    def _stops(self) -> bool:
        return self.stopping()

    def _pass(self, name: str) -> None:
        self.checkpoint(name)

    def restart(self) -> None:
        """A new process over the same database."""
        self.reading = self.built()

    @property
    def poller(self) -> Poller:
        """The account's poller."""
        return self.reading.poller

    def poll(self, times: int = 1, seconds: float = 5.0) -> PollReport:
        """Poll, each time a while after the last."""
        for _ in range(times):
            self.clock.advance(seconds)
            report = self.poller.run_once(force=True)
        return report

    def put(self, key: int, *, at: datetime | None = None, **changes: object) -> None:
        """A delivery of the warehouse, new or changed as a whole."""
        self.warehouse.put(key, {"id": key, **record(f"LS{key}", **changes)}, at=at)

    def held(self) -> dict[int, sa.Row[Any]]:
        """What we hold of the account, by id."""
        ours = sa.select(deliveries).where(deliveries.c.account == self.source.name)
        with self.database.read() as connection:
            return {row.id: row for row in connection.execute(ours)}

    def spans(self) -> list[Span]:
        """Coverage."""
        with self.database.read() as connection:
            return spans(connection, self.source.name)

    def events(self, kind: str | None = None) -> list[sa.Row[Any]]:
        """The log, all of it or one type."""
        statement = sa.select(events).order_by(events.c.position)
        with self.database.read() as connection:
            return list(connection.execute(statement if kind is None else statement.where(events.c.type == kind)))

    def differences(self) -> Mapping[int, str]:
        """Deliveries that are visible at the warehouse and that we hold otherwise, or not at all."""
        held = self.held()
        rows = self.warehouse.find(parse_filter([("pageSize", "250")])).total
        wrong: dict[int, str] = {}
        for page in range(-(-rows // 250)):
            for body in self.warehouse.find(parse_filter([("page", str(page)), ("pageSize", "250")])).bodies:
                raw = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS).decode()
                key = orjson.loads(body)["id"]
                if key not in held:
                    wrong[key] = "missing"
                elif held[key].raw != raw:
                    wrong[key] = f"stale: {held[key].raw} instead of {raw}"
        return wrong
