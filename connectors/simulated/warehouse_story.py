"""What the steps of a story do in the warehouse."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connectors.simulated.clock import Clock
from connectors.simulated.player import Player
from connectors.simulated.story_words import Kind, Step, Story
from connectors.simulated.warehouse import Warehouse
from connectors.simulated.warehouse_writes import set_status


def warehouse_player(story: Story, warehouse: Warehouse, clock: Clock) -> Player[Step]:
    """Return who lets ``story`` happen in ``warehouse``."""
    return Player(story.steps, clock, do=lambda step, at: apply(step, warehouse, at=at))


def apply(step: Step, warehouse: Warehouse, *, at: datetime | None = None) -> None:
    """Do one step; ``at`` stamps it with another moment than now."""
    match step.kind:
        case Kind.CREATE:
            warehouse.put(step.key, dict(step.record) if step.record else {}, at=at)
        case Kind.VANISH:
            warehouse.remove(step.key)
        case Kind.EDIT:
            warehouse.change(step.key, lambda record: record.update(step.record or {}), at=at)
        case Kind.MOVE:
            warehouse.change(step.key, lambda record: move(record, step), at=at)


def move(record: dict[str, Any], step: Step) -> None:
    """Move the head and the line items; those the step cancels stay cancelled from then on."""
    for index in step.cancelled_items:
        record["lineItems"][index]["status"] = "cancelled"
    set_status(record, step.status, step.inbound)
