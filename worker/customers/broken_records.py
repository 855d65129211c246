"""Customer orders of another shape than documented: set aside with the reason, and the rest goes on (DESIGN §2.7).

Their payload is kept without what it says of people, whatever the settings are: it explains the reason all the same.
"""

import hashlib
from datetime import datetime

import sqlalchemy as sa

from connectors.barmate_records import Unreadable
from worker.customers.customer_rows import CustomerOrderRow
from worker.customers.linking import orders_about
from worker.customers.source import BarmateSource
from worker.db.tables import set_aside
from worker.event_log import EventLog
from worker.events import EventDraft, EventType, OrderKey, barmate_source
from worker.reading.set_aside import record_id


def keep(
    connection: sa.Connection, host: str, record: Unreadable, *, turn: int, held: CustomerOrderRow | None, now: datetime
) -> bool:
    """Keep a record that does not parse; whether it is news. What a person dropped stays dropped."""
    digest = hashlib.sha256(record.impersonal.encode()).hexdigest()
    identity = record_id(host, digest)
    row = connection.execute(sa.select(set_aside).where(set_aside.c.id == identity)).first()
    if row is None:
        values = {
            "id": identity,
            "account": host,
            "customer_order_id": "" if record.id is None else record.id,
            "payload": record.impersonal,
            "payload_hash": digest,
            "reason": record.reason,
            "turn": turn,
            "first_seen_at": now,
        }
        connection.execute(sa.insert(set_aside).values(values))
        return True
    parsed_since = held is not None and row.turn < held.turn
    if row.closed_at is None or row.turn >= turn or not parsed_since:
        return False
    connection.execute(sa.update(set_aside).where(set_aside.c.id == identity).values(closed_at=None, turn=turn))
    return True


def close_parsed(connection: sa.Connection, host: str, order_id: str, *, turn: int, now: datetime) -> bool:
    """The order was read in a form that parses: whether a record of it had been set aside until now."""
    statement = sa.update(set_aside).where(
        set_aside.c.account == host,
        set_aside.c.customer_order_id == order_id,
        set_aside.c.closed_at.is_(None),
        set_aside.c.turn < turn,
    )
    return connection.execute(statement.values(closed_at=now)).rowcount > 0


def tell(
    connection: sa.Connection,
    source: BarmateSource,
    log: EventLog,
    record: Unreadable,
    *,
    reference: str | None,
    now: datetime,
) -> None:
    """State that the record was set aside, to the orders with a delivery of its customer order as well."""
    orders = () if record.id is None else orders_about(connection, record.id, [reference], source.link_by)
    log.append(connection, [_draft(source.host, record, now, orders)], now)


def _draft(host: str, record: Unreadable, at: datetime, orders: tuple[OrderKey, ...]) -> EventDraft:
    """The fact, without the payload: that stays in the database."""
    digest = hashlib.sha256(record.impersonal.encode()).hexdigest()
    identity = record_id(host, digest)
    return EventDraft(
        source=barmate_source(host),
        subject=f"records/{identity}",
        type=EventType.RECORD_SET_ASIDE,
        time=at,
        fingerprint=digest,
        data={
            "account": host,
            "record_id": identity,
            "customer_order_id": record.id,
            "reason": record.reason,
            "raw_hash": digest,
        },
        orders=orders,
    )
