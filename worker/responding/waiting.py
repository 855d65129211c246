"""Responses that have not ended: how many stand in some states, and since when the oldest does."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.customers.customer_rows import FINAL_STATUSES
from worker.db.tables import customer_orders, customer_responses
from worker.states import ResponseState


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """So many wait; the oldest, about that customer order, since then, for that reason."""

    count: int
    order_id: str
    since: datetime
    reason: str


def waiting(connection: sa.Connection, host: str, states: Collection[ResponseState]) -> Waiting | None:
    """Those in one of the states whose customer order may still be answered; None where there are none."""
    may_be_answered = sa.exists().where(
        customer_orders.c.host == customer_responses.c.host,
        customer_orders.c.id == customer_responses.c.order_id,
        customer_orders.c.status.not_in(FINAL_STATUSES),
    )
    ours = sa.and_(customer_responses.c.host == host, customer_responses.c.state.in_(sorted(states)), may_be_answered)
    oldest = connection.execute(
        sa.select(customer_responses.c.order_id, customer_responses.c.changed_at, customer_responses.c.reason)
        .where(ours)
        .order_by(customer_responses.c.changed_at, customer_responses.c.id)
        .limit(1)
    ).first()
    if oldest is None:
        return None
    count = connection.execute(sa.select(sa.func.count()).select_from(customer_responses).where(ours)).scalar_one()
    return Waiting(count=count, order_id=oldest.order_id, since=oldest.changed_at, reason=oldest.reason)
