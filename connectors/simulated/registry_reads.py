"""The reading calls of the registry: from a path and a query to the JSON that is answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from connectors.simulated import registry_views as views
from connectors.simulated.registry import Registry
from connectors.simulated.registry_filters import BatchFilter, parse_batch_filter
from connectors.simulated.registry_ids import LONGEST, SHORTEST
from connectors.simulated.registry_model import CreditBatch, CreditDelivery, CreditOrder
from connectors.simulated.registry_pages import page_of, parse_page
from connectors.simulated.registry_trouble import TroubleError, UnknownIdError, detail

Query = tuple[tuple[str, str], ...]
Node = TypeVar("Node", CreditBatch, CreditDelivery, CreditOrder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """Up to which moment each kind of thing is shown."""

    lists: datetime
    orders: datetime
    batches: datetime


class Reads:
    """Answers every implemented GET of the registry as of a :class:`Horizon`."""

    def __init__(self, registry: Registry, horizon: Horizon) -> None:
        """Read ``registry`` up to ``horizon``."""
        self._registry = registry
        self._horizon = horizon

    def answer(self, parts: list[str], query: Query) -> object:
        """Return the JSON for the path ``parts``; raise :class:`UnknownIdError` or :class:`TroubleError`."""
        match parts:
            case ["organisation"]:
                return views.organisation(self._registry.supplier.organisation)
            case ["supplier"]:
                return views.supplier(self._registry.supplier)
            case ["deliveries"]:
                return self._all_deliveries(query)
            case [collection, thing_id]:
                return self._one(collection, _shaped(thing_id))
            case [collection, thing_id, part]:
                return self._many(collection, _shaped(thing_id), part, query)
        raise UnknownIdError("/".join(parts))

    def _one(self, collection: str, thing_id: str) -> object:
        match collection:
            case "organisations":
                return views.organisation(self._registry.organisation(thing_id))
            case "suppliers":
                # The document says that an unknown supplier is null, not an error.
                return views.supplier(self._registry.supplier) if self._is_supplier(thing_id) else None
            case "orders":
                return self._show_order(self._registry.order(thing_id))
            case "deliveries":
                return self._show_delivery(self._registry.delivery(thing_id, until=self._horizon.lists))
            case "credit_batches":
                return views.batch(self._registry.batch(thing_id, until=self._horizon.batches))
        raise UnknownIdError(collection)

    def _many(self, collection: str, thing_id: str, part: str, query: Query) -> object:
        match collection, part:
            case "organisations", "credit_batches":
                return self._organisation_batches(thing_id, query)
            case "suppliers", "deliveries":
                found = self._registry.deliveries(until=self._horizon.lists) if self._is_supplier(thing_id) else []
                return _page(found, query, self._show_delivery)
            case "suppliers", "orders":
                orders = self._registry.orders() if self._is_supplier(thing_id) else []
                return _page(orders, query, self._show_order)
            case "orders", "deliveries":
                order = self._registry.order(thing_id)
                found = self._registry.deliveries(until=self._horizon.lists, order_id=order.id)
                return _page(found, query, self._show_delivery)
            case "deliveries", "credit_batches":
                return self._delivery_batches(thing_id)
        raise UnknownIdError(part)

    def _is_supplier(self, thing_id: str) -> bool:
        return thing_id == self._registry.supplier.id

    def _show_order(self, order: CreditOrder) -> object:
        return views.order(self._registry, order, self._horizon.orders)

    def _show_delivery(self, delivery: CreditDelivery) -> object:
        return views.delivery(self._registry, delivery)

    def _all_deliveries(self, query: Query) -> object:
        given = dict(query)
        found = self._registry.deliveries(until=self._horizon.lists)
        if given.get("from_supplier_id", self._registry.supplier.id) != self._registry.supplier.id:
            found = []
        buyer = given.get("to_organisation_id")
        return _page([item for item in found if buyer in (None, item.to.id)], query, self._show_delivery)

    def _delivery_batches(self, delivery_id: str) -> object:
        delivery = self._registry.delivery(delivery_id, until=self._horizon.lists)
        nodes = [views.batch(self._registry.batch(item, until=self._horizon.batches)) for item in delivery.batch_ids]
        return {"nodes": nodes, "total_count": len(nodes)}

    def _organisation_batches(self, organisation_id: str, query: Query) -> object:
        owner = self._registry.organisation(organisation_id)
        asked = parse_batch_filter(query)
        found = [batch for batch in self._registry.batches(until=self._horizon.batches) if batch.owner == owner]
        return _page(_sorted(found, asked), query, views.batch)


def _sorted(batches: list[CreditBatch], asked: BatchFilter) -> list[CreditBatch]:
    wanted = [batch for batch in batches if asked.takes(batch)]
    return sorted(wanted, key=lambda batch: (batch.issued_at, batch.first_serial, batch.id), reverse=asked.descending)


def _page(nodes: Sequence[Node], query: Query, show: Callable[[Node], object]) -> object:
    return page_of(nodes, parse_page(dict(query)), lambda node: node.id, show)


def _shaped(thing_id: str) -> str:
    """Return the id if its length is within the documented bounds; raise :class:`TroubleError` otherwise."""
    if SHORTEST <= len(thing_id) <= LONGEST:
        return thing_id
    sentence = f"String should have between {SHORTEST} and {LONGEST} characters"
    raise TroubleError(detail(("path", "id"), sentence, "string_length", thing_id))
