"""Playing a story at a warehouse, step by step, in its own thread."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

from connectors.simulated.clock import Clock
from connectors.simulated.story_words import Kind, Step, Story
from connectors.simulated.warehouse import Warehouse
from connectors.simulated.warehouse_writes import set_status

# Seconds between two looks at the clock while nothing is due; a skip wakes the player at once.
LONGEST_WAIT_SECONDS = 0.25


class Player:
    """Applies the steps of a story when they are due."""

    def __init__(self, story: Story, warehouse: Warehouse, clock: Clock) -> None:
        """Play nothing yet."""
        self._steps = story.steps
        self._warehouse = warehouse
        self._clock = clock
        self._next = 0
        self._began: datetime | None = None
        self._condition = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def load_history(self) -> None:
        """Apply, with their own stamps, the steps from before the beginning."""
        now = self._clock.now()
        with self._condition:
            while self._next < len(self._steps) and self._steps[self._next].offset < 0:
                step = self._steps[self._next]
                apply(step, self._warehouse, at=now + timedelta(seconds=step.offset))
                self._next += 1

    def start(self) -> None:
        """Let the time of the story flow; starting twice is harmless."""
        with self._condition:
            if self._thread is not None:
                return
            self._began = self._clock.now()
            self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop playing."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join()

    def skip(self, seconds: float) -> None:
        """Do at once what the next ``seconds`` of the story bring."""
        with self._condition:
            if self._began is not None:
                self._began -= timedelta(seconds=seconds)
            self._condition.notify_all()

    def play_due(self) -> None:
        """Apply every step that is due now."""
        with self._condition:
            elapsed = self._elapsed()
            while self._next < len(self._steps) and self._steps[self._next].offset <= elapsed:
                apply(self._steps[self._next], self._warehouse)
                self._next += 1

    def progress(self) -> dict[str, Any]:
        """Return how far the story is."""
        with self._condition:
            left = len(self._steps) - self._next
            return {"elapsed_seconds": max(0.0, self._elapsed()), "steps_left": left, "done": left == 0}

    def _elapsed(self) -> float:
        """Return the seconds since the beginning; a little below 0 before it."""
        return -1.0 if self._began is None else (self._clock.now() - self._began).total_seconds()

    def _run(self) -> None:
        while True:
            self.play_due()
            with self._condition:
                if self._stopped or self._next >= len(self._steps):
                    return
                due_in = self._steps[self._next].offset - self._elapsed()
                if due_in > 0:
                    self._condition.wait(min(due_in, LONGEST_WAIT_SECONDS))


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
