"""Making up deliveries: their heads, their line items, and what they are worth."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

from connectors.simulated.articles import ARTICLES, WITH_FACTOR, WITHOUT_FACTOR
from connectors.simulated.story_words import Fate, PlannedDelivery
from connectors.simulated.warehouse import FIRST_DELIVERY_ID, FIRST_ITEM_ID
from connectors.simulated.warehouse_words import PRIORITIES
from connectors.simulated.warehouse_writes import line_item

COMPLETED: Final = ("completed", "booked")
CANCELLED: Final = ("cancelled", "cancelled")
STUCK: Final = ("processing", "unloading")
BLOCKING: Final = (("error", "error"), ("processing", "onHold"), ("unknown", "unknown"))
# A status that the vendor's page does not list.
UNDOCUMENTED: Final = ("quarantined", "booked")

# Line items in a delivery, and units of an article.
MOST_ITEMS: Final = 3
MOST_UNITS: Final = 900
FEWEST_UNITS: Final = 140
# Share of line items after the first that are cancelled on the way.
CANCELLED_ITEM_SHARE: Final = 0.05


class DeliveryMaker:
    """Makes deliveries with ids and numbers in a row; equal sources of chance make equal deliveries."""

    def __init__(self, chance: random.Random) -> None:
        """Begin with the first id."""
        self._chance = chance
        self._made = 0
        self._items = 0

    def make(
        self, *, customer_id: int, purchase_order: str | None, end: tuple[str, str], without_factor: bool = False
    ) -> PlannedDelivery:
        """Return one delivery that ends in ``end``; ``without_factor`` gives it an article nobody has a factor for."""
        key = FIRST_DELIVERY_ID + self._made
        self._made += 1
        articles = [self._chance.choice(WITH_FACTOR) for _ in range(self._chance.randint(1, MOST_ITEMS))]
        if without_factor:
            articles[0] = WITHOUT_FACTOR[0]
        items = [self._item(article.id) for article in articles]
        record = {
            "id": key,
            "customerId": customer_id,
            "status": "draft",
            "statusInbound": "new",
            "number": f"LS{self._made:06d}",
            "numberExternal": self._chance.choice((None, f"EXT-{self._made}")),
            "numberPurchaseOrder": purchase_order,
            "date": "2026-05-13T09:30:00Z",
            "priority": self._chance.choice(PRIORITIES),
            "note": self._chance.choice((None, "Unload with care!", "Rampe 3, bitte klingeln: Süd")),
            "attributes": {"areaId": "1000175", "placeId": "1145046"},
            "lineItems": items,
        }
        return PlannedDelivery(
            key=key, record=record, completes=end == COMPLETED, end=end, cancelled_items=self._cancelled(len(items))
        )

    def _item(self, article_id: int) -> dict[str, Any]:
        self._items += 1
        quantity = self._chance.randint(FEWEST_UNITS, MOST_UNITS)
        return line_item(FIRST_ITEM_ID + self._items, ARTICLES[article_id], quantity)

    def _cancelled(self, count: int) -> tuple[int, ...]:
        """Choose among all but the first, so that something is always booked."""
        return tuple(index for index in range(1, count) if self._chance.random() < CANCELLED_ITEM_SHARE)


def ends(fate: Fate, count: int, chance: random.Random) -> list[tuple[str, str]]:
    """Return how each of ``count`` deliveries of an order ends; what decides the fate is the first one."""
    if fate is Fate.CANCELLED:
        return [CANCELLED] * count
    first = {
        Fate.COMPLETE: COMPLETED,
        Fate.PARTLY_CANCELLED: CANCELLED,
        Fate.NEVER: STUCK,
        Fate.BLOCKED: chance.choice(BLOCKING),
        Fate.UNKNOWN_VALUE: UNDOCUMENTED,
        Fate.BAD_RECORD: COMPLETED,
    }[fate]
    return [first] + [COMPLETED] * (count - 1)


def worth(deliveries: Iterable[PlannedDelivery]) -> int:
    """Return the whole kilograms of all booked line items: exact decimals, rounded down once, at the end."""
    total = sum((_item_worth(item) for delivery in deliveries for item in booked(delivery)), start=Decimal(0))
    return math.floor(total)


def booked(delivery: PlannedDelivery) -> Sequence[dict[str, Any]]:
    """Return the line items that end as booked."""
    if not delivery.completes:
        return ()
    items: list[dict[str, Any]] = delivery.record["lineItems"]
    return [item for index, item in enumerate(items) if index not in delivery.cancelled_items]


def _item_worth(item: dict[str, Any]) -> Decimal:
    """Return the exact kilograms of an item; one that nobody can count is worth nothing."""
    factor, quantity = ARTICLES[item["articleId"]].kg_per_unit, item["quantity"]
    return Decimal(0) if factor is None or not isinstance(quantity, int) else factor * quantity
