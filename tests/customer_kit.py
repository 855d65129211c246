"""What tests of customer orders share: barmate in process as the source, a database, and the readers on both."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from shutil import copy
from typing import Any

import orjson
import sqlalchemy as sa

from connectors.barmate import OrderAnswer, OrderPage
from connectors.barmate_shapes import customer_order
from connectors.simulated import barmate as twin
from connectors.simulated import barmate_pages as pages
from connectors.simulated import barmate_views as views
from connectors.simulated.barmate_orders import made_up
from connectors.simulated.barmate_switches import BarmateSwitches
from connectors.simulated.switches import Panel
from tests.clocks import NOON, ManualClock
from worker.customers import account_rows
from worker.customers.customer_rows import CustomerOrderRow, load
from worker.customers.feed import Feed
from worker.customers.gates import Gates
from worker.customers.linking import LinkBy, prepare
from worker.customers.list_recording import ListRecorder
from worker.customers.queue import left
from worker.customers.recording import OrderRecorder
from worker.customers.rereading import Reader, Rereading
from worker.customers.source import BarmateSource
from worker.customers.walk import Walk
from worker.db import Database
from worker.db.tables import customer_orders, deliveries, events
from worker.db.upgrade import upgrade
from worker.event_log import EventLog
from worker.kinds import RULES
from worker.runtime.subscriptions import subscriptions
from worker.tasks import Tasks

HOST = "barmate.example"
ACCOUNT = "acme.logistic.cloud"
CUSTOMER = 1000050
PURCHASE_ORDER = "PO-1"
PAGE = 5
# Readings after which whatever is still owed is not coming.
MOST_READS = 2000


class Killed(Exception):
    """The process died at a checkpoint."""


@dataclass(slots=True)
class Line:
    """The twin as a client sees it, without HTTP: each request takes a turn and, at the pace of the budget, time."""

    barmate: twin.Barmate
    clock: ManualClock
    seconds: float = 1.0
    turn: int = 0
    asked: list[str] = field(default_factory=list)
    # Called before each request with what is asked: moves the world, or raises a ConnectorError.
    before: Callable[[str], None] = lambda _asked: None
    # Changes an order's JSON on its way.
    bend: Callable[[dict[str, Any]], object] = lambda record: record
    age: int = 0

    def pages(self, *, status: str | None = None) -> Iterator[OrderPage]:
        """The list from the top; as the connector, without its guard against circles."""
        cursor: str | None = None
        while True:
            self._begin("list" if status is None else f"list {status}")
            asked = (("cursor", cursor), ("status", status))
            query = {name: value for name, value in asked if value is not None}
            content = pages.page(self.barmate, query, at=None)
            cursor = content.get("cursor")
            yield OrderPage(
                orders=tuple(customer_order(_exact(self.bend(row))) for row in content["deliveries"]),
                next_cursor=cursor,
                server_time=self.clock.now(),
                age=self.age,
                turn=self.turn,
            )
            if cursor is None:
                return

    def order(self, order_id: str) -> OrderAnswer:
        """One order by its id."""
        self._begin(order_id)
        try:
            found = views.whole(self.barmate.get(order_id), self.barmate.panel.now)
        except twin.UnknownDeliveryError:
            order = None
        else:
            order = customer_order(_exact(self.bend(found)))
        return OrderAnswer(order=order, server_time=self.clock.now(), age=self.age, turn=self.turn)

    def _begin(self, asked: str) -> None:
        self.clock.advance(self.seconds)
        self.before(asked)
        self.turn += 1
        self.asked.append(asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """One process: what `restart` makes anew."""

    feed: Feed
    reader: Reader
    rereading: Rereading


class Bench:
    """barmate, a database on the same clock, and readers that die at a checkpoint if told to."""

    def __init__(self, file: Path, folder: Path, *, link_by: LinkBy = LinkBy.NUMBER_EXTERNAL, **options: Any) -> None:  # noqa: ANN401
        self.clock = ManualClock()
        self.database = _opened(file, folder, self.clock, **options)
        self.twin = twin.Barmate(clock=self.clock, panel=Panel(BarmateSwitches(page_size=PAGE)))
        self.line = Line(self.twin, self.clock)
        self.die_at: str | None = None
        self.passed: list[str] = []
        self.source = BarmateSource(
            host=HOST,
            client=self.line,
            token_fingerprint="one",
            link_by=link_by,
            store_personal_data=options.get("store_personal_data", True),
        )
        self.log = EventLog(
            tasks=Tasks(rules=RULES, identity=lambda: f"id{len(self.passed)}.{random.random()}"),  # noqa: S311
            subscriptions=subscriptions(webhook=False),
        )
        self._poll_seconds = options.get("poll_seconds", 60.0)
        self._chance = random.Random(1)  # noqa: S311 - repeatable, not secret
        prepare(self.database, link_by)
        self.restart()

    def restart(self) -> None:
        """A new process: nothing but the database is left."""
        recorder = OrderRecorder(source=self.source, database=self.database, event_log=self.log, checkpoint=self._pass)
        reader = Reader(source=self.source, recorder=recorder, database=self.database)
        lister = ListRecorder(source=self.source, database=self.database, event_log=self.log, checkpoint=self._pass)
        rereading = Rereading(
            source=self.source,
            reader=reader,
            database=self.database,
            clock=self.clock,
            unread_seconds=self._poll_seconds,
        )
        feed = Feed(
            source=self.source,
            walk=Walk(source=self.source, recorder=lister),
            rereading=rereading,
            reader=reader,
            database=self.database,
            event_log=self.log,
            clock=self.clock,
        )
        self.now = Readers(feed=feed, reader=reader, rereading=rereading)

    def another_database(self) -> Database:
        """The same one as another process has it."""
        return type(self.database)(self.database.url.render_as_string(hide_password=False), self.clock)

    def place(self, count: int = 1, **changes: object) -> list[str]:
        """Let customers ask for things; the ids, oldest first."""
        return [self.twin.place({**made_up(self._chance), "type": "DELIVERY", **changes}) for _ in range(count)]

    def poll(self, **how: Any) -> None:  # noqa: ANN401 - as in Feed.poll
        """Walk through the list."""
        self.now.feed.poll(**how)

    def read(self, seconds: float | None = None) -> None:
        """Read by id for that long, or until nothing is owed."""
        if seconds is not None:
            self.now.feed.reread(seconds)
            return
        since, tries = self.clock.now(), 0
        while self._owed(since) and tries < MOST_READS:
            asked = len(self.line.asked)
            self.now.feed.reread(1.0)
            # It may wait after a failure.
            self.clock.advance(1.0 if len(self.line.asked) == asked else 0.0)
            tries += 1

    def _owed(self, since: datetime) -> int:
        with self.database.read() as connection:
            set_back = self.now.rereading.set_back
            return left(connection, HOST, since=since - timedelta(seconds=self._poll_seconds), except_for=set_back)

    def settle(self) -> None:
        """Poll, and read what that found."""
        self.poll(force=True)
        self.read()

    def order(self, order_id: str) -> CustomerOrderRow | None:
        """What is held of a customer order."""
        with self.database.read() as connection:
            return load(connection, HOST, order_id)

    def held(self, order_id: str) -> CustomerOrderRow:
        """What is held of a customer order that is known."""
        found = self.order(order_id)
        assert found is not None
        return found

    def statuses(self) -> dict[str, str]:
        """Id and status of every customer order that was read by its id."""
        with self.database.read() as connection:
            rows = connection.execute(sa.select(customer_orders).where(customer_orders.c.content_hash != ""))
            return {row.id: row.status for row in rows}

    def true_statuses(self) -> dict[str, str]:
        """Id and status of every customer order there is."""
        return {str(record["id"]): record["status"] for _place, record in self.twin.newest_first()}

    def events(self, subject: str | None = None) -> list[sa.Row[Any]]:
        """What was told, oldest first."""
        statement = sa.select(events).order_by(events.c.position)
        if subject is not None:
            statement = statement.where(events.c.subject == f"customer_orders/{subject}")
        with self.database.read() as connection:
            return list(connection.execute(statement))

    def told(self, subject: str | None = None) -> list[str]:
        """The types of what was told, without the common beginning."""
        return [row.type.removeprefix("waybill.") for row in self.events(subject)]

    def account(self) -> account_rows.BarmateAccount:
        """The account's row."""
        with self.database.read() as connection:
            found = account_rows.find(connection, HOST)
        assert found is not None
        return found

    def gates(self, *, require_receipt: bool = False) -> Gates:
        """The gates by what is held."""
        return Gates(host=HOST, link_by=self.source.link_by, require_receipt=require_receipt)

    def with_token(self, fingerprint: str) -> None:
        """Another token from the next start on."""
        self.source = replace(self.source, token_fingerprint=fingerprint)
        self.restart()

    def deliver(self, key: int, **changes: object) -> None:
        """Hold a delivery of the warehouse, completed unless changed."""
        values = {**delivery_row(key), **changes}
        with self.database.write() as connection:
            connection.execute(sa.insert(deliveries).values(**values))

    def _pass(self, name: str) -> None:
        self.passed.append(name)
        if name == self.die_at:
            raise Killed(name)


class _Timed(Database):
    """A PostgreSQL whose time is the test's."""

    def __init__(self, url: str, clock: ManualClock) -> None:
        super().__init__(url, clock)
        self._told = clock

    def now(self, connection: sa.Connection) -> datetime:
        """Nobody waits for settle times by the server's clock."""
        del connection
        return self._told.now()


def _opened(
    file: Path,
    folder: Path,
    clock: ManualClock,
    *,
    database: Database | None = None,
    postgres_url: str | None = None,
    **_others: object,
) -> Database:
    if database is not None:
        return database
    return _scratch(file, folder, clock) if postgres_url is None else _migrated(postgres_url, clock)


def _migrated(url: str, clock: ManualClock) -> Database:
    made = _Timed(url, clock)
    upgrade(made)
    return made


def _scratch(file: Path, folder: Path, clock: ManualClock) -> Database:
    made = Database(f"sqlite:///{copy(file, folder / 'waybill.db')}", clock)
    # Nobody pulls the plug of a test.
    sa.event.listen(made.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return made


def _exact(value: object) -> object:
    return json.loads(orjson.dumps(value), parse_float=Decimal)


def delivery_row(number: int) -> dict[str, object]:
    """The row of a completed delivery."""
    return {
        "account": ACCOUNT,
        "id": number,
        "customer_id": CUSTOMER,
        "status": "completed",
        "status_inbound": "completed",
        "number": f"LS{number}",
        "number_external": None,
        "purchase_order": PURCHASE_ORDER,
        "updated_at": NOON,
        "created_at": NOON,
        "raw": "{}",
        "content_hash": f"hash {number}",
        "turn": 1,
        "visible": True,
        "stamp_went_back": False,
        "unrecognised": [],
        "first_seen_at": NOON,
        "changed_at": NOON,
    }
