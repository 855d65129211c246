"""What we hold about an order, loaded in one transaction for the rule of completion."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
import sqlalchemy as sa

from worker.db.tables import counted_deliveries, deliveries, firings, orders, set_aside
from worker.events import OrderKey
from worker.orders.completion_rule import Case, Decision, newest
from worker.orders.link_match import LinkMatch
from worker.orders.link_rows import LinkRows
from worker.reading.delivery_rows import facts_of_row
from worker.standing import DeliveryFacts, Gate, Link, Standing
from worker.states import FiringState


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """Everything that completion decides by, except time. `set_aside`: (payload hash, reason) of records set aside."""

    key: OrderKey
    deliveries: tuple[DeliveryFacts, ...]
    set_aside: tuple[tuple[str, str], ...]
    counted_elsewhere: tuple[str, ...]
    match: LinkMatch

    @property
    def known(self) -> bool:
        """Whether there is anything to this order."""
        return bool(self.deliveries or self.set_aside)

    @property
    def source_hash(self) -> str:
        """Hash of what the source shows: deliveries and records set aside."""
        return _digest(self._source_content())

    @property
    def content_hash(self) -> str:
        """Hash of what the source shows and of the link: equal means nothing changed."""
        return _digest([*self._source_content(), _link_content(self.match.link)])

    def case(
        self, *, server_now: datetime | None, quiet_seconds: float, read_confirmed: bool, gates: tuple[Gate, ...]
    ) -> Case:
        """These facts at a time, and the customer orders of the deliveries, as the rule takes them."""
        return Case(
            deliveries=self.deliveries,
            set_aside=tuple(reason for _, reason in self.set_aside),
            counted_elsewhere=self.counted_elsewhere,
            match=self.match,
            server_now=server_now,
            quiet_seconds=quiet_seconds,
            read_confirmed=read_confirmed,
            gates=gates,
        )

    def standing(self, decision: Decision) -> Standing:
        """The order as decided."""
        return Standing(
            key=self.key,
            state=decision.state,
            reason=decision.reason,
            deliveries=self.deliveries,
            link=self.match.link,
            completed_at=newest(self.deliveries),
            content_hash=self.content_hash,
        )

    def _source_content(self) -> list[object]:
        held = [[delivery.id, delivery.content_hash, delivery.visible] for delivery in self.deliveries]
        return [held, sorted(payload_hash for payload_hash, _ in self.set_aside)]


def load_facts(connection: sa.Connection, key: OrderKey, links: LinkRows) -> OrderFacts:
    """What we hold about an order."""
    held = _deliveries(connection, key)
    return OrderFacts(
        key=key,
        deliveries=held,
        set_aside=_set_aside(connection, key, [delivery.id for delivery in held]),
        counted_elsewhere=_counted_elsewhere(connection, key, [delivery.id for delivery in held]),
        match=links.find(connection, key),
    )


def _deliveries(connection: sa.Connection, key: OrderKey) -> tuple[DeliveryFacts, ...]:
    statement = sa.select(deliveries).where(
        deliveries.c.account == key.account,
        deliveries.c.customer_id == key.customer_id,
        deliveries.c.purchase_order == key.purchase_order,
    )
    # Sorted here: to spare itself the sorting, SQLite would read the whole account in the order of its ids.
    return tuple(sorted(map(facts_of_row, connection.execute(statement)), key=lambda held: held.id))


def _set_aside(connection: sa.Connection, key: OrderKey, ids: Sequence[int]) -> tuple[tuple[str, str], ...]:
    """Records set aside that belong here, or might: of a delivery of ours, or with our number and no other customer."""
    number_is_ours = sa.and_(
        set_aside.c.purchase_order == key.purchase_order,
        sa.or_(set_aside.c.customer_id == key.customer_id, set_aside.c.customer_id.is_(None)),
    )
    statement = sa.select(set_aside.c.delivery_id, set_aside.c.payload_hash, set_aside.c.reason).where(
        set_aside.c.account == key.account,
        set_aside.c.closed_at.is_(None),
        sa.or_(set_aside.c.delivery_id.in_(ids), number_is_ours),
    )
    rows = connection.execute(statement.order_by(set_aside.c.payload_hash))
    return tuple((row.payload_hash, _aside_reason(row.delivery_id, row.reason)) for row in rows)


def _aside_reason(delivery_id: int | None, reason: str) -> str:
    record = "a record without a readable id" if delivery_id is None else f"the record of delivery {delivery_id}"
    return f"{record} was set aside: {reason.rstrip('.')}"


def _counted_elsewhere(connection: sa.Connection, key: OrderKey, ids: Sequence[int]) -> tuple[str, ...]:
    """Sentences about our deliveries that a firing of another order has counted."""
    ours = sa.and_(orders.c.customer_id == key.customer_id, orders.c.purchase_order == key.purchase_order)
    statement = (
        sa.select(counted_deliveries.c.delivery_id, orders.c.purchase_order, orders.c.customer_id)
        .join_from(counted_deliveries, firings, firings.c.id == counted_deliveries.c.firing_id)
        .join(orders, orders.c.id == firings.c.order_id)
        .where(
            counted_deliveries.c.account == key.account,
            counted_deliveries.c.delivery_id.in_(ids),
            # Refused: it was proved that nothing went out for it.
            firings.c.state != FiringState.REFUSED,
            ~ours,
        )
        .order_by(counted_deliveries.c.delivery_id, orders.c.purchase_order)
    )
    return tuple(
        f"delivery {row.delivery_id} was already counted for order {row.purchase_order} of customer {row.customer_id}"
        for row in connection.execute(statement)
    )


def _link_content(link: Link | None) -> list[object]:
    if link is None:
        return []
    return [
        link.credit_order_id,
        link.credit_kg,
        link.expected_deliveries,
        link.open_ended,
        link.project,
        link.issuance,
        list(link.batches),
        link.note,
    ]


def _digest(content: Sequence[object]) -> str:
    return hashlib.sha256(orjson.dumps(content)).hexdigest()
