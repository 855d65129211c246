"""The rows of the warehouse as they can be read, kept in the orders they are asked for."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from connectors.simulated.warehouse_query import DeliveryFilter
from connectors.simulated.warehouse_words import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One version of one delivery. Only its JSON is kept, already written: a million rows have to fit."""

    key: int
    version: int
    created: float
    updated: float
    number: object
    purchase_order: str | None
    body: bytes

    @property
    def record(self) -> JsonObject:
        """The record, made anew at each look: whoever asks may change it."""
        found: JsonObject = orjson.loads(self.body)
        return found


@dataclass(frozen=True, slots=True)
class Found:
    """The rows that a filter found in a state of the shelf, in the order they are listed in."""

    state: int
    rows: list[Row]


class Shelf:
    """Rows by key, by the second of their last change, and by purchase order."""

    def __init__(self) -> None:
        """Begin empty."""
        self._rows: dict[int, Row] = {}
        self._by_updated: list[tuple[float, int]] = []
        self._by_purchase_order: defaultdict[str | None, set[int]] = defaultdict(set)
        # Grows with every change, so that what was found before one is known to be old.
        self.state = 0

    def put(self, row: Row) -> None:
        """Place ``row``, in the place of an older version."""
        self.drop(row.key)
        self._rows[row.key] = row
        insort(self._by_updated, (row.updated, row.key))
        self._by_purchase_order[row.purchase_order].add(row.key)
        self.state += 1

    def drop(self, key: int) -> None:
        """Take the row away, if it is there."""
        row = self._rows.pop(key, None)
        if row is None:
            return
        del self._by_updated[bisect_left(self._by_updated, (row.updated, key))]
        self._by_purchase_order[row.purchase_order].discard(key)
        self.state += 1

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
