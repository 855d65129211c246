"""The warehouse as a state: deliveries, their versions, and what can be read of them right now."""

from __future__ import annotations

import heapq
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from operator import attrgetter

import orjson

from connectors.simulated.clock import Clock, stamp
from connectors.simulated.switches import PageOrder, Panel, WarehouseSwitches
from connectors.simulated.warehouse_query import DeliveryFilter, Span
from connectors.simulated.warehouse_shelf import Found, Row, Shelf
from connectors.simulated.warehouse_words import JsonObject

FIRST_DELIVERY_ID = 21_001_206
FIRST_ITEM_ID = 41_005_371
# Lists kept for their next pages: a few readers at once, each with a list of its own.
KEPT_LISTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list: the JSON of its rows, and how many rows match in all."""

    bodies: tuple[bytes, ...]
    total: int


@dataclass(order=True, frozen=True, slots=True)
class _Late:
    """A change that is stamped but cannot be read before ``visible_at`` (seconds since 1970)."""

    visible_at: float
    turn: int
    key: int = field(compare=False)
    row: Row | None = field(compare=False)


class Warehouse:
    """Every delivery with its versions; safe to use from several threads."""

    def __init__(self, *, clock: Clock, chance: random.Random, panel: Panel[WarehouseSwitches]) -> None:
        """Begin empty."""
        self.clock = clock
        self.chance = chance
        self.panel = panel
        self._lock = threading.RLock()
        self._true = Shelf()
        self._visible = Shelf()
        self._late: list[_Late] = []
        self._visible_from: dict[int, float] = {}
        self._next_id = FIRST_DELIVERY_ID
        self._next_item_id = FIRST_ITEM_ID
        self._turn = 0
        self._removed: list[int] = []
        self._found: dict[tuple[DeliveryFilter, WarehouseSwitches], Found] = {}

    # -- what happens ------------------------------------------------------------------------------------------

    def reserve_id(self) -> int:
        """Return an id for a new delivery."""
        with self._lock:
            self._next_id += 1
            return self._next_id - 1

    def reserve_item_id(self) -> int:
        """Return an id for a new line item."""
        with self._lock:
            self._next_item_id += 1
            return self._next_item_id - 1

    def put(self, key: int, record: JsonObject, *, at: datetime | None = None) -> None:
        """Make ``record`` the newest version of the delivery ``key``, stamped ``at`` (default: now)."""
        with self._lock:
            moment = self.clock.now() if at is None else at
            # What JSON makes of it is what is kept, and the caller's own stays as it is.
            row = self._row(key, orjson.loads(orjson.dumps(record)), moment)
            self._next_id = max(self._next_id, key + 1)
            self._true.put(row)
            self._publish(key, row, late=at is None)

    def change(self, key: int, change: Callable[[JsonObject], None], *, at: datetime | None = None) -> bytes:
        """Apply ``change`` to a copy of the newest version, keep it as a new version and return its JSON."""
        with self._lock:
            former = self._true.get(key)
            record = {} if former is None else former.record
            change(record)
            self.put(key, record, at=at)
            now = self._true.get(key)
            return b"" if now is None else now.body

    def remove(self, key: int) -> None:
        """Let the delivery vanish."""
        with self._lock:
            self._true.drop(key)
            self._removed.append(key)
            self._publish(key, None, late=False)

    def _row(self, key: int, record: JsonObject, moment: datetime) -> Row:
        former = self._true.get(key)
        switches = self.panel.now
        updated = moment.astimezone(UTC) if switches.fraction_stamps else moment.astimezone(UTC).replace(microsecond=0)
        created = updated.timestamp() if former is None else former.created
        _stamp_record(record, former, stamp(updated, fractions=switches.fraction_stamps))
        purchase_order = record.get("numberPurchaseOrder")
        return Row(
            key=key,
            version=1 if former is None else former.version + 1,
            created=created,
            updated=updated.timestamp(),
            number=record.get("number"),
            purchase_order=purchase_order if isinstance(purchase_order, str) else None,
            body=orjson.dumps(record),
        )

    def _publish(self, key: int, row: Row | None, *, late: bool) -> None:
        """Show a change now or later, but never before an earlier change of the same delivery."""
        # What was late and has come by now is shown first, or it would overwrite this newer change later on.
        self._settle()
        now = self.clock.now().timestamp()
        visible_at = max(now + (self._delay() if late else 0.0), self._visible_from.get(key, 0.0))
        self._visible_from[key] = visible_at
        self._turn += 1
        if visible_at <= now:
            self._show(key, row)
        else:
            heapq.heappush(self._late, _Late(visible_at, self._turn, key, row))

    def _delay(self) -> float:
        switches = self.panel.now
        if switches.visible_late_seconds <= 0 or self.chance.random() >= switches.visible_late_share:
            return 0.0
        return self.chance.uniform(0.0, switches.visible_late_seconds)

    def _show(self, key: int, row: Row | None) -> None:
        if row is None:
            self._visible.drop(key)
        else:
            self._visible.put(row)

    def _settle(self) -> None:
        now = self.clock.now().timestamp()
        while self._late and self._late[0].visible_at <= now:
            late = heapq.heappop(self._late)
            self._show(late.key, late.row)

    # -- what can be read --------------------------------------------------------------------------------------

    def latest(self, key: int) -> JsonObject | None:
        """Return a copy of the newest version, visible or not."""
        with self._lock:
            row = self._true.get(key)
            return None if row is None else row.record

    def get(self, key: int) -> bytes | None:
        """Return the JSON of the delivery as it can be read now, or None."""
        with self._lock:
            self._settle()
            row = self._visible.get(key)
            return None if row is None else row.body

    def number_used(self, number: str, *, other_than: int | None = None) -> bool:
        """Tell whether another delivery carries ``number``."""
        with self._lock:
            return any(row.number == number and row.key != other_than for row in self._true.rows())

    def find(self, asked: DeliveryFilter) -> Page:
        """Return the page ``asked`` for, of the rows that can be read now."""
        with self._lock:
            self._settle()
            rows = self._listed(asked)
        first = asked.page * asked.page_size
        return Page(bodies=tuple(row.body for row in rows[first : first + asked.page_size]), total=len(rows))

    def _listed(self, asked: DeliveryFilter) -> list[Row]:
        """All rows asked for, in order. Found once for all pages of a list, as long as nothing changes."""
        whole, switches = replace(asked, page=0), self.panel.now
        found = self._found.get((whole, switches))
        if found is not None and found.state == self._visible.state and switches.page_order is not PageOrder.SHUFFLED:
            return found.rows
        rows = self._matching(asked)
        self._sort(rows)
        while len(self._found) >= KEPT_LISTS:
            del self._found[next(iter(self._found))]
        self._found[whole, switches] = Found(self._visible.state, rows)
        return rows

    def _matching(self, asked: DeliveryFilter) -> list[Row]:
        switches = self.panel.now
        candidates = self._visible.candidates(asked, use_time=not switches.filters_ignored)
        if asked.is_span_only:
            # They lie in the span, ends included; which of those count is all that is left to say.
            without = _excluded_ends(asked.updated, switches)
            return [row for row in candidates if row.updated not in without] if without else candidates
        return [row for row in candidates if matches(row, asked, switches)]

    def _sort(self, rows: list[Row]) -> None:
        order = self.panel.now.page_order
        if order is PageOrder.SHUFFLED:
            self.chance.shuffle(rows)
        elif order is PageOrder.BY_ID:
            rows.sort(key=attrgetter("key"))
        else:
            rows.sort(key=lambda row: (row.updated, row.key), reverse=order is PageOrder.UPDATED_DESC)

    def truth(self) -> JsonObject:
        """Return what truly is: the newest versions, how many each had, what vanished, what nobody can see yet."""
        with self._lock:
            self._settle()
            rows = sorted(self._true.rows(), key=lambda row: row.key)
            return {
                "rows": [row.record for row in rows],
                "versions": {str(row.key): row.version for row in rows},
                "removed": list(self._removed),
                "not_yet_visible": len(self._late),
            }


def matches(row: Row, asked: DeliveryFilter, switches: WarehouseSwitches) -> bool:
    """Tell whether ``row`` is one of those ``asked`` for."""
    if asked.ids is not None and row.key not in asked.ids:
        return False
    return (switches.filters_ignored or _in_time(row, asked, switches)) and _exactly(row, asked)


def _excluded_ends(span: Span, switches: WarehouseSwitches) -> set[float]:
    ends = ((span.low, switches.min_inclusive), (span.high, switches.max_inclusive))
    return {end for end, inclusive in ends if end is not None and not inclusive and not switches.filters_ignored}


def _in_time(row: Row, asked: DeliveryFilter, switches: WarehouseSwitches) -> bool:
    ends = {"min_inclusive": switches.min_inclusive, "max_inclusive": switches.max_inclusive}
    return asked.created.holds(row.created, **ends) and asked.updated.holds(row.updated, **ends)


def _exactly(row: Row, asked: DeliveryFilter) -> bool:
    if not asked.exact:
        return True
    record = row.record
    return all(record.get(name) == value for name, value in asked.exact)


def _stamp_record(record: JsonObject, former: Row | None, text: str) -> None:
    """Write the stamps of the head and of those line items that changed."""
    before_it = {} if former is None else former.record
    # A history may say when a delivery began.
    record["createdAt"] = before_it.get("createdAt", record.get("createdAt", text))
    record["updatedAt"] = text
    items = record.get("lineItems")
    known = _items_by_id(before_it)
    for item in items if isinstance(items, list) else ():
        before = known.get(item.get("id"))
        item["createdAt"] = text if before is None else before["createdAt"]
        item["updatedAt"] = text if before is None or _content(before) != _content(item) else before["updatedAt"]


def _items_by_id(record: JsonObject) -> dict[object, JsonObject]:
    items = record.get("lineItems")
    return {item.get("id"): item for item in items} if isinstance(items, list) else {}


def _content(item: JsonObject) -> JsonObject:
    return {name: value for name, value in item.items() if name not in {"createdAt", "updatedAt"}}
