"""When things happen: from planned deliveries to a schedule of steps."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Final

from connectors.simulated.story_deliveries import CANCELLED, COMPLETED
from connectors.simulated.story_words import Kind, PlannedDelivery, PlannedOrder, Step

Move = tuple[str, str]

ROAD: Final[tuple[Move, ...]] = (
    ("approved", "approved"),
    ("processing", "handlingUnitsCreated"),
    ("processing", "unloading"),
)
DETOURS: Final[tuple[tuple[Move, ...], ...]] = (
    (("processing", "onHold"), ("processing", "unloading")),
    (("error", "error"), ("processing", "unloading")),
)
# Shares of deliveries that take a detour, and that are edited on the way.
DETOUR_SHARE: Final = 0.1
EDIT_SHARE: Final = 0.1
# Seconds before the story's beginning in which finished orders lie, and the latest of them.
HISTORY_SECONDS: Final = 6 * 3600.0
HISTORY_END_SECONDS: Final = 120.0
# Shares of the story's time: within the first all deliveries of an order appear, before the second none of them ends.
APPEAR: Final = 0.05
EARLIEST_END: Final = 0.35
# Share of the story after which loose deliveries vanish.
VANISH: Final = 0.9

Span = tuple[float, float]


class StepMaker:
    """Makes steps over ``seconds``; equal sources of chance make equal steps."""

    def __init__(self, seconds: float, chance: random.Random) -> None:
        """Prepare for a story of ``seconds``."""
        self._seconds = seconds
        self._chance = chance

    def of_order(self, order: PlannedOrder) -> list[Step]:
        """Return the steps of an order: its deliveries appear together, then move, then end."""
        appear, end = self._spans(order.begins, history=order.history)
        return [step for delivery in order.deliveries for step in self._of_delivery(delivery, appear, end)]

    def of_loose(self, deliveries: Iterable[PlannedDelivery]) -> list[Step]:
        """Return the steps of deliveries without an order."""
        steps: list[Step] = []
        for delivery in deliveries:
            appear, end = self._spans(self._chance.uniform(0.0, 0.5), history=False)
            steps += self._of_delivery(delivery, appear, end)
        return steps

    def of_planted(self, deliveries: Iterable[PlannedDelivery]) -> list[Step]:
        """Return the steps of records that do not parse: each appears once, as it is."""
        return [
            Step(
                offset=self._chance.uniform(0.1, 0.8) * self._seconds,
                key=item.key,
                kind=Kind.CREATE,
                record=item.record,
            )
            for item in deliveries
        ]

    def vanishing(self, deliveries: Iterable[PlannedDelivery]) -> list[Step]:
        """Return the steps that take deliveries away near the end."""
        return [
            Step(offset=self._chance.uniform(VANISH, 1.0) * self._seconds, key=item.key, kind=Kind.VANISH)
            for item in deliveries
        ]

    def _spans(self, begins: float, *, history: bool) -> tuple[Span, Span]:
        """Return when deliveries appear and when they end."""
        if history:
            begin, length = -HISTORY_SECONDS, HISTORY_SECONDS - HISTORY_END_SECONDS
            begin, length = begin + begins * length, length * (1 - begins)
            return (begin, begin + APPEAR * length), (begin + EARLIEST_END * length, begin + length)
        begin, length = begins * self._seconds, self._seconds
        return (begin, begin + APPEAR * length), (begin + EARLIEST_END * length, length)

    def _of_delivery(self, delivery: PlannedDelivery, appear: Span, end: Span) -> list[Step]:
        created, ended = self._chance.uniform(*appear), self._chance.uniform(*end)
        moves = self._moves(delivery.end)
        times = sorted(self._chance.uniform(created, ended) for _ in moves[:-1])
        steps = [Step(offset=created, key=delivery.key, kind=Kind.CREATE, record=delivery.record)]
        for move, offset in zip(moves, [*times, ended], strict=True):
            steps.append(self._move(delivery, move, offset))
        return steps + self._edits(delivery, created, ended)

    def _moves(self, end: Move) -> list[Move]:
        """Return the road to ``end``; who is cancelled never gets far, others may take a detour."""
        if end == CANCELLED:
            return [*ROAD[: self._chance.randint(0, 2)], end]
        detour = self._chance.choice(DETOURS) if self._chance.random() < DETOUR_SHARE else ()
        road = [*ROAD, *detour]
        return road if road[-1] == end else [*road, end]

    def _move(self, delivery: PlannedDelivery, move: Move, offset: float) -> Step:
        status, inbound = move
        cancelled = delivery.cancelled_items if move in {ROAD[1], COMPLETED} else ()
        return Step(
            offset=offset,
            key=delivery.key,
            kind=Kind.MOVE,
            status=status,
            inbound=inbound,
            cancelled_items=cancelled,
        )

    def _edits(self, delivery: PlannedDelivery, created: float, ended: float) -> list[Step]:
        if self._chance.random() >= EDIT_SHARE:
            return []
        offset = self._chance.uniform(created, ended)
        fields = {"note": f"Edited note {self._chance.randint(1, 9)}", "priority": self._chance.choice(("low", "high"))}
        return [Step(offset=offset, key=delivery.key, kind=Kind.EDIT, record=fields)]
