"""What a customer order means for the order whose delivery names it: pure (DESIGN §5). Reasons are sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.barmate_records import OrderStatus
from worker.customers.customer_rows import CustomerOrderRow
from worker.standing import Gate, GateKind

# How an undocumented value of the fields that decide begins in `CustomerOrderRow.unknown`; others are only shown.
_DECIDING = ("status=", "type=")
_ENDED_OTHERWISE = frozenset({OrderStatus.CANCELLED, OrderStatus.REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A delivery and what it names: `value` is an id, or a reference where customer orders are found by that."""

    delivery_id: int
    value: str
    by_reference: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What we hold about what is named.

    `orders`: the customer orders of that id or reference. `missing`: barmate said that it knows no such id.
    `set_aside`: why its newest record could not be read. `same_number`: other deliveries (account and id) with the
    number that the reference means. `list_read`: the list was read to its end, and every order in it by its id.
    """

    orders: tuple[CustomerOrderRow, ...] = ()
    missing: bool = False
    set_aside: str | None = None
    same_number: tuple[str, ...] = ()
    list_read: bool = False


def gate(named: Named, held: Held, *, require_receipt: bool) -> Gate:
    """What is to be done about an order because of this delivery's customer order."""
    ids = {order.id for order in held.orders}
    kind, reason = _verdict(named, held, require_receipt=require_receipt)
    return Gate(
        delivery_id=named.delivery_id,
        customer_order_id=ids.pop() if len(ids) == 1 else None,
        kind=kind,
        reason=reason,
    )


def _verdict(named: Named, held: Held, *, require_receipt: bool) -> tuple[GateKind, str]:
    if named.by_reference and held.same_number:
        others = ", ".join(held.same_number)
        reason = f"the number {named.value} of delivery {named.delivery_id} is also that of {others}"
        return GateKind.BLOCKS, f"{reason}; a customer order that refers to it may mean either"
    if len(held.orders) > 1:
        ids = ", ".join(order.id for order in held.orders)
        return GateKind.BLOCKS, f"customer orders {ids} all refer to {named.value}, delivery {named.delivery_id}"
    if held.set_aside is not None:
        reason = held.set_aside.rstrip(".")
        return GateKind.BLOCKS, f"the record of {_order_of(named)} was set aside: {reason}"
    if not held.orders:
        return _not_held(named, held)
    return _of_order(named, held.orders[0], require_receipt=require_receipt)


def _not_held(named: Named, held: Held) -> tuple[GateKind, str]:
    if named.by_reference:
        if held.list_read:
            return GateKind.BLOCKS, f"no customer order refers to {named.value}, delivery {named.delivery_id}"
        return GateKind.PENDING, f"customer orders are still being read; none refers to {named.value} yet"
    if held.missing:
        return GateKind.BLOCKS, f"barmate knows no {_order_of(named).rstrip(',')}"
    return GateKind.UNREAD, f"{_order_of(named)} was not read yet"


def _of_order(named: Named, order: CustomerOrderRow, *, require_receipt: bool) -> tuple[GateKind, str]:
    told = f"customer order {order.id} of delivery {named.delivery_id}"
    against = _against(order)
    if against is not None:
        return GateKind.BLOCKS, f"{told} {against}"
    if order.read_at is None:
        return GateKind.UNREAD, f"{told} was not read yet"
    if require_receipt and not order.is_delivered:
        return GateKind.WAITS, f"{told} is {order.status}; its receipt is awaited"
    return GateKind.OPEN, f"{told} is {order.status}"


def _against(order: CustomerOrderRow) -> str | None:
    if not order.visible:
        return "is no longer known to barmate"
    unknown = _deciding(order.unknown)
    if unknown:
        return f"has a value this version does not know: {unknown[0]}"
    if order.is_return:
        return "is a RETURN"
    return f"is {order.status}" if order.status in _ENDED_OTHERWISE else None


def _deciding(unknown: Sequence[str]) -> list[str]:
    return [text for text in unknown if text.startswith(_DECIDING)]


def _order_of(named: Named) -> str:
    """What is named, up to the verb."""
    if named.by_reference:
        return f"the customer order that refers to {named.value}, delivery {named.delivery_id},"
    return f"customer order {named.value}, which delivery {named.delivery_id} names,"
