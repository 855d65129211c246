"""What customers do while a story is told: they ask for the goods that a warehouse will see, take back, receive.

A customer order of a story has as its id the external number of the delivery that brings the goods.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from connectors.simulated.barmate import Barmate, UnknownDeliveryError
from connectors.simulated.barmate_orders import made_up
from connectors.simulated.barmate_rules import RefusedError
from connectors.simulated.barmate_words import JsonObject
from connectors.simulated.clock import Clock
from connectors.simulated.player import Player
from connectors.simulated.story_words import Kind, Step

# Seconds before its delivery appears in the warehouse that goods are asked for.
AHEAD_SECONDS: Final = 0.5
# Shares of customers who take back what they asked for although the goods come, and who confirm what came.
TAKEN_BACK_SHARE: Final = 0.05
RECEIVED_SHARE: Final = 0.5
# Share of customers who take back what the warehouse cancels; the others wait for the supplier's word.
AGREED_SHARE: Final = 0.5
# Every third delivery comes on another day, known when so much of its time has passed.
RESCHEDULED_EVERY: Final = 3
RESCHEDULED_AT: Final = 0.95
NEW_DATE: Final = "2026-05-30T09:30:00Z"
_ENDS: Final = frozenset({"completed", "cancelled"})


class Deed(StrEnum):
    """What a customer does."""

    ASK = "ask"
    CANCEL = "cancel"
    RECEIVE = "receive"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerStep:
    """One deed, ``offset`` seconds after the story's beginning (before it if negative)."""

    offset: float
    key: str
    deed: Deed
    record: JsonObject | None = None


def customer_steps(steps: Sequence[Step], chance: random.Random, *, most: int) -> tuple[CustomerStep, ...]:
    """Return what customers do about ``most`` deliveries of a story that have an external number, all over it."""
    begun = _asked_for(steps, most)
    keys = {step.key for step in begun}
    ends = {step.key: step for step in steps if step.key in keys and step.status in _ENDS}
    made = [deed for step in begun for deed in _of_one(step, ends.get(step.key), chance)]
    return tuple(sorted(made, key=lambda step: step.offset))


def without_the_unasked(steps: Sequence[Step], *, most: int) -> tuple[Step, ...]:
    """Return a story in which nobody asked for more: the numbers of all but ``most`` are gone, except for one.

    That one names goods that barmate never heard of.
    """
    asked = {step.key for step in _asked_for(steps, most)}
    unheard = [step.key for step in steps if _is_named(step) and step.key not in asked]
    unasked = frozenset(unheard[1:])
    return tuple(_unnamed(step) if step.key in unasked and _is_named(step) else step for step in steps)


def rescheduled(steps: Sequence[Step], *, most: int) -> tuple[Step, ...]:
    """Return the story with a last change of the day for some of the goods that were asked for, before they end."""
    gone = {step.key for step in steps if step.kind is Kind.VANISH}
    named = _asked_for(steps, most)
    ends = {step.key: step.offset for step in steps if step.status in _ENDS}
    moved = [
        Step(
            offset=begin.offset + RESCHEDULED_AT * (ends[begin.key] - begin.offset),
            key=begin.key,
            kind=Kind.EDIT,
            record={"date": NEW_DATE},
        )
        for begin in named[::RESCHEDULED_EVERY]
        if begin.key in ends and begin.key not in gone
    ]
    return tuple(sorted((*steps, *moved), key=lambda step: step.offset))


def _unnamed(step: Step) -> Step:
    return replace(step, record={**(step.record or {}), "numberExternal": None})


def _asked_for(steps: Sequence[Step], most: int) -> list[Step]:
    """The beginnings of the goods that customers ask for: at even distances, so that they do so until the end."""
    named = [step for step in steps if _is_named(step)]
    return named if len(named) <= most else [named[place * len(named) // most] for place in range(most)]


def _is_named(step: Step) -> bool:
    return step.kind is Kind.CREATE and isinstance((step.record or {}).get("numberExternal"), str)


def _of_one(begin: Step, end: Step | None, chance: random.Random) -> list[CustomerStep]:
    number = (begin.record or {})["numberExternal"]
    record = {"id": number, **made_up(chance)}
    steps = [CustomerStep(offset=begin.offset - AHEAD_SECONDS, key=number, deed=Deed.ASK, record=record)]
    fate = chance.random()
    if end is None:
        return steps
    if end.status == "cancelled" and fate >= AGREED_SHARE:
        return steps
    if end.status == "cancelled" or fate < TAKEN_BACK_SHARE:
        return [*steps, CustomerStep(offset=end.offset, key=number, deed=Deed.CANCEL)]
    if fate < TAKEN_BACK_SHARE + RECEIVED_SHARE:
        return [*steps, CustomerStep(offset=end.offset, key=number, deed=Deed.RECEIVE)]
    return steps


def customers(steps: Sequence[CustomerStep], barmate: Barmate, clock: Clock) -> Player[CustomerStep]:
    """Return who lets ``steps`` happen at ``barmate``."""
    return Player(steps, clock, do=lambda step, at: _do(step, barmate, at=at))


def _do(step: CustomerStep, barmate: Barmate, *, at: datetime | None) -> None:
    try:
        if step.deed is Deed.ASK:
            barmate.place({} if step.record is None else step.record, at=at)
        elif step.deed is Deed.CANCEL:
            barmate.cancel(step.key)
        else:
            barmate.receive(step.key)
    except (RefusedError, UnknownDeliveryError):
        # The supplier was faster: what was rejected can neither be taken back nor received.
        return
