"""The list of customer orders, page by page: who is new, who stands otherwise than we hold, what is known ground.

A row says only that an order is there and how it stands; what it is, and that it appeared, is said once it was read by
its id. One transaction a page, under the account's lock.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connectors.barmate import OrderPage
from connectors.barmate_records import CustomerOrder, Unreadable
from worker.checkpoints import Checkpoint
from worker.customers import account_rows, broken_records
from worker.customers.customer_rows import CustomerOrderRow, is_order, load, load_many
from worker.customers.documents import record_columns, reference_of
from worker.customers.linking import LinkBy
from worker.customers.source import BarmateSource, personal_column, refuse_cached
from worker.db import Database
from worker.db.tables import customer_orders
from worker.event_log import EventLog


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedPage:
    """What a page of the list showed: its orders' ids from the top, and how many were new.

    `known_ground`: it shows only rows that an earlier walk has joined; `open_end`: its last row is not joined, so the
    boundary to the next page lies in unknown ground. `unreadable`: ids newly set aside, to be read by themselves.
    `same`: ids that were read before and stand as we hold them, in everything that a gate goes by.
    """

    ids: tuple[str, ...]
    fresh: int
    known_ground: bool
    open_end: bool
    unreadable: tuple[str, ...]
    same: tuple[str, ...]


class ListRecorder:
    """Takes pages of the list into the store."""

    def __init__(
        self, *, source: BarmateSource, database: Database, event_log: EventLog, checkpoint: Checkpoint
    ) -> None:
        self._source = source
        self._database = database
        self._event_log = event_log
        self._checkpoint = checkpoint

    def note_page(self, page: OrderPage) -> NotedPage:
        """Keep a page. Raises UnexpectedAnswer where it comes from a cache."""
        refuse_cached(self._source.host, "list customer orders", page.age)
        self._checkpoint("customers: page read")
        with self._database.write() as connection:
            account = account_rows.ensure(connection, self._source)
            account_rows.note_time(connection, account, page.server_time)
            noted = self._note(connection, page, self._database.now(connection))
        self._checkpoint("customers: page recorded")
        return noted

    def join(self, ids: Collection[str], *, to_end: bool) -> None:
        """What a walk from the top to known ground has seen is known ground from now on."""
        with self._database.write() as connection:
            account_rows.ensure(connection, self._source)
            now = self._database.now(connection)
            account_rows.join(connection, self._source.host, list(ids), to_end=to_end, now=now)
        self._checkpoint("customers: walk joined")

    def _note(self, connection: sa.Connection, page: OrderPage, now: datetime) -> NotedPage:
        rows = {order.id: order for order in page.orders if isinstance(order, CustomerOrder)}
        held = load_many(connection, self._source.host, rows)
        joined = _joined(connection, self._source.host, rows)
        fresh = [self._new_row(order, page.turn, now) for key, order in rows.items() if key not in held]
        if fresh:
            connection.execute(sa.insert(customer_orders), fresh)
        self._want_differing(connection, rows, held, page.turn, now)
        ids = tuple(rows)
        return NotedPage(
            ids=ids,
            fresh=len(fresh),
            known_ground=bool(ids) and joined.issuperset(ids),
            open_end=bool(ids) and ids[-1] not in joined,
            unreadable=tuple(self._set_aside(connection, page, now)),
            same=tuple(
                key for key, order in rows.items() if key in held and self._is_same(order, held[key], page.turn)
            ),
        )

    def _is_same(self, order: CustomerOrder, held: CustomerOrderRow, turn: int) -> bool:
        """Whether what we hold is at least as new as this row, or what it says."""
        if held.read_at is None or _differs(order, held, turn):
            return False
        # Responses are not documented for rows; only who links by them needs them.
        by_reference = self._source.link_by is LinkBy.REFERENCE
        return not by_reference or held.turn > turn or reference_of(order.responses) == held.reference

    def _new_row(self, order: CustomerOrder, turn: int, now: datetime) -> dict[str, Any]:
        return {
            **record_columns(order),
            "host": self._source.host,
            "id": order.id,
            "items": None,
            "personal": personal_column(self._source, order),
            "content_hash": "",
            "turn": turn,
            "visible": True,
            "joined": False,
            # What is final waits for its turn behind what may still change.
            "wanted_at": None if order.is_final else now,
            "first_seen_at": now,
            "changed_at": now,
        }

    def _want_differing(
        self,
        connection: sa.Connection,
        rows: Mapping[str, CustomerOrder],
        held: Mapping[str, CustomerOrderRow],
        turn: int,
        now: datetime,
    ) -> None:
        """What the list shows otherwise than we hold it is read by its id at once."""
        for key in [key for key, order in rows.items() if key in held and _differs(order, held[key], turn)]:
            statement = sa.update(customer_orders).where(
                is_order(self._source.host, key), customer_orders.c.wanted_at.is_(None)
            )
            connection.execute(statement.values(wanted_at=now))

    def _set_aside(self, connection: sa.Connection, page: OrderPage, now: datetime) -> list[str]:
        """Keep rows that cannot be read, unless we hold their order: that one is re-read by its id anyway."""
        news: list[str] = []
        for record in page.orders:
            if isinstance(record, Unreadable) and self._is_news(connection, record, page.turn, now):
                broken_records.tell(connection, self._source, self._event_log, record, reference=None, now=now)
                news += [] if record.id is None else [record.id]
        return news

    def _is_news(self, connection: sa.Connection, record: Unreadable, turn: int, now: datetime) -> bool:
        if record.id is not None and load(connection, self._source.host, record.id) is not None:
            return False
        return broken_records.keep(connection, self._source.host, record, turn=turn, held=None, now=now)


def _joined(connection: sa.Connection, host: str, ids: Collection[str]) -> frozenset[str]:
    statement = sa.select(customer_orders.c.id).where(
        customer_orders.c.host == host, customer_orders.c.id.in_(list(ids)), customer_orders.c.joined
    )
    return frozenset(connection.execute(statement).scalars())


def _differs(order: CustomerOrder, held: CustomerOrderRow, turn: int) -> bool:
    """Whether the list tells something newer than what we hold."""
    told = (order.status, order.type) != (held.status, held.type) or not held.visible
    return told and turn > held.turn
