"""The warehouse's twin as a state: what is stamped, what is visible, and in which order."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from connectors.simulated.clock import SteppedClock
from connectors.simulated.switches import Panel, WarehouseSwitches, changed
from connectors.simulated.warehouse import FIRST_DELIVERY_ID, Warehouse
from connectors.simulated.warehouse_query import DeliveryFilter, Span

SEEDED = random.Random
START = datetime(2026, 5, 13, 12, 0, 0, 600_000, tzinfo=UTC)


def build(**switches: object) -> tuple[Warehouse, SteppedClock]:
    """Return an empty warehouse whose clock stands at START."""
    clock = SteppedClock(START)
    panel = Panel(changed(WarehouseSwitches(), switches))
    return Warehouse(clock=clock, chance=SEEDED(1), panel=panel), clock


def record(**fields: object) -> dict[str, Any]:
    """Return a short delivery."""
    return {"number": "LS1", "numberPurchaseOrder": None, "lineItems": [], **fields}


def ids(warehouse: Warehouse, **asked: Any) -> list[int]:  # noqa: ANN401 - the fields of the filter
    """Return the keys found, as the rows state them."""
    return [orjson.loads(body)["id"] for body in warehouse.find(DeliveryFilter(**asked)).bodies]


def second(offset: float = 0.0) -> float:
    """Return the whole second of START, moved."""
    return START.replace(microsecond=0).timestamp() + offset


def test_stamps_are_whole_seconds_and_move_with_every_change() -> None:
    """``createdAt`` stays, ``updatedAt`` is the second of the last change."""
    warehouse, clock = build()
    warehouse.put(5, record(id=5))
    clock.advance(3)

    row = orjson.loads(warehouse.change(5, lambda row: row.update(note="x")))

    assert (row["createdAt"], row["updatedAt"]) == ("2026-05-13T12:00:00Z", "2026-05-13T12:00:03Z")


def test_a_line_item_is_stamped_only_when_it_changed() -> None:
    """An item that stayed as it was keeps its stamp."""
    warehouse, clock = build()
    warehouse.put(5, record(id=5, lineItems=[{"id": 1, "status": "new"}, {"id": 2, "status": "new"}]))
    clock.advance(3)

    row = orjson.loads(warehouse.change(5, lambda row: row["lineItems"][0].update(status="booked")))

    assert [item["updatedAt"] for item in row["lineItems"]] == ["2026-05-13T12:00:03Z", "2026-05-13T12:00:00Z"]


def test_fractions_are_a_switch() -> None:
    """With it, stamps carry microseconds and are compared with them."""
    warehouse, _clock = build(fraction_stamps=True)
    warehouse.put(5, record(id=5))

    assert orjson.loads(warehouse.get(5) or b"")["updatedAt"] == "2026-05-13T12:00:00.600000Z"
    assert ids(warehouse, updated=Span(high=second())) == []


@pytest.mark.parametrize(
    ("inclusive", "span", "found"),
    [
        (True, Span(low=second(), high=second()), [5]),
        (False, Span(low=second(), high=second(1)), []),
        (False, Span(low=second(-1), high=second()), []),
        (False, Span(low=second(-1), high=second(1)), [5]),
    ],
)
def test_each_end_is_inclusive_or_not_by_a_switch(inclusive: bool, span: Span, found: list[int]) -> None:  # noqa: FBT001
    """A row exactly at an end is listed only if the end is inclusive."""
    warehouse, _clock = build(min_inclusive=inclusive, max_inclusive=inclusive)
    warehouse.put(5, record(id=5))

    assert ids(warehouse, updated=span) == found


def test_the_order_of_rows_is_a_switch() -> None:
    """By id, by change in both directions, or at random, with the same rows in all of them."""
    warehouse, clock = build()
    for key in (3, 1, 2):
        warehouse.put(key, record(id=key))
        clock.advance(1)
    orders = {}
    for order in ("by_id", "updated_asc", "updated_desc", "shuffled"):
        warehouse.panel.change({"page_order": order})
        orders[order] = ids(warehouse)

    assert (orders["by_id"], orders["updated_asc"], orders["updated_desc"]) == ([1, 2, 3], [3, 1, 2], [2, 1, 3])
    assert sorted(orders["shuffled"]) == [1, 2, 3]


def test_filters_can_be_misunderstood() -> None:
    """With the switch, bounds on time change nothing."""
    warehouse, _clock = build(filters_ignored=True)
    warehouse.put(5, record(id=5))

    assert ids(warehouse, updated=Span(low=second(100))) == [5]


def test_a_late_change_is_stamped_early_and_seen_later() -> None:
    """Until the delay is over the former version is read; afterwards the new one carries the early stamp."""
    warehouse, clock = build(visible_late_seconds=10.0, visible_late_share=1.0)
    warehouse.put(5, record(id=5))

    assert warehouse.get(5) is None
    assert warehouse.truth()["not_yet_visible"] == 1
    clock.advance(10)
    assert orjson.loads(warehouse.get(5) or b"")["updatedAt"] == "2026-05-13T12:00:00Z"


def test_a_change_is_never_seen_before_an_earlier_one_of_the_same_delivery() -> None:
    """Versions of one delivery become visible in their order."""
    warehouse, clock = build(visible_late_seconds=100.0, visible_late_share=1.0)
    warehouse.put(5, record(id=5, note="first"))
    warehouse.panel.change({"visible_late_seconds": 0})
    warehouse.put(5, record(id=5, note="second"))

    assert warehouse.get(5) is None
    clock.advance(100)
    assert orjson.loads(warehouse.get(5) or b"")["note"] == "second"


def test_a_removed_delivery_vanishes_from_everything_but_the_truth() -> None:
    """It is neither listed nor found by id; the truth remembers that it was there."""
    warehouse, _clock = build()
    warehouse.put(5, record(id=5, numberPurchaseOrder="PO1"))
    warehouse.remove(5)

    assert warehouse.get(5) is None
    assert ids(warehouse, exact=(("numberPurchaseOrder", "PO1"),)) == []
    assert warehouse.truth() == {"rows": [], "versions": {}, "removed": [5], "not_yet_visible": 0}


def test_a_row_is_found_under_its_newest_purchase_order_only() -> None:
    """Changing the number moves the row."""
    warehouse, _clock = build()
    warehouse.put(5, record(id=5, numberPurchaseOrder="PO1"))
    warehouse.change(5, lambda row: row.update(numberPurchaseOrder="PO2"))

    assert ids(warehouse, exact=(("numberPurchaseOrder", "PO1"),)) == []
    assert ids(warehouse, exact=(("numberPurchaseOrder", "PO2"),)) == [5]


def test_the_truth_counts_versions() -> None:
    """Every put and every change is one more."""
    warehouse, _clock = build()
    warehouse.put(5, record(id=5))
    warehouse.change(5, lambda row: row.update(note="x"))

    assert warehouse.truth()["versions"] == {"5": 2}


def test_new_ids_follow_the_highest_one_known() -> None:
    """An id is never given twice."""
    warehouse, _clock = build()
    warehouse.put(FIRST_DELIVERY_ID + 10, record())

    assert warehouse.reserve_id() == FIRST_DELIVERY_ID + 11


def test_changing_what_is_not_there_creates_it() -> None:
    """A change of nothing starts from an empty record."""
    warehouse, _clock = build()
    warehouse.change(9, lambda row: row.update(record(id=9)))

    assert ids(warehouse, ids=frozenset({9, 10})) == [9]
    assert warehouse.latest(10) is None
