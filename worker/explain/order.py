"""An order's explanation: how it stands, what was read, what was decided, and what was done about it."""

import sqlalchemy as sa

from worker.db.tables import orders
from worker.events import OrderKey
from worker.explain.customers import CustomerSide, customer_orders_of
from worker.explain.deeds import counted_by, firings_of
from worker.explain.readings import decisions_about, deliveries_of, records_of
from worker.explain.rows import Document, is_of, picked
from worker.orders.link_match import LinkMatch
from worker.orders.link_row import COLUMNS

_ORDER = ("newest_at", "read_at", "look_at")
# All that a links file says; the number is the order's own.
_LINK = tuple(name for name in COLUMNS if name != "purchase_order")


def explain(
    connection: sa.Connection,
    key: OrderKey,
    link: LinkMatch,
    ordinal: int | None = None,
    customers: CustomerSide | None = None,
) -> Document:
    """The whole causal chain of an order, oldest first wherever something happened in time."""
    order = connection.execute(sa.select(orders).where(is_of(orders, key))).first()
    counted = [] if order is None else counted_by(connection, order.id)
    return {
        "account": key.account,
        "customer_id": key.customer_id,
        "purchase_order": key.purchase_order,
        "state": None if order is None else order.state,
        "reason": "nothing was decided about it yet" if order is None else order.reason,
        **(dict.fromkeys(_ORDER) if order is None else picked(order, _ORDER)),
        "link": _link(link),
        "deliveries": deliveries_of(connection, key, counted),
        "customer_orders": customer_orders_of(connection, key, customers),
        "records_set_aside": records_of(connection, key),
        "events": decisions_about(connection, key),
        "firings": [] if order is None else firings_of(connection, order.id, ordinal),
    }


def _link(found: LinkMatch) -> Document | None:
    if found.ambiguous is not None:
        return {"ambiguous": found.ambiguous}
    return None if found.link is None else {name: getattr(found.link, name) for name in _LINK}
