"""The gates of an order: what we hold of the customer orders that its deliveries name, loaded and judged (DESIGN §5).

A cancelled delivery asks for nothing: its customer order may well be cancelled too.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from worker.customers import account_rows, customer_rows
from worker.customers.customer_rows import CustomerOrderRow
from worker.customers.gate_rule import Held, Named, gate
from worker.customers.linking import LinkBy, NamedBy, names_by_order, names_by_value
from worker.db.tables import customer_orders
from worker.events import OrderKey
from worker.standing import Gate

_CANCELLED = "cancelled"


class Gates:
    """Judges orders in the caller's transaction, by what we hold."""

    def __init__(self, *, host: str, link_by: LinkBy, require_receipt: bool) -> None:
        self._host = host
        self._link_by = link_by
        self._require_receipt = require_receipt

    def __call__(self, connection: sa.Connection, key: OrderKey) -> tuple[Gate, ...]:
        """A gate for every visible, not cancelled delivery of the order that names a customer order, by its id."""
        named = _counting(names_by_order(connection, key, self._link_by))
        if not named:
            return ()
        held = self._by_reference if self._link_by is LinkBy.REFERENCE else self._by_id
        found = held(connection, named)
        return tuple(
            gate(
                Named(
                    delivery_id=one.delivery_id,
                    value=one.value,
                    by_reference=self._link_by is LinkBy.REFERENCE,
                ),
                found[one.delivery_id],
                require_receipt=self._require_receipt,
            )
            for one in named
        )

    def wanted(self, connection: sa.Connection, key: OrderKey) -> tuple[str, ...]:
        """The ids of the customer orders to be read before the order is called complete: all that may still change."""
        named = _counting(names_by_order(connection, key, self._link_by))
        values = sorted({one.value for one in named})
        if self._link_by is LinkBy.REFERENCE:
            orders = {order.id: order for value in values for order in self._with_reference(connection, value)}
            values = sorted(orders)
        else:
            orders = customer_rows.load_many(connection, self._host, values)
        return tuple(order_id for order_id in values if not _is_over(orders.get(order_id)))

    def _by_id(self, connection: sa.Connection, named: Sequence[NamedBy]) -> Mapping[int, Held]:
        ids = {one.value for one in named}
        orders = customer_rows.load_many(connection, self._host, ids)
        missing = customer_rows.missing(connection, self._host, ids)
        broken = customer_rows.set_aside_reasons(connection, self._host, ids)
        return {
            one.delivery_id: Held(
                orders=(orders[one.value],) if one.value in orders else (),
                missing=one.value in missing,
                set_aside=broken.get(one.value),
            )
            for one in named
        }

    def _by_reference(self, connection: sa.Connection, named: Sequence[NamedBy]) -> Mapping[int, Held]:
        namesakes = _counting(names_by_value(connection, {one.value for one in named}, self._link_by))
        list_read = _list_read(connection, self._host)
        found: dict[int, Held] = {}
        for one in named:
            orders = self._with_reference(connection, one.value)
            broken = customer_rows.set_aside_reasons(connection, self._host, [order.id for order in orders])
            found[one.delivery_id] = Held(
                orders=orders,
                set_aside=next(iter(broken.values()), None),
                same_number=tuple(_other(one, other) for other in namesakes if _is_other(one, other)),
                list_read=list_read,
            )
        return found

    def _with_reference(self, connection: sa.Connection, reference: str) -> tuple[CustomerOrderRow, ...]:
        return tuple(customer_rows.with_reference(connection, self._host, reference))


def _counting(named: Sequence[NamedBy]) -> list[NamedBy]:
    return [one for one in named if one.visible and one.status != _CANCELLED]


def _is_over(order: CustomerOrderRow | None) -> bool:
    """Whether nothing can happen to it any more, as we read ourselves (vendor's page api/deliveries: final states)."""
    return order is not None and order.is_final and order.visible and order.read_at is not None


def _is_other(one: NamedBy, other: NamedBy) -> bool:
    return one.value == other.value and (one.account, one.delivery_id) != (other.account, other.delivery_id)


def _other(one: NamedBy, other: NamedBy) -> str:
    where = "" if one.account == other.account else f" of {other.account}"
    return f"delivery {other.delivery_id}{where}"


def _list_read(connection: sa.Connection, host: str) -> bool:
    """Whether nothing that is in the list may be unknown to us."""
    account = account_rows.find(connection, host)
    if account is None or account.walked_to_end_at is None:
        return False
    unread = sa.select(customer_orders.c.id).where(customer_orders.c.host == host, customer_orders.c.read_at.is_(None))
    return connection.execute(unread.limit(1)).first() is None
