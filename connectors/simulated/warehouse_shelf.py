"""The rows of the warehouse as they can be read, kept in the orders they are asked for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from connectors.simulated.warehouse_query import DeliveryFilter
from connectors.simulated.warehouse_words import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One version of one delivery, with its JSON already written."""

    key: int
    version: int
    record: JsonObject
    created: float
    updated: float
    body: bytes


class Shelf:
    """Rows by key, by the second of their last change, and by purchase order."""

    def __init__(self) -> None:
        """Begin empty."""
        self._rows: dict[int, Row] = {}
        self._by_updated: list[tuple[float, int]] = []
        self._by_purchase_order: defaultdict[object, set[int]] = defaultdict(set)

    def put(self, row: Row) -> None:
        """Place ``row``, in the place of an older version."""
        self.drop(row.key)
        self._rows[row.key] = row
        insort(self._by_updated, (row.updated, row.key))
        self._by_purchase_order[_purchase_order(row)].add(row.key)

    def drop(self, key: int) -> None:
        """Take the row away, if it is there."""
        row = self._rows.pop(key, None)
        if row is None:
            return
        del self._by_updated[bisect_left(self._by_updated, (row.updated, key))]
        self._by_purchase_order[_purchase_order(row)].discard(key)

    def get(self, key: int) -> Row | None:
        """Return the row, or None."""
        return self._rows.get(key)

    def rows(self) -> Iterable[Row]:
        """Return every row."""
        return self._rows.values()

    def candidates(self, asked: DeliveryFilter, *, use_time: bool) -> list[Row]:
        """Return a small set of rows that holds every row ``asked`` for."""
        if asked.ids is not None:
            return [self._rows[key] for key in asked.ids if key in self._rows]
        if asked.purchase_order is not None:
            return [self._rows[key] for key in self._by_purchase_order.get(asked.purchase_order, ())]
        if not use_time:
            return list(self._rows.values())
        return self._between(asked.updated.low, asked.updated.high)

    def _between(self, low: float | None, high: float | None) -> list[Row]:
        first = 0 if low is None else bisect_left(self._by_updated, (low, -1))
        last = len(self._by_updated) if high is None else bisect_right(self._by_updated, (high, 2**63))
        return [self._rows[key] for _updated, key in self._by_updated[first:last]]


def _purchase_order(row: Row) -> object:
    value = row.record.get("numberPurchaseOrder")
    return value if isinstance(value, str) else None
