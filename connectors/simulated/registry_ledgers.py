"""The two ledgers of the registry's twin: what clients were told, and what truly happened."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from connectors.simulated.clock import stamp
from connectors.simulated.registry import Registry
from connectors.simulated.registry_views import order_status


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One POST and what its sender was told; ``status`` is None where no answer left the twin."""

    request_number: int
    at: str
    body_sha256: str
    notes: str | None
    order_id: str | None
    kg: int | None
    fault: str
    status: int | None = None
    told_delivery_id: str | None = None


class ToldLedger:
    """Every POST in the order of arrival, and a count of the reads."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._told: list[Told] = []
        self._reads: Counter[str] = Counter()

    def open(self, at: datetime, body: bytes, fault: str) -> int:
        """Note that a request arrived and return its number; until closed it counts as not answered."""
        with self._lock:
            number = len(self._told) + 1
            self._told.append(
                Told(
                    request_number=number,
                    at=stamp(at, fractions=True),
                    body_sha256=hashlib.sha256(body).hexdigest(),
                    notes=None,
                    order_id=None,
                    kg=None,
                    fault=fault,
                )
            )
            return number

    def describe(self, number: int, *, notes: str | None, order_id: str, kg: int) -> None:
        """Add what the request asked for."""
        self._change(number, notes=notes, order_id=order_id, kg=kg)

    def close(self, number: int, *, status: int, told_delivery_id: str | None) -> None:
        """Note what the sender was told."""
        self._change(number, status=status, told_delivery_id=told_delivery_id)

    def _change(self, number: int, **fields: Any) -> None:  # noqa: ANN401 - the fields of Told
        with self._lock:
            self._told[number - 1] = replace(self._told[number - 1], **fields)

    def count_read(self, kind: str) -> None:
        """Count a read."""
        with self._lock:
            self._reads[kind] += 1

    def as_json(self) -> dict[str, Any]:
        """Return both."""
        with self._lock:
            return {"told": [asdict(entry) for entry in self._told], "reads": dict(self._reads)}


def happened(registry: Registry) -> list[dict[str, Any]]:
    """Return every credit delivery that truly was made, in the order of commitment."""
    deliveries = sorted(registry.deliveries(until=registry.clock.now()), key=lambda delivery: delivery.sequence)
    return [
        {
            "credit_delivery_id": delivery.id,
            "request_number": delivery.request_number,
            "committed_at": stamp(delivery.committed_at, fractions=True),
            "delivered_at": stamp(delivery.delivered_at, fractions=True),
            "order_id": delivery.order_id,
            "kg": delivery.kg,
            "notes": delivery.notes,
            "credit_batch_ids": list(delivery.batch_ids),
        }
        for delivery in deliveries
    ]


def orders(registry: Registry) -> list[dict[str, Any]]:
    """Return every credit order with what was truly delivered."""
    rows = []
    for order in registry.orders():
        delivered = registry.delivered_kg(order.id)
        status = order_status(order.ordered_kg, delivered)
        rows.append({"id": order.id, "ordered_kg": order.ordered_kg, "delivered_kg": delivered, "status": status})
    return rows
