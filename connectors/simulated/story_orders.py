"""Making up orders: how many deliveries each has, how it ends, and how it is linked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from connectors.simulated.story_deliveries import COMPLETED, DeliveryMaker, ends
from connectors.simulated.story_words import Fate, LinkKind, PlannedDelivery, PlannedOrder, Planted, StoryPlan

CUSTOMERS: Final = (1_000_050, 1_000_051, 1_000_052, 1_000_060, 1_000_061)
# Shares of all orders; the rest completes.
FATE_SHARES: Final = {Fate.PARTLY_CANCELLED: 0.05, Fate.NEVER: 0.06, Fate.CANCELLED: 0.05, Fate.BLOCKED: 0.04}
# Shares of the linked orders that complete; the rest is linked as it should be.
LINK_SHARES: Final = {LinkKind.ONE_TOO_MANY: 0.02, LinkKind.NO_FACTOR: 0.02, LinkKind.TOO_SMALL: 0.02}
# Share of orders whose number a second customer uses too.
SHARED_NUMBER_SHARE: Final = 0.02
# Share of orders that are over before the story begins.
HISTORY_SHARE: Final = 0.15
# Share of deliveries without an order.
LOOSE_SHARE: Final = 0.04
# Orders: from here on every kind occurs at least once.
ENOUGH_FOR_ALL: Final = 20
# Share of the story after which no order begins, so that all have time to end.
LATEST_BEGIN: Final = 0.45
# Numbers that need care in a query string, in a CSV file, or in a comparison.
ODD_NUMBERS: Final = ("PO 7/ä&b=1", "PO,8;x", 'PO "9"', "PO+10%20", "po000004", "PO#11?x", "\u0416-12")
BLANKS: Final = (None, "", "   ")


class OrderMaker:
    """Makes the orders of a plan."""

    def __init__(self, plan: StoryPlan, chance: random.Random) -> None:
        """Begin with nothing made."""
        self._plan = plan
        self._chance = chance
        self._maker = DeliveryMaker(chance)

    def orders(self) -> tuple[PlannedOrder, ...]:
        """Return all orders."""
        count = min(self._plan.orders, self._plan.deliveries)
        sizes = self._sizes(count)
        fates, numbers = self._fates(count), self._numbers(count)
        links = self._links(fates)
        made = [
            self._order(*number, fate, link, size)
            for number, fate, link, size in zip(numbers, fates, links, sizes, strict=True)
        ]
        return tuple(self._paired(made))

    def loose(self) -> tuple[PlannedDelivery, ...]:
        """Return the deliveries that belong to no order."""
        return tuple(
            self._maker.make(
                customer_id=self._chance.choice(CUSTOMERS), purchase_order=self._chance.choice(BLANKS), end=COMPLETED
            )
            for _ in range(self._loose_count(min(self._plan.orders, self._plan.deliveries)))
        )

    def planted(self) -> tuple[tuple[PlannedDelivery, Planted], ...]:
        """Return records without an order that do not parse, beyond the plan's deliveries."""
        kinds = ("lineItems is a string", "id is missing", "customerId is a string", "status is a number")
        loose = self._plan.bad_records - self._plan.bad_records // 2
        return tuple(self._spoiled_loose(kinds[index % len(kinds)]) for index in range(loose))

    def _spoiled_loose(self, why: str) -> tuple[PlannedDelivery, Planted]:
        made = self._maker.make(customer_id=CUSTOMERS[0], purchase_order=None, end=COMPLETED)
        spoil: dict[str, Any] = {
            "lineItems is a string": {**made.record, "lineItems": "none"},
            "id is missing": {name: value for name, value in made.record.items() if name != "id"},
            "customerId is a string": {**made.record, "customerId": "customer"},
            "status is a number": {**made.record, "status": 7},
        }
        return replace(made, record=spoil[why]), Planted(key=made.key, why=why)

    def _loose_count(self, orders: int) -> int:
        spare = self._plan.deliveries - orders
        return min(spare, max(self._plan.deletions, round(self._plan.deliveries * LOOSE_SHARE)))

    def _sizes(self, count: int) -> list[int]:
        """Give every order one delivery and spread the rest at random."""
        sizes = [1] * count
        for _ in range(self._plan.deliveries - count - self._loose_count(count) if count else 0):
            sizes[self._chance.randrange(count)] += 1
        return sizes

    def _fates(self, count: int) -> list[Fate]:
        fates: list[Fate] = [Fate.UNKNOWN_VALUE] * self._plan.unknown_values
        fates += [Fate.BAD_RECORD] * (self._plan.bad_records // 2)
        for fate, share in FATE_SHARES.items():
            fates += [fate] * max(round(count * share), int(count >= ENOUGH_FOR_ALL))
        fates = fates[:count] + [Fate.COMPLETE] * (count - len(fates))
        self._chance.shuffle(fates)
        return fates

    def _links(self, fates: Sequence[Fate]) -> list[LinkKind]:
        """Link a share of the orders; the odd kinds of link go to orders that complete."""
        linked = [index for index in range(len(fates)) if self._chance.random() < self._plan.linked_share]
        links = [LinkKind.UNLINKED] * len(fates)
        for index in linked:
            links[index] = LinkKind.PLAIN
        odd = [index for index in linked if fates[index] is Fate.COMPLETE]
        for kind, share in LINK_SHARES.items():
            for _ in range(max(round(len(odd) * share), int(len(fates) >= ENOUGH_FOR_ALL))):
                if odd:
                    links[odd.pop()] = kind
        return links

    def _numbers(self, count: int) -> list[tuple[int, str]]:
        """Return a customer and a number per order, all numbers different, some of them odd."""
        plain = [f"PO{index:06d}" for index in range(count)]
        odd = min(len(ODD_NUMBERS), count // 10)
        for place, number in zip(self._chance.sample(range(count), odd), ODD_NUMBERS, strict=False):
            plain[place] = number
        return [(self._chance.choice(CUSTOMERS), number) for number in plain]

    def _order(self, customer_id: int, number: str, fate: Fate, link: LinkKind, size: int) -> PlannedOrder:
        fate = Fate.COMPLETE if fate is Fate.PARTLY_CANCELLED and size == 1 else fate
        lacking = link is LinkKind.NO_FACTOR
        deliveries = [
            self._maker.make(
                customer_id=customer_id, purchase_order=number, end=end, without_factor=lacking and index == 0
            )
            for index, end in enumerate(ends(fate, size, self._chance))
        ]
        if fate is Fate.BAD_RECORD:
            deliveries[0].record["lineItems"][0]["quantity"] = "twelve"
        return PlannedOrder(
            customer_id=customer_id,
            purchase_order=number,
            fate=fate,
            link=link,
            by_factor=lacking or self._chance.choice((True, False)),
            open_ended=self._open_ended(fate, link),
            history=self._chance.random() < HISTORY_SHARE,
            begins=self._chance.uniform(0.0, LATEST_BEGIN),
            deliveries=tuple(deliveries),
        )

    def _open_ended(self, fate: Fate, link: LinkKind) -> bool:
        """Decide whether a link states no number; where one is stated, a cancelled delivery must not confuse it."""
        if fate is Fate.PARTLY_CANCELLED:
            return True
        return fate is not Fate.BAD_RECORD and link is not LinkKind.ONE_TOO_MANY and self._chance.choice((True, False))

    def _paired(self, made: list[PlannedOrder]) -> list[PlannedOrder]:
        """Let some pairs of completing orders share a number; both begin together, so that neither is alone for long.

        The first pair has one link without a customer, which can serve neither of them.
        """
        places = [index for index, order in enumerate(made) if _may_share(order)]
        pairs = max(round(len(made) * SHARED_NUMBER_SHARE), int(len(made) >= ENOUGH_FOR_ALL))
        for turn in range(min(pairs, len(places) // 2)):
            first, second = places[2 * turn], places[2 * turn + 1]
            made[second] = _renumbered(made[second], made[first])
            if turn == 0:
                made[first] = replace(made[first], link=LinkKind.NO_CUSTOMER)
                made[second] = replace(made[second], link=LinkKind.UNLINKED)
        return made


def _may_share(order: PlannedOrder) -> bool:
    return order.fate is Fate.COMPLETE and order.link in {LinkKind.PLAIN, LinkKind.UNLINKED}


def _renumbered(order: PlannedOrder, model: PlannedOrder) -> PlannedOrder:
    """Return ``order`` with the number and the time of ``model``, for another customer."""
    customer_id = CUSTOMERS[(CUSTOMERS.index(model.customer_id) + 1) % len(CUSTOMERS)]
    for delivery in order.deliveries:
        delivery.record.update(numberPurchaseOrder=model.purchase_order, customerId=customer_id)
    return replace(
        order,
        customer_id=customer_id,
        purchase_order=model.purchase_order,
        history=model.history,
        begins=model.begins,
    )
