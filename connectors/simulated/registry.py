"""The registry as a state: credit orders, batches and deliveries, and the ledger of what truly happened.

A view of it is always asked as of a moment, because what was committed and what can be read may lie apart.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from connectors.simulated.clock import Clock
from connectors.simulated.registry_batches import BatchBook, Handover
from connectors.simulated.registry_ids import mint
from connectors.simulated.registry_model import (
    CreditBatch,
    CreditDelivery,
    CreditOrder,
    DeliveryRequest,
    Line,
    Organisation,
    RegistryContent,
)
from connectors.simulated.registry_trouble import Detail, TroubleError, UnknownIdError, detail
from connectors.simulated.switches import Panel, RegistrySwitches

Thing = TypeVar("Thing")


class Registry:
    """Everything on the registry; safe to use from several threads."""

    def __init__(
        self, content: RegistryContent, *, clock: Clock, chance: random.Random, panel: Panel[RegistrySwitches]
    ) -> None:
        """Begin with ``content`` and no delivery."""
        self.clock = clock
        self.panel = panel
        self.supplier = content.supplier
        self._chance = chance
        self._lock = threading.RLock()
        self._organisations = {organisation.id: organisation for organisation in content.organisations}
        self._orders = {order.id: order for order in content.orders}
        self._batches = BatchBook(content.batches, chance)
        self._deliveries: list[CreditDelivery] = []

    # -- what happens ------------------------------------------------------------------------------------------

    def deliver(
        self, request: DeliveryRequest, *, request_number: int | None = None, stamped: datetime | None = None
    ) -> CreditDelivery:
        """Deliver, or raise :class:`TroubleError`; ``stamped`` (default: now) becomes ``delivered_at``."""
        with self._lock:
            order = self._checked_order(request)
            troubles = self._line_troubles(request.lines)
            good = tuple(line for index, line in enumerate(request.lines) if index not in troubles)
            if troubles and (self.panel.now.all_or_nothing or not good):
                raise TroubleError(*troubles.values())
            delivery = self._commit(order, replace(request, lines=self._taken(good)), request_number, stamped)
            if troubles:
                raise TroubleError(*troubles.values())
            return delivery

    def _checked_order(self, request: DeliveryRequest) -> CreditOrder:
        where = ("body", "order_id")
        order = self._orders.get(request.order_id)
        if order is None:
            raise TroubleError(detail(where, "Order not found", given=request.order_id))
        if not self.panel.now.over_delivery_refused:
            return order
        remaining = order.ordered_kg - self.delivered_kg(order.id)
        if remaining <= 0:
            raise TroubleError(detail(where, "Order is already completed", given=request.order_id))
        if request.kg > remaining:
            sentence = f"Quantity exceeds the remaining {remaining} kg of the order"
            raise TroubleError(detail(where, sentence, given=request.order_id))
        return order

    def _line_troubles(self, lines: Iterable[Line]) -> dict[int, Detail]:
        """Return what is wrong with the lines, by index; two lines of one batch are weighed together."""
        used: dict[str, int] = {}
        troubles: dict[int, Detail] = {}
        for index, line in enumerate(lines):
            used[line.batch_id] = used.get(line.batch_id, 0) + line.kg
            sentence = self._line_trouble(line, used[line.batch_id])
            if sentence is not None:
                where = ("body", "credit_batch_quantities", index, "credit_batch_id")
                troubles[index] = detail(where, sentence, given=line.batch_id)
        return troubles

    def _line_trouble(self, line: Line, wanted: int) -> str | None:
        batch = self._batches.get(line.batch_id)
        if batch is None:
            return "Credit batch not found"
        if wanted > batch.kg:
            return f"Quantity exceeds the {batch.kg} kg of the credit batch"
        if wanted > line.kg:
            return "Credit batch is named twice"
        if batch.usable_by(self.supplier.organisation) or not self.panel.now.used_batches_refused:
            return None
        if batch.status != "active":
            return f"Credit batch is {batch.status} and can no longer be interacted with"
        return "Credit batch is already delivered" if batch.delivery_id else "Credit batch is not owned by the supplier"

    def _taken(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """Return the lines, or with the switch for partial acceptance about half of their kilograms."""
        if not self.panel.now.partial_acceptance:
            return lines
        if len(lines) > 1:
            return lines[: len(lines) // 2]
        return tuple(replace(line, kg=max(1, line.kg // 2)) for line in lines)

    def _commit(
        self, order: CreditOrder, request: DeliveryRequest, request_number: int | None, stamped: datetime | None
    ) -> CreditDelivery:
        now = self.clock.now()
        handover = Handover(
            to=order.buyer,
            delivery_id=mint("dlv", self._chance),
            order_id=order.id,
            delivered_at=now if stamped is None else stamped,
            committed_at=now,
        )
        delivery = CreditDelivery(
            id=handover.delivery_id,
            sequence=len(self._deliveries) + 1,
            delivered_at=handover.delivered_at,
            committed_at=now,
            order_id=order.id,
            to=order.buyer,
            kg=request.kg,
            notes=request.notes,
            batch_ids=tuple(self._hand_over(line, handover) for line in request.lines),
            request_number=request_number,
        )
        self._deliveries.append(delivery)
        return delivery

    def _hand_over(self, line: Line, handover: Handover) -> str:
        batch = self._batches.get(line.batch_id)
        if batch is not None and batch.usable_by(self.supplier.organisation):
            return self._batches.hand_over(line, handover)
        # Only with the switch that accepts used batches: kilograms appear although the batch has none left.
        return line.batch_id

    # -- what can be read --------------------------------------------------------------------------------------

    def seen_until(self) -> datetime:
        """Return the moment up to which lists show what happened."""
        return self.clock.now() - timedelta(seconds=self.panel.now.list_lag_seconds)

    def delivered_kg(self, order_id: str, *, until: datetime | None = None) -> int:
        """Return the kilograms delivered for an order, of the deliveries committed by ``until``."""
        with self._lock:
            return sum(
                delivery.kg
                for delivery in self._deliveries
                if delivery.order_id == order_id and (until is None or delivery.committed_at <= until)
            )

    def fulfilled_at(self, order: CreditOrder, *, until: datetime) -> datetime | None:
        """Return when the last missing kilogram was delivered, or None."""
        with self._lock:
            left = order.ordered_kg
            for delivery in self._deliveries:
                if delivery.order_id == order.id and delivery.committed_at <= until:
                    left -= delivery.kg
                    if left <= 0:
                        return delivery.delivered_at
        return None

    def order(self, order_id: str) -> CreditOrder:
        """Return the credit order; raise :class:`UnknownIdError`."""
        return _known(self._orders, order_id)

    def orders(self) -> list[CreditOrder]:
        """Return all credit orders, most recently placed first."""
        return sorted(self._orders.values(), key=lambda order: (order.contract_date, order.id), reverse=True)

    def organisation(self, organisation_id: str) -> Organisation:
        """Return the organisation; raise :class:`UnknownIdError`."""
        return _known(self._organisations, organisation_id)

    def deliveries(self, *, until: datetime, order_id: str | None = None) -> list[CreditDelivery]:
        """Return the deliveries committed by ``until``, newest first."""
        with self._lock:
            found = [
                delivery
                for delivery in self._deliveries
                if delivery.committed_at <= until and order_id in (None, delivery.order_id)
            ]
        return sorted(found, key=lambda delivery: (delivery.delivered_at, delivery.sequence), reverse=True)

    def delivery(self, delivery_id: str, *, until: datetime) -> CreditDelivery:
        """Return the delivery if it was committed by ``until``; raise :class:`UnknownIdError`."""
        return _known({delivery.id: delivery for delivery in self.deliveries(until=until)}, delivery_id)

    def batches(self, *, until: datetime) -> list[CreditBatch]:
        """Return all batches as they were at ``until``, in no particular order."""
        before = self.supplier.organisation
        with self._lock:
            seen = [batch.as_of(until, before) for batch in self._batches]
        return [batch for batch in seen if batch is not None]

    def batch(self, batch_id: str, *, until: datetime) -> CreditBatch:
        """Return the batch as it was at ``until``; raise :class:`UnknownIdError`."""
        with self._lock:
            batch = self._batches.get(batch_id)
        seen = None if batch is None else batch.as_of(until, self.supplier.organisation)
        if seen is None:
            raise UnknownIdError(batch_id)
        return seen


def _known(things: dict[str, Thing], thing_id: str) -> Thing:
    if thing_id not in things:
        raise UnknownIdError(thing_id)
    return things[thing_id]
