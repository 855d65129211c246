"""The registry's part of a story: buyers, credit orders, batches, and who is paid for with what."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from connectors.simulated.registry_ids import mint
from connectors.simulated.registry_model import CreditBatch, CreditOrder, Organisation, RegistryContent, Supplier
from connectors.simulated.story_deliveries import worth
from connectors.simulated.story_words import Expected, Fate, LinkKind, LinkRow, PlannedOrder

# Orders that share one credit order, at most.
MOST_SHARING: Final = 6
# Kilograms an operator writes down for an order.
FEWEST_KG: Final = 40
MOST_KG: Final = 2500
# Kilograms of a batch.
SMALLEST_BATCH: Final = 400
LARGEST_BATCH: Final = 4000
# Stock beyond what is needed: a share, and kilograms on top so that even a tiny story has several batches.
SPARE_SHARE: Final = 0.3
SPARE_KG: Final = 50_000
BUYERS: Final = ("Alder Foods", "Birke Getränke AG", "Cedar Outdoor", "Doux & Fils")
ISSUED: Final = (datetime(2025, 2, 3, 9, 15, 0, 123456, tzinfo=UTC), datetime(2025, 8, 19, 14, 2, 7, 1, tzinfo=UTC))

NOT_DELIVERED: Final = {
    Fate.NEVER: "not every delivery is completed",
    Fate.CANCELLED: "all deliveries are cancelled",
    Fate.BLOCKED: "a delivery is in error, on hold or unknown",
    Fate.UNKNOWN_VALUE: "a delivery has a status nobody documented",
    Fate.BAD_RECORD: "a record of the order does not parse",
}
BADLY_LINKED: Final = {
    LinkKind.UNLINKED: "no link",
    LinkKind.ONE_TOO_MANY: "the link expects one delivery more than there are",
    LinkKind.NO_FACTOR: "an article has no factor",
    LinkKind.TOO_SMALL: "the credit order is too small",
    LinkKind.NO_CUSTOMER: "two customers use the number and the link names none",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Payment:
    """An order with the credit order that pays for it; ``stated_kg`` is None where the factors decide."""

    order: PlannedOrder
    credit_order_id: str
    stated_kg: int | None
    kg: int


class CreditMaker:
    """Makes the registry's content and the links of the orders."""

    def __init__(self, orders: Sequence[PlannedOrder], chance: random.Random) -> None:
        """Assign every linked order to a credit order."""
        self._chance = chance
        self._orders = orders
        home = Organisation(id=mint("org", chance), name="Example Removals Ltd", domain="removals.example")
        self._supplier = Supplier(id=mint("spl", chance), organisation=home)
        self._buyers = tuple(
            Organisation(id=mint("org", chance), name=name, domain=None if index else "alder.example")
            for index, name in enumerate(BUYERS)
        )
        self._shared_numbers = shared_numbers(orders)
        self._credit_orders: list[CreditOrder] = []
        self._payments = self._assign()

    def content(self) -> RegistryContent:
        """Return what the registry holds at the beginning."""
        needed = sum(order.ordered_kg for order in self._credit_orders)
        return RegistryContent(
            supplier=self._supplier,
            organisations=(self._supplier.organisation, *self._buyers),
            orders=tuple(self._credit_orders),
            batches=tuple(self._batches(round(needed * (1 + SPARE_SHARE)) + SPARE_KG)),
        )

    def links(self) -> tuple[LinkRow, ...]:
        """Return what the operator would write down."""
        return tuple(self._link(payment) for payment in self._payments)

    def expected(self) -> tuple[Expected, ...]:
        """Return what should be found at the end, for every order."""
        paid = {_key(payment.order): payment for payment in self._payments}
        return tuple(self._expectation(order, paid.get(_key(order))) for order in self._orders)

    def _assign(self) -> list[_Payment]:
        linked = [order for order in self._orders if order.link is not LinkKind.UNLINKED]
        self._chance.shuffle(linked)
        good = [order for order in linked if self._should_deliver(order)]
        payments: list[_Payment] = []
        while good:
            group = [good.pop() for _ in range(min(len(good), self._chance.randint(1, MOST_SHARING)))]
            payments += self._group(group)
        others = [order for order in linked if not self._should_deliver(order)]
        return payments + [self._other(order) for order in others]

    def _group(self, group: list[PlannedOrder]) -> list[_Payment]:
        """Let ``group`` share a credit order that fits exactly, or has room."""
        stated = [None if order.by_factor else self._chance.randint(FEWEST_KG, MOST_KG) for order in group]
        amounts = [worth(order.deliveries) if kg is None else kg for order, kg in zip(group, stated, strict=True)]
        room = self._chance.choice((0, 0, self._chance.randint(1, 5000)))
        credit_order = self._credit_order(sum(amounts) + room)
        return [
            _Payment(order=order, credit_order_id=credit_order.id, stated_kg=kg, kg=amount)
            for order, kg, amount in zip(group, stated, amounts, strict=True)
        ]

    def _other(self, order: PlannedOrder) -> _Payment:
        """Link an order that must not deliver: to a credit order of its own that is too small, or to anyone's."""
        stated = None if order.by_factor else self._chance.randint(FEWEST_KG, MOST_KG)
        kg = worth(order.deliveries) if stated is None else stated
        if order.link is LinkKind.TOO_SMALL or not self._credit_orders:
            credit_order = self._credit_order(max(1, kg - 1))
        else:
            credit_order = self._chance.choice(self._credit_orders)
        return _Payment(order=order, credit_order_id=credit_order.id, stated_kg=stated, kg=kg)

    def _should_deliver(self, order: PlannedOrder) -> bool:
        return not self._reason(order)

    def _reason(self, order: PlannedOrder) -> str:
        """Return why nothing may be delivered, or nothing."""
        if order.link is LinkKind.UNLINKED:
            return BADLY_LINKED[order.link]
        return NOT_DELIVERED.get(order.fate, "") or BADLY_LINKED.get(order.link, "")

    def _credit_order(self, kg: int) -> CreditOrder:
        order = CreditOrder(
            id=mint("ord", self._chance),
            buyer=self._chance.choice(self._buyers),
            supplier=self._supplier,
            contract_date=date(2025, 9, 1) + timedelta(days=len(self._credit_orders)),
            ordered_kg=kg,
        )
        self._credit_orders.append(order)
        return order

    def _link(self, payment: _Payment) -> LinkRow:
        order = payment.order
        expected = len(order.deliveries) + int(order.link is LinkKind.ONE_TOO_MANY)
        named = order.purchase_order in self._shared_numbers or self._chance.choice((True, False))
        return LinkRow(
            purchase_order=order.purchase_order,
            credit_order_id=payment.credit_order_id,
            credit_kg=payment.stated_kg,
            expected_deliveries=None if order.open_ended else expected,
            open_ended=order.open_ended,
            customer_id=order.customer_id if named and order.link is not LinkKind.NO_CUSTOMER else None,
        )

    def _expectation(self, order: PlannedOrder, payment: _Payment | None) -> Expected:
        reason = self._reason(order)
        return Expected(
            customer_id=order.customer_id,
            purchase_order=order.purchase_order,
            credit_order_id=None if payment is None else payment.credit_order_id,
            kg=None if payment is None or reason else payment.kg,
            should_deliver=not reason,
            reason=reason,
            deliveries=len(order.deliveries),
        )

    def _batches(self, kg: int) -> list[CreditBatch]:
        """Return batches of ``kg`` in all, of two issuances of one project."""
        project, removal = mint("prj", self._chance), mint("rmv", self._chance)
        issuances = [(mint("iss", self._chance), issued) for issued in ISSUED]
        batches: list[CreditBatch] = []
        first_serial = 1
        while kg > 0:
            size = min(kg, self._chance.randint(SMALLEST_BATCH, LARGEST_BATCH))
            issuance = issuances[len(batches) % len(issuances)]
            batches.append(self._batch(size, first_serial, issuance, (project, removal)))
            first_serial, kg = first_serial + size, kg - size
        return batches

    def _batch(
        self, kg: int, first_serial: int, issuance: tuple[str, datetime], origin: tuple[str, str]
    ) -> CreditBatch:
        issuance_id, issued_at = issuance
        project_id, removal_id = origin
        return CreditBatch(
            id=mint("ctb", self._chance),
            kg=kg,
            first_serial=first_serial,
            issued_at=issued_at,
            sequestered_on=issued_at.date() - timedelta(days=60),
            issuance_id=issuance_id,
            project_id=project_id,
            removal_id=removal_id,
            supplier_id=self._supplier.id,
            owner=self._supplier.organisation,
        )


def shared_numbers(orders: Sequence[PlannedOrder]) -> set[str]:
    """Return the numbers that more than one customer uses."""
    numbers = [order.purchase_order for order in orders]
    return {number for number in numbers if numbers.count(number) > 1}


def _key(order: PlannedOrder) -> tuple[int, str]:
    return order.customer_id, order.purchase_order
