"""Hints of barmate's webhooks: an order to be read by its id soon. Nothing else of a call is believed or kept."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.db.tables import customer_hints


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What a webhook told: the customer order it is about, its type, and the key that all its repeats carry."""

    idempotency_key: str
    order_id: str
    type: str


def add(connection: sa.Connection, host: str, hint: Hint, now: datetime) -> bool:
    """Keep a hint durably with the caller's transaction; False where it was kept before."""
    values = {
        "host": host,
        "idempotency_key": hint.idempotency_key,
        "order_id": hint.order_id,
        "type": hint.type,
        "received_at": now,
    }
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(customer_hints).values(values))
    except sa.exc.IntegrityError:
        return False
    return True


def are_many(connection: sa.Connection, host: str, most: int) -> bool:
    """Whether at least that many hints wait for their order to be read; looks at no more rows than that."""
    statement = (
        sa.select(customer_hints.c.idempotency_key)
        .where(customer_hints.c.host == host, customer_hints.c.done_at.is_(None))
        .offset(most - 1)
        .limit(1)
    )
    return connection.execute(statement).first() is not None


def is_kept(connection: sa.Connection, host: str, idempotency_key: str) -> bool:
    """Whether a hint with that key was taken before, done or not."""
    statement = sa.select(customer_hints.c.order_id).where(
        customer_hints.c.host == host, customer_hints.c.idempotency_key == idempotency_key
    )
    return connection.execute(statement).first() is not None


def close(connection: sa.Connection, host: str, order_id: str, *, received_by: datetime, now: datetime) -> None:
    """The order was read: what was received by then is done, and what came later wants another reading."""
    statement = sa.update(customer_hints).where(
        customer_hints.c.host == host,
        customer_hints.c.order_id == order_id,
        customer_hints.c.done_at.is_(None),
        customer_hints.c.received_at <= received_by,
    )
    connection.execute(statement.values(done_at=now))


def waiting(connection: sa.Connection, host: str) -> int:
    """How many hints wait for their order to be read."""
    statement = sa.select(sa.func.count()).where(customer_hints.c.host == host, customer_hints.c.done_at.is_(None))
    return connection.execute(statement).scalar_one()


def oldest(connection: sa.Connection, host: str) -> datetime | None:
    """Since when the hint waits that waits longest; None where none does."""
    statement = sa.select(sa.func.min(customer_hints.c.received_at)).where(
        customer_hints.c.host == host, customer_hints.c.done_at.is_(None)
    )
    since: datetime | None = connection.execute(statement).scalar_one()
    return since
