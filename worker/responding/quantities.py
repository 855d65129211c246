"""Whether what was asked for and what is delivered are the same, where that can be compared. Pure, exact.

An item is compared with the line items whose article number is its id; anything else names other goods to us. What is
ordered by the kilogram is compared with lines in kilograms, all else in vessels or in the packages that were ordered:
the warehouse counts either, and its units have names of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from worker.customers.customer_rows import CustomerOrderRow
from worker.responding.words import in_order
from worker.standing import LineItem

_BY_KG = "kg"
_KILOGRAMS = frozenset({"kg", "kgm"})
_CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """`differs`: True, False, or None where it cannot be compared; `reason` says why."""

    item: str
    differs: bool | None
    reason: str


def compare(order: CustomerOrderRow, lines: Sequence[LineItem]) -> list[Compared]:
    """Each item of the order; and each article that nobody asked for, where all else can be compared."""
    if order.items is None:
        return [Compared(item="", differs=None, reason="its items were not read yet")]
    found = [_item(item, _told(order, str(item["id"])), lines) for item in order.items]
    if any(one.differs is None for one in found):
        return found
    asked = {str(item["id"]) for item in order.items}
    more = {line.article_number for line in _counting(lines)} - asked
    extra = (str(article) for article in sorted(more, key=str))
    return found + [
        Compared(item=one, differs=True, reason=f"{one} is delivered, and nobody asked for it") for one in extra
    ]


def _item(item: Mapping[str, Any], told: Mapping[str, Any], lines: Sequence[LineItem]) -> Compared:
    name = str(item["id"])
    same = [line for line in _counting(lines) if line.article_number == name]
    wanted = _amounts(item, told)
    if not same:
        return _without_lines(name, wanted)
    units = {("" if line.unit is None else line.unit.lower()) in _KILOGRAMS for line in same}
    if units != {item["order_by"] == _BY_KG}:
        return Compared(item=name, differs=None, reason=f"{name} is counted in other units at the warehouse")
    delivered = sum((line.quantity for line in same), Decimal(0))
    if delivered in wanted:
        return Compared(item=name, differs=False, reason=f"{name}: {delivered:f}")
    asked = " or ".join(f"{amount:f}" for amount in wanted)
    return Compared(item=name, differs=True, reason=f"{name}: {asked} asked for, {delivered:f} delivered")


def _without_lines(name: str, wanted: Sequence[Decimal]) -> Compared:
    if all(amount == 0 for amount in wanted):
        return Compared(item=name, differs=False, reason=f"{name}: none")
    return Compared(item=name, differs=None, reason=f"no line item has the article number {name}")


def _amounts(item: Mapping[str, Any], told: Mapping[str, Any]) -> list[Decimal]:
    """In packages (or kilograms) as ordered, and in vessels; as the supplier changed it, where that was told."""
    counts = (told.get(name) if told.get("count") is not None else item[name] for name in ("count", "vessel_count"))
    return list(dict.fromkeys(Decimal(count) for count in counts if count is not None))


def _told(order: CustomerOrderRow, name: str) -> Mapping[str, Any]:
    """What the newest response says of the item."""
    said = [item for response in in_order(order.responses) for item in response["items"] if str(item["id"]) == name]
    return said[-1] if said else {}


def _counting(lines: Sequence[LineItem]) -> list[LineItem]:
    return [line for line in lines if line.status != _CANCELLED]
