"""Keeping whole pages of deliveries that were never seen: what a first reading does, without a look at every row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from worker.columns import json_text
from worker.db.bulk import Among
from worker.db.tables import deliveries, set_aside
from worker.event_log import EventLog
from worker.events import EventType, FirstFact, OrderKey, account_source
from worker.reading import accounts
from worker.reading.delivery_rows import insert_new, order_key
from worker.reading.first_rows import RecordColumns, told_by_reading
from worker.reading.prepared import Prepared

_HELD = Among(
    deliveries.c.id, sa.select(deliveries.c.id).where(deliveries.c.account == sa.bindparam("account")).limit(1)
)


class FirstPage(NamedTuple):
    """A prepared page, the turn of the request that read it, and what its events say about the reading."""

    prepared: Prepared
    turn: int
    proof: Mapping[str, object]


class FirstPages:
    """Takes prepared pages into the table of deliveries and the event log, where all on them is new."""

    def __init__(self, event_log: EventLog) -> None:
        self._event_log = event_log

    def record(self, connection: sa.Connection, pages: Sequence[FirstPage], account: str, now: datetime) -> int | None:
        """Keep the pages; how many deliveries appeared. None, and nothing is kept, where anything about them is known.

        That is a delivery that is held, one on two of the pages, or a record set aside that may be about one.
        """
        accounts.lock(connection, account)
        ids = [delivery_id for page in pages for delivery_id in page.prepared.ids]
        if len(set(ids)) < len(ids) or (ids and _anything_known(connection, account, ids)):
            return None
        rows = [(columns, odd, page.turn) for page in pages for columns, odd, *_ in page.prepared.rows]
        insert_new(connection, rows, now)
        facts = [fact for page in pages for fact in _facts(page, account_source(account))]
        self._event_log.append_first(connection, facts, now)
        return len(ids)


def _anything_known(connection: sa.Connection, account: str, ids: Sequence[int]) -> bool:
    open_records = sa.select(set_aside.c.id).where(
        set_aside.c.account == account,
        set_aside.c.closed_at.is_(None),
        set_aside.c.delivery_id.between(min(ids), max(ids)),
    )
    if connection.execute(open_records.limit(1)).first() is not None:
        return True
    return _HELD(connection, ids, account=account).first() is not None


def _facts(page: FirstPage, source: str) -> list[FirstFact]:
    # The document goes on where the record's part ends.
    rest = f",{json_text(told_by_reading(page.turn, page.proof))[1:]}"
    return [
        FirstFact(source, subject, EventType.DELIVERY_APPEARED, identity, columns[8], told + rest, _orders(columns))
        for columns, _, identity, subject, told in page.prepared.rows
    ]


def _orders(columns: RecordColumns) -> tuple[OrderKey, ...]:
    key = order_key(columns[0], columns[2], columns[7])
    return () if key is None else (key,)
