"""How many kilograms an order is worth: pure, exact, rounded down once at the end (DESIGN §5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal, Inexact

from worker.orders.factors import Factors
from worker.standing import Calculation, CalculationLine, DeliveryFacts, LineItem, Link

BOOKED = "booked"
CANCELLED = "cancelled"
COMPLETED = "completed"

# Wide enough that nothing is ever rounded by the arithmetic; if it were, it would raise.
_EXACT = Context(prec=200, traps=[Inexact])


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no amount, as a sentence for a person."""

    reason: str


Calculate = Callable[[Link, Sequence[DeliveryFacts]], Calculation | Missing]


def calculate(link: Link, deliveries: Sequence[DeliveryFacts], factors: Factors) -> Calculation | Missing:
    """The kilograms of the link, or the sum over the booked line items of completed deliveries; or what is missing."""
    if link.credit_kg is not None:
        return Calculation(kg=link.credit_kg, fixed=True, lines=())
    lines: list[CalculationLine] = []
    for delivery in sorted(deliveries, key=lambda found: found.id):
        if delivery.status != COMPLETED:
            continue
        found = _delivery_lines(delivery, factors)
        if isinstance(found, Missing):
            return found
        lines += found
    return _total(lines)


def _total(lines: Sequence[CalculationLine]) -> Calculation | Missing:
    total = Decimal(0)
    for line in lines:
        total = _EXACT.add(total, Decimal(line.kg))
    kg = int(total.to_integral_value(rounding=ROUND_FLOOR))
    if kg < 1:
        return Missing(f"the booked line items come to {total:f} kg; at least one whole kilogram is needed")
    return Calculation(kg=kg, fixed=False, lines=tuple(lines))


def _delivery_lines(delivery: DeliveryFacts, factors: Factors) -> list[CalculationLine] | Missing:
    if not delivery.line_items:
        return Missing(f"delivery {delivery.id} has no line items")
    lines: list[CalculationLine] = []
    for item in sorted(delivery.line_items, key=_item_order):
        if item.status == CANCELLED:
            continue
        line = _line(delivery, item, factors)
        if isinstance(line, Missing):
            return line
        lines.append(line)
    return lines


def _item_order(item: LineItem) -> tuple[int, str, str, Decimal, str]:
    identity = -1 if item.id is None else item.id
    return identity, str(item.article_number), str(item.unit), item.quantity, item.status


def _line(delivery: DeliveryFacts, item: LineItem, factors: Factors) -> CalculationLine | Missing:
    where = f"delivery {delivery.id}, " + ("a line item" if item.id is None else f"line item {item.id}")
    if item.status != BOOKED:
        return Missing(f"{where}: its status is {item.status}, neither booked nor cancelled")
    if item.article_number is None or item.unit is None:
        return Missing(f"{where}: it names no article or no unit")
    if item.quantity < 0:
        return Missing(f"{where}: its quantity {item.quantity:f} is negative")
    factor = factors.of(delivery.account, item.article_number, item.unit)
    if factor is None:
        return Missing(f"{where}: there is no factor for article {item.article_number} in {item.unit}")
    return CalculationLine(
        delivery_id=delivery.id,
        line_item_id=item.id,
        article_number=item.article_number,
        unit=item.unit,
        quantity=f"{item.quantity:f}",
        kg_per_unit=f"{factor:f}",
        kg=f"{_EXACT.multiply(item.quantity, factor):f}",
    )
