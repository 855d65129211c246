"""Playing what a story tells, step by step, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

from connectors.simulated.clock import Clock

# Seconds between two looks at the clock while nothing is due; a skip wakes the player at once.
LONGEST_WAIT_SECONDS: Final = 0.25


class Timed(Protocol):
    """Something that is done ``offset`` seconds after the story's beginning (before it if negative)."""

    @property
    def offset(self) -> float:
        """Seconds since the beginning."""
        ...


AnyStep = TypeVar("AnyStep", bound=Timed)


class Player(Generic[AnyStep]):
    """Does the steps of a story when they are due, each in its turn."""

    def __init__(
        self, steps: Sequence[AnyStep], clock: Clock, *, do: Callable[[AnyStep, datetime | None], None]
    ) -> None:
        """Play nothing yet; ``do`` does one step, stamped with a moment, or with now if it is None."""
        self._steps = steps
        self._clock = clock
        self._do = do
        self._next = 0
        self._began: datetime | None = None
        self._condition = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def load_history(self) -> None:
        """Do, with their own stamps, the steps from before the beginning."""
        now = self._clock.now()
        with self._condition:
            while self._next < len(self._steps) and self._steps[self._next].offset < 0:
                step = self._steps[self._next]
                self._do(step, now + timedelta(seconds=step.offset))
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
        """Do every step that is due now."""
        with self._condition:
            elapsed = self._elapsed()
            while self._next < len(self._steps) and self._steps[self._next].offset <= elapsed:
                self._do(self._steps[self._next], None)
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
