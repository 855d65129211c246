"""Stories: repeatable, complete, and with expectations that hold."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.simulated.clock import SteppedClock, SystemClock
from connectors.simulated.story import as_json, tell
from connectors.simulated.story_credits import BADLY_LINKED, NOT_DELIVERED
from connectors.simulated.story_words import Expected, Kind, LinkRow, Story, StoryPlan
from connectors.simulated.switches import Panel, WarehouseSwitches
from connectors.simulated.warehouse import Warehouse
from connectors.simulated.warehouse_story import warehouse_player

SEEDED = random.Random
BIG = StoryPlan(seed=5, deliveries=900, orders=200, seconds=60, bad_records=8, unknown_values=6, deletions=3)


@pytest.fixture(scope="module")
def story() -> Story:
    """A story with everything in it."""
    return tell(BIG)


@pytest.fixture(scope="module")
def end(story: Story) -> dict[str, Any]:
    """The truth of the warehouse once the story is over."""
    clock = SteppedClock(datetime(2026, 5, 13, 12, 0, tzinfo=UTC))
    warehouse = Warehouse(clock=clock, chance=SEEDED(1), panel=Panel(WarehouseSwitches()))
    player = warehouse_player(story, warehouse, clock)
    player.load_history()
    player.start()
    player.skip(BIG.seconds + 1)
    player.play_due()
    player.stop()
    return warehouse.truth()


def of_order(end: dict[str, Any], expected: Expected) -> list[dict[str, Any]]:
    """Return the deliveries of an order."""
    key = (expected.customer_id, expected.purchase_order)
    return [row for row in end["rows"] if (row.get("customerId"), row["numberPurchaseOrder"]) == key]


def link_of(story: Story, expected: Expected) -> LinkRow:
    """Return the link of an order; a number that two customers use has one for each."""
    rows = [row for row in story.links if row.purchase_order == expected.purchase_order]
    return next(row for row in rows if row.customer_id in (None, expected.customer_id))


def test_equal_plans_tell_equal_stories() -> None:
    """One seed decides everything; another one tells another story."""
    assert tell(BIG) == tell(BIG)
    assert tell(StoryPlan(seed=1)).expected != tell(StoryPlan(seed=2)).expected


def test_a_story_has_the_deliveries_and_orders_it_was_asked_for(story: Story, end: dict[str, Any]) -> None:
    """Planted records come on top, and what vanishes is gone."""
    planted = len(story.planted)

    assert len(story.expected) == BIG.orders
    assert len(end["rows"]) + len(end["removed"]) == BIG.deliveries + planted
    assert (planted, len(end["removed"])) == (4, 3)


@pytest.mark.parametrize("plan", [StoryPlan(deliveries=0, orders=0), StoryPlan(deliveries=1, orders=5)])
def test_even_the_smallest_story_can_be_told(plan: StoryPlan) -> None:
    """There are never more orders than deliveries."""
    assert len(tell(plan).expected) == plan.deliveries


def test_every_ending_occurs(story: Story) -> None:
    """In a story of some size each reason not to deliver is met, and most linked orders do deliver."""
    reasons = Counter(expected.reason for expected in story.expected)

    assert set(reasons) == {"", *NOT_DELIVERED.values(), *BADLY_LINKED.values()}
    assert reasons[""] > len(story.links) / 2


def test_orders_that_should_deliver_are_complete_at_the_end(story: Story, end: dict[str, Any]) -> None:
    """Every delivery that is not cancelled is completed, and there are as many as the link expects."""
    for expected in story.expected:
        rows = of_order(end, expected)
        states = {row["status"] for row in rows}
        assert len(rows) == expected.deliveries
        if not expected.should_deliver:
            continue
        link = link_of(story, expected)
        assert states - {"cancelled"} == {"completed"}
        assert link.open_ended or (link.expected_deliveries == len(rows) and states == {"completed"})


def test_the_kilograms_follow_from_the_rows_and_the_factors(story: Story, end: dict[str, Any]) -> None:
    """Without stated kilograms they are quantity times factor over booked items, rounded down once."""
    factors = {(row.article_number, row.unit): Decimal(row.kg_per_unit) for row in story.factors}
    for expected in story.expected:
        if not expected.should_deliver or link_of(story, expected).credit_kg is not None:
            continue
        rows = [row for row in of_order(end, expected) if row["status"] == "completed"]
        items = [item for row in rows for item in row["lineItems"] if item["status"] == "booked"]
        total = sum(factors[item["articleNumber"], item["articleUnit"]] * item["quantity"] for item in items)
        assert expected.kg == int(total) > 0


def test_every_credit_order_has_room_for_what_it_should_pay(story: Story) -> None:
    """Several orders share one; some fit exactly; the stock of batches is enough for all."""
    due: Counter[str] = Counter()
    for expected in story.expected:
        if expected.should_deliver:
            due[str(expected.credit_order_id)] += expected.kg or 0
    ordered = {order.id: order.ordered_kg for order in story.registry.orders}

    assert all(kg <= ordered[order_id] for order_id, kg in due.items())
    assert any(kg == ordered[order_id] for order_id, kg in due.items())
    assert sum(batch.kg for batch in story.registry.batches) > sum(ordered.values())
    assert len({batch.issuance_id for batch in story.registry.batches}) == 2
    assert len({batch.project_id for batch in story.registry.batches}) == 1


def test_deliveries_of_an_order_appear_before_any_of_them_ends(story: Story) -> None:
    """So nobody can take an order for complete while a sibling is still to come."""
    created = {step.key: step.offset for step in story.steps if step.kind is Kind.CREATE}
    ended = {step.key: step.offset for step in story.steps if step.status in {"completed", "cancelled"}}
    orders: dict[object, list[int]] = {}
    for step in story.steps:
        if step.kind is Kind.CREATE and step.record and str(step.record.get("numberPurchaseOrder") or "").strip():
            orders.setdefault(step.record["numberPurchaseOrder"], []).append(step.key)
    for keys in orders.values():
        assert max(created[key] for key in keys) < min(ended.get(key, BIG.seconds) for key in keys)


def test_some_numbers_are_shared_odd_or_blank(story: Story, end: dict[str, Any]) -> None:
    """What a careless client stumbles over is in every story of some size."""
    numbers = Counter(expected.purchase_order for expected in story.expected)
    loose = {row["numberPurchaseOrder"] for row in end["rows"]} - set(numbers)

    assert 2 in numbers.values()
    assert "PO 7/ä&b=1" in numbers
    assert loose <= {None, "", "   "}


def test_the_history_lies_before_the_beginning(story: Story) -> None:
    """Some orders are over before anybody looks."""
    assert story.steps[0].offset < -120
    assert story.steps[-1].offset <= BIG.seconds


def test_a_story_can_be_written_as_json(story: Story) -> None:
    """An auditor gets links, factors and expectations, not the schedule."""
    told = as_json(story)

    assert told["steps"] == len(story.steps)
    assert {"links", "factors", "expected", "planted", "supplier_id"} <= set(told)


def test_a_player_plays_by_itself() -> None:
    """Its thread applies what is due without being asked."""
    clock = SystemClock()
    warehouse = Warehouse(clock=clock, chance=SEEDED(1), panel=Panel(WarehouseSwitches()))
    player = warehouse_player(tell(StoryPlan(deliveries=5, orders=2, seconds=0.3)), warehouse, clock)
    player.load_history()
    before = player.progress()
    player.start()
    player.start()
    assert player._thread is not None  # noqa: SLF001 - to wait for its end without sleeping
    player._thread.join(timeout=10)  # noqa: SLF001 - as above
    player.stop()

    assert (before["elapsed_seconds"], before["done"]) == (0.0, False)
    assert player.progress()["done"] is True


@pytest.mark.parametrize("seed", range(6))
def test_nothing_happens_to_a_delivery_after_it_vanished(seed: int) -> None:
    """A delivery that was due to move later takes that to its grave."""
    steps = tell(StoryPlan(seed=seed, deliveries=120, orders=20, deletions=5)).steps
    gone = {step.key: step.offset for step in steps if step.kind is Kind.VANISH}

    assert len(gone) == 5
    assert all(step.kind is Kind.VANISH or step.offset < gone[step.key] for step in steps if step.key in gone)
