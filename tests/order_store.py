"""Rows of deliveries, firings and links for the tests of orders; and a source that answers from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson
import sqlalchemy as sa

from tests.order_kit import ACCOUNT, CREDIT_ORDER, CUSTOMER, NOON, NUMBER
from tests.recheck_kit import at_once
from worker.db import Database
from worker.db.tables import counted_deliveries, deliveries, events, firings, orders, set_aside
from worker.event_log import EventLog
from worker.events import OrderKey
from worker.orders.completion import Completion
from worker.orders.link_row import LinkRow
from worker.orders.links import ImportReport, Links
from worker.standing import OrderReading
from worker.tasks import Tasks

KEY = OrderKey(ACCOUNT, CUSTOMER, NUMBER)
QUIET = 600.0
_ITEM = {"id": 1, "status": "booked", "articleNumber": "A", "articleUnit": "ST", "quantity": 4}


def row(line: int = 2, **said: object) -> LinkRow:
    """A row of a links file: PO-1, five kilograms."""
    values: dict[str, object] = {
        "purchase_order": NUMBER,
        "credit_order_id": CREDIT_ORDER,
        "credit_kg": 5,
        "account": "",
        "customer_id": 0,
        "expected_deliveries": None,
        "open_ended": False,
        "project": None,
        "issuance": None,
        "batches": (),
        "note": None,
        **said,
    }
    return LinkRow(line=line, **values)  # type: ignore[arg-type]


def nothing(connection: sa.Connection) -> None:
    """A task that nobody waits for."""
    del connection


@dataclass
class Source:
    """logistic.cloud as completion sees it: a clock, and readings that `before_answer` may change rows for."""

    store: "OrderStore"
    now: datetime = NOON + timedelta(seconds=QUIET)
    readings: int = 0
    proved: bool = True
    failure: Exception | None = None
    appearing: list[dict[str, Any]] = field(default_factory=list)

    def read(self, key: OrderKey) -> OrderReading:
        """What the source shows of an order; what is `appearing` is found by this reading."""
        self.readings += 1
        if self.failure is not None:
            raise self.failure
        for found in self.appearing:
            self.store.deliver(**found)
        self.appearing.clear()
        return OrderReading(
            proved=self.proved,
            reason="" if self.proved else "The list moved while it was read.",
            server_time=self.now,
            delivery_ids=self.store.visible(key),
            requests=1,
        )


class OrderStore:
    """A database with rows of orders in it, and the services that tests of orders look through."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.links = Links()
        self.source = Source(self)
        self.passed: list[str] = []
        tasks = Tasks(rules={}, identity=lambda: "unused")
        self.completion = Completion(
            database=database,
            event_log=EventLog(tasks=tasks, subscriptions={}),
            links=self.links,
            read_order=self.source.read,
            begin_reading=at_once(self.source.read),
            server_time=lambda _connection, _account: self.source.now,
            quiet_seconds=QUIET,
            checkpoint=self.passed.append,
        )

    def deliver(self, number: int = 1, **changes: object) -> None:
        """Hold a delivery as it was last read: completed at noon unless changed."""
        values = {**_delivery(number), **changes}
        values["content_hash"] = f"{number}:{sorted((name, str(value)) for name, value in values.items())}"
        with self.database.write() as connection:
            where = sa.and_(deliveries.c.account == values["account"], deliveries.c.id == number)
            connection.execute(sa.delete(deliveries).where(where))
            connection.execute(sa.insert(deliveries).values(**values))

    def put_aside(self, payload_hash: str = "p1", **changes: object) -> None:
        """Hold a record that could not be understood."""
        values: dict[str, object] = {
            "id": f"rec_{payload_hash}",
            "account": ACCOUNT,
            "delivery_id": None,
            "customer_id": CUSTOMER,
            "purchase_order": NUMBER,
            "payload": "{}",
            "payload_hash": payload_hash,
            "reason": "The field id is missing.",
            "turn": 1,
            "first_seen_at": NOON,
            **changes,
        }
        with self.database.write() as connection:
            connection.execute(sa.insert(set_aside).values(**values))

    def link(self, *rows: LinkRow) -> ImportReport:
        """Import links; one of PO-1 unless others are given."""
        with self.database.write() as connection:
            now = self.database.now(connection)
            return self.links.import_rows(connection, rows or (row(),), now)

    def look(self, key: OrderKey = KEY) -> tuple[str, str]:
        """Look at an order; its state and reason."""
        self.completion.look(key, nothing)
        found = self.order(key)
        return found.state, found.reason

    def order(self, key: OrderKey = KEY) -> sa.Row[Any]:
        """The order's row."""
        with self.database.read() as connection:
            return connection.execute(
                sa.select(orders).where(
                    orders.c.account == key.account,
                    orders.c.customer_id == key.customer_id,
                    orders.c.purchase_order == key.purchase_order,
                )
            ).one()

    def fire(self, state: str, counted: Mapping[int, str], *, key: OrderKey = KEY) -> None:
        """Give the order a firing in this state that counted these contents."""
        order_id = self.order(key).id
        values: dict[str, object] = {
            "order_id": order_id,
            "ordinal": 0,
            "state": state,
            "reason": "",
            "held_by_person": False,
            "resend_allowed": False,
            "repins": 0,
            "marker": f"wb1-{order_id}",
            "request": b"{}",
            "credit_delivery_id": "dlv_1",
            "created_at": NOON,
            "changed_at": NOON,
        }
        with self.database.write() as connection:
            firing = connection.execute(sa.insert(firings).values(**values).returning(firings.c.id)).scalar_one()
            for number, content in counted.items():
                counting = {"account": key.account, "delivery_id": number, "content_hash": content}
                connection.execute(sa.insert(counted_deliveries).values(firing_id=firing, **counting))

    def contents(self, key: OrderKey = KEY) -> dict[int, str]:
        """The contents of the order's deliveries, as a firing counts them."""
        with self.database.read() as connection:
            return {found.id: found.content_hash for found in self.completion.standing(connection, key).deliveries}

    def visible(self, key: OrderKey) -> tuple[int, ...]:
        """Ids that a reading of the order shows."""
        with self.database.read() as connection:
            statement = sa.select(deliveries.c.id).where(
                deliveries.c.account == key.account,
                deliveries.c.purchase_order == key.purchase_order,
                deliveries.c.visible,
            )
            return tuple(connection.execute(statement).scalars())

    def told(self) -> list[sa.Row[Any]]:
        """The events so far."""
        with self.database.read() as connection:
            return list(connection.execute(sa.select(events).order_by(events.c.position)))

    def types(self) -> list[str]:
        """The types of the events so far, without what they have in common."""
        return [event.type.removeprefix("waybill.order.") for event in self.told()]


def _delivery(number: int) -> dict[str, object]:
    return {
        "account": ACCOUNT,
        "id": number,
        "customer_id": CUSTOMER,
        "status": "completed",
        "status_inbound": "booked",
        "number": f"D{number}",
        "number_external": None,
        "purchase_order": NUMBER,
        "updated_at": NOON,
        "created_at": NOON,
        "raw": orjson.dumps({"lineItems": [_ITEM]}).decode(),
        "turn": 1,
        "visible": True,
        "stamp_went_back": False,
        "unrecognised": [],
        "first_seen_at": NOON,
        "changed_at": NOON,
    }
