"""Customer orders read by their id: compared with what is held; changes become events.

One transaction an answer, under the account's lock. A lower turn never overwrites a higher one, and nothing is ever
deleted: a 404 may mean that access was lost.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from connectors.barmate import OrderAnswer
from connectors.barmate_records import OrderStatus, Unreadable
from worker.checkpoints import Checkpoint
from worker.customers import account_rows, broken_records, hints
from worker.customers.changes import Seen, kind_of, seen_draft, vanished_draft
from worker.customers.customer_rows import CustomerOrderRow, is_order, load
from worker.customers.documents import content_hash, record_columns
from worker.customers.linking import orders_about
from worker.customers.source import BarmateSource, personal_column, refuse_cached
from worker.db import Database
from worker.db.tables import customer_missing, customer_orders
from worker.event_log import EventLog
from worker.events import EventType


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedOrder:
    """What reading an order by its id showed: `event` is what was told, None where nothing was new."""

    known: bool
    event: EventType | None


class OrderRecorder:
    """Takes answers about single orders into the store."""

    def __init__(
        self, *, source: BarmateSource, database: Database, event_log: EventLog, checkpoint: Checkpoint
    ) -> None:
        self._source = source
        self._database = database
        self._event_log = event_log
        self._checkpoint = checkpoint

    def note(self, order_id: str, answer: OrderAnswer, *, asked_at: datetime) -> NotedOrder:
        """Keep what reading by id showed; `asked_at`: the database's time before it was asked for.

        Hints and wishes that came later than that are not answered by it. Raises UnexpectedAnswer where it comes from
        a cache.
        """
        refuse_cached(self._source.host, "read a customer order", answer.age)
        self._checkpoint("customers: order read")
        with self._database.write() as connection:
            account = account_rows.ensure(connection, self._source)
            account_rows.note_time(connection, account, answer.server_time)
            now = self._database.now(connection)
            event = self._note(connection, order_id, answer, now)
            self._answered(connection, order_id, asked_at, now)
        self._checkpoint("customers: order recorded")
        return NotedOrder(known=answer.order is not None, event=event)

    def _note(self, connection: sa.Connection, order_id: str, answer: OrderAnswer, now: datetime) -> EventType | None:
        held = load(connection, self._source.host, order_id, lock=True)
        if held is not None and held.turn > answer.turn:
            return None
        at = now if answer.server_time is None else answer.server_time
        if answer.order is None:
            return self._missing(connection, order_id, held, answer.turn, at)
        if isinstance(answer.order, Unreadable):
            return self._set_aside(connection, answer.order, held, answer.turn, now)
        columns = record_columns(answer.order)
        seen = Seen(order=answer.order, columns=columns, hash=content_hash(columns), turn=answer.turn, at=at)
        return self._take(connection, held, seen, now)

    def _take(
        self, connection: sa.Connection, held: CustomerOrderRow | None, seen: Seen, now: datetime
    ) -> EventType | None:
        host, order = self._source.host, seen.order
        mended = broken_records.close_parsed(connection, host, order.id, turn=seen.turn, now=now)
        kind = kind_of(held, seen, mended=mended)
        values = self._values(held, seen, now) if kind is None else {**self._values(held, seen, now), "changed_at": now}
        if held is None:
            more = {"host": host, "id": order.id, "joined": False, "first_seen_at": now}
            connection.execute(sa.insert(customer_orders).values({**values, **more}))
        else:
            connection.execute(sa.update(customer_orders).where(is_order(host, order.id)).values(values))
        connection.execute(sa.delete(customer_missing).where(_is_missing(host, order.id)))
        if kind is not None:
            references = [None if held is None else held.reference, seen.reference]
            orders = orders_about(connection, order.id, references, self._source.link_by)
            self._event_log.append(connection, [seen_draft(host, kind, held, seen, orders)], now)
        return kind

    def _values(self, held: CustomerOrderRow | None, seen: Seen, now: datetime) -> dict[str, object]:
        received_at = None if held is None else held.delivered_seen_at
        if received_at is None and seen.order.status == OrderStatus.DELIVERED:
            received_at = now
        return {
            **seen.columns,
            "personal": personal_column(self._source, seen.order),
            "content_hash": seen.hash,
            "turn": seen.turn,
            "visible": True,
            "delivered_seen_at": received_at,
        }

    def _missing(
        self, connection: sa.Connection, order_id: str, held: CustomerOrderRow | None, turn: int, at: datetime
    ) -> EventType | None:
        host, now = self._source.host, self._database.now(connection)
        if held is None:
            connection.execute(sa.delete(customer_missing).where(_is_missing(host, order_id)))
            connection.execute(sa.insert(customer_missing).values(host=host, id=order_id, turn=turn, asked_at=now))
            return None
        values = {"visible": False, "turn": turn, "changed_at": now if held.visible else held.changed_at}
        connection.execute(sa.update(customer_orders).where(is_order(host, order_id)).values(values))
        if not held.visible:
            return None
        orders = orders_about(connection, order_id, [held.reference], self._source.link_by)
        self._event_log.append(connection, [vanished_draft(host, held, at, orders)], now)
        return EventType.CUSTOMER_ORDER_VANISHED

    def _set_aside(
        self, connection: sa.Connection, record: Unreadable, held: CustomerOrderRow | None, turn: int, now: datetime
    ) -> EventType | None:
        if not broken_records.keep(connection, self._source.host, record, turn=turn, held=held, now=now):
            return None
        reference = None if held is None else held.reference
        broken_records.tell(connection, self._source, self._event_log, record, reference=reference, now=now)
        return EventType.RECORD_SET_ASIDE

    def _answered(self, connection: sa.Connection, order_id: str, asked_at: datetime, now: datetime) -> None:
        ours = is_order(self._source.host, order_id)
        connection.execute(sa.update(customer_orders).where(ours).values(read_at=now))
        wish = sa.and_(ours, customer_orders.c.wanted_at <= asked_at)
        connection.execute(sa.update(customer_orders).where(wish).values(wanted_at=None))
        hints.close(connection, self._source.host, order_id, received_by=asked_at, now=now)


def _is_missing(host: str, order_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(customer_missing.c.host == host, customer_missing.c.id == order_id)
