"""What the audit compares: the twins' truth, the story's expectations, and what our database holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from worker.db import Database
from worker.db.tables import (
    coverage,
    customer_hints,
    customer_orders,
    customer_responses,
    deliveries,
    events,
    firings,
    orders,
    set_aside,
    tasks,
)
from worker.states import CoverageState, FiringState, ResponseState, TaskState

Document = Mapping[str, Any]
# (customer id, purchase order)
Order = tuple[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A delivery as we hold it: the record as it was read."""

    id: int
    record: Document
    visible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A record that was set aside and still is."""

    id: str
    record: object


@dataclass(frozen=True, slots=True, kw_only=True)
class OurOrder:
    """An order's row."""

    order: Order
    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OurFiring:
    """A firing's row: our side of the ledger."""

    order: Order
    ordinal: int
    state: FiringState
    reason: str
    credit_order_id: str | None
    kg: int | None
    marker: str | None
    credit_delivery_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OurReply:
    """A response's row: what we told the customer, and whether barmate has it."""

    order_id: str
    type: str
    reference: str | None
    state: ResponseState
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """Everything the audit wants of our database.

    `events`: id → subject; `holes` and `dead`: sentences; `customer_orders`: id → status; `hints`: keys of webhooks.
    """

    deliveries: tuple[Held, ...]
    set_aside: tuple[Aside, ...]
    orders: tuple[OurOrder, ...]
    firings: tuple[OurFiring, ...]
    events: Mapping[str, str]
    holes: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    customer_orders: Mapping[str, str] = field(default_factory=dict)
    replies: tuple[OurReply, ...] = ()
    hints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PutOff:
    """Goods that are put off: the delivery's place in the warehouse, its customer order, and what had been told."""

    key: int
    order_id: str
    emails: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All sides. `swept`: whether we were told to look for what vanished; `reconciled`: what `reconcile` ended with.

    `put_off`: the goods of the encore; None where there was none.
    """

    story: Document
    warehouse: Document
    registry: Document
    barmate: Document
    webhook: Document
    ours: Ours
    lost_database: bool = False
    swept: bool = False
    put_off: tuple[PutOff, ...] | None = None
    reconciled: int | None = None


def our_side(database: Database) -> Ours:
    """Read it in one view. Raises DatabaseUnavailable."""
    with database.read() as connection:
        return Ours(
            deliveries=_deliveries(connection),
            set_aside=_set_aside(connection),
            orders=_orders(connection),
            firings=_firings(connection),
            events={row.id: row.subject for row in connection.execute(sa.select(events.c.id, events.c.subject))},
            holes=_holes(connection),
            dead=_dead(connection),
            customer_orders=_customer_orders(connection),
            replies=_replies(connection),
            hints=frozenset(connection.execute(sa.select(customer_hints.c.idempotency_key)).scalars()),
        )


def _deliveries(connection: sa.Connection) -> tuple[Held, ...]:
    rows = connection.execute(sa.select(deliveries.c.id, deliveries.c.raw, deliveries.c.visible))
    return tuple(Held(id=row.id, record=orjson.loads(row.raw), visible=row.visible) for row in rows)


def _set_aside(connection: sa.Connection) -> tuple[Aside, ...]:
    statement = sa.select(set_aside.c.id, set_aside.c.payload).where(set_aside.c.closed_at.is_(None))
    return tuple(Aside(id=row.id, record=orjson.loads(row.payload)) for row in connection.execute(statement))


def _orders(connection: sa.Connection) -> tuple[OurOrder, ...]:
    return tuple(
        OurOrder(order=(row.customer_id, row.purchase_order), state=row.state, reason=row.reason)
        for row in connection.execute(sa.select(orders))
    )


def _firings(connection: sa.Connection) -> tuple[OurFiring, ...]:
    statement = (
        sa.select(firings, orders.c.customer_id, orders.c.purchase_order)
        .join(orders, firings.c.order_id == orders.c.id)
        .order_by(firings.c.id)
    )
    return tuple(
        OurFiring(
            order=(row.customer_id, row.purchase_order),
            ordinal=row.ordinal,
            state=FiringState(row.state),
            reason=row.reason,
            credit_order_id=row.credit_order_id,
            kg=row.kg,
            marker=row.marker,
            credit_delivery_id=row.credit_delivery_id,
        )
        for row in connection.execute(statement)
    )


def _holes(connection: sa.Connection) -> tuple[str, ...]:
    rows = connection.execute(sa.select(coverage).where(coverage.c.state == CoverageState.HOLE))
    return tuple(f"seconds {row.since} to {row.until}: {row.reason}" for row in rows)


def _dead(connection: sa.Connection) -> tuple[str, ...]:
    rows = connection.execute(sa.select(tasks).where(tasks.c.state == TaskState.DISCARDED))
    return tuple(f"{row.kind} {row.subject}: {row.error}" for row in rows)


def _customer_orders(connection: sa.Connection) -> dict[str, str]:
    rows = connection.execute(sa.select(customer_orders.c.id, customer_orders.c.status, customer_orders.c.visible))
    return {row.id: row.status if row.visible else "not known to barmate" for row in rows}


def _replies(connection: sa.Connection) -> tuple[OurReply, ...]:
    rows = connection.execute(sa.select(customer_responses).order_by(customer_responses.c.id))
    return tuple(
        OurReply(
            order_id=row.order_id,
            type=row.type,
            reference=row.reference,
            state=ResponseState(row.state),
            reason=row.reason,
        )
        for row in rows
    )
