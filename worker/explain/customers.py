"""The customer orders behind an order: what each of its deliveries names, what we hold of it, and what that means."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from worker.customers.customer_rows import CustomerOrderRow, load
from worker.events import OrderKey, barmate_source, customer_order_subject
from worker.explain.readings import events_of
from worker.explain.rows import Document
from worker.responding import reply_rows
from worker.standing import Gate

_ORDER = (
    "type",
    "status",
    "unknown",
    "reference",
    "requested_at",
    "cancelled_at",
    "delivered_seen_at",
    "visible",
    "read_at",
)
# Of an event about a customer order: what it was like then, and which reading showed it.
_READ = ("raw_hash", "turn", "seen_at", "parses_again")


@dataclass(frozen=True, slots=True)
class CustomerSide:
    """Where customer orders are read, and what they mean for an order."""

    host: str
    gates: Callable[[sa.Connection, OrderKey], tuple[Gate, ...]]


def customer_orders_of(connection: sa.Connection, key: OrderKey, side: CustomerSide | None) -> list[Document]:
    """A document for each delivery that names a customer order; none where barmate is not used."""
    return [] if side is None else [_named(connection, side.host, gate) for gate in side.gates(connection, key)]


def _named(connection: sa.Connection, host: str, gate: Gate) -> Document:
    found = None if gate.customer_order_id is None else load(connection, host, gate.customer_order_id)
    return {
        "delivery_id": gate.delivery_id,
        "customer_order_id": gate.customer_order_id,
        "gate": gate.kind.value,
        "reason": gate.reason,
        **(dict.fromkeys(_ORDER) if found is None else {name: getattr(found, name) for name in _ORDER}),
        "events": [] if found is None else _events(connection, host, found),
        "responses": [] if found is None else _responses(connection, host, found.id),
    }


def _responses(connection: sa.Connection, host: str, order_id: str) -> list[Document]:
    return [reply.document() for reply in reply_rows.of_orders(connection, host, [order_id])[order_id]]


def _events(connection: sa.Connection, host: str, found: CustomerOrderRow) -> list[Document]:
    return events_of(connection, barmate_source(host), customer_order_subject(found.id), _READ)
