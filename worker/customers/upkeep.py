"""What is done to customer orders beside reading them: people are forgotten where the settings say so, hints pruned."""

from datetime import datetime

import sqlalchemy as sa

from worker.db.tables import customer_hints, customer_missing, customer_orders

_KEPT = customer_orders.c.personal.is_not(None)


def knows_people(connection: sa.Connection) -> bool:
    """Whether anything is kept about people."""
    statement = sa.select(customer_orders.c.id).where(_KEPT).limit(1)
    return connection.execute(statement).first() is not None


def forget_people(connection: sa.Connection) -> int:
    """Take away what is kept about people, for good; of how many orders."""
    return connection.execute(sa.update(customer_orders).where(_KEPT).values(personal=sa.null())).rowcount


def prune(connection: sa.Connection, before: datetime) -> int:
    """Take away hints that were done by then, and what barmate did not know by then; how many rows."""
    done = sa.delete(customer_hints).where(customer_hints.c.done_at < before)
    missing = sa.delete(customer_missing).where(customer_missing.c.asked_at < before)
    return sum(connection.execute(statement).rowcount for statement in (done, missing))
