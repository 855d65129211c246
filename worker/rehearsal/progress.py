"""The line that says how a rehearsal is getting on: rewritten on a terminal, now and then elsewhere."""

import os
from typing import TextIO

from worker.clock import Clock
from worker.rehearsal.facts import Facts
from worker.rehearsal.twins import Progress
from worker.states import FiringState, OrderState

# Seconds between two lines where nobody watches.
_EVERY_SECONDS = 10.0
_ERASE = "\r\x1b[K"
# Columns of a terminal that does not say how wide it is.
_COLUMNS = 80


class ProgressLine:
    """Writes to `out`."""

    def __init__(self, out: TextIO, clock: Clock) -> None:
        self._out = out
        self._clock = clock
        self._live = out.isatty()
        self._last = clock.monotonic()

    def show(self, progress: Progress, facts: Facts) -> None:
        """Say where things stand, if it is time."""
        now = self._clock.monotonic()
        if self._live:
            # A line that is folded could not be taken away any more.
            self._out.write(f"{_ERASE}{line(progress, facts)[: _columns(self._out) - 1]}")
        elif now - self._last >= _EVERY_SECONDS:
            self._out.write(f"{line(progress, facts)}\n")
            self._last = now
        self._out.flush()

    def say(self, sentence: str) -> None:
        """One line that stays."""
        self._out.write(f"{_ERASE if self._live else ''}{sentence}\n")
        self._out.flush()

    def clear(self) -> None:
        """Take the live line away."""
        self._out.write(_ERASE if self._live else "")
        self._out.flush()


def _columns(out: TextIO) -> int:
    try:
        told = os.get_terminal_size(out.fileno()).columns
    except OSError:
        return _COLUMNS
    return told if told > 0 else _COLUMNS


def line(progress: Progress, facts: Facts) -> str:
    """Seconds, what is left of the story, events, open tasks, orders and firings."""
    story = "story over" if progress.done else f"{progress.steps_left} changes left"
    confirmed = facts.firings.get(FiringState.CONFIRMED, 0)
    complete = facts.orders.get(OrderState.COMPLETE, 0)
    tasks = sum(facts.open_tasks.values())
    return (
        f"{progress.elapsed:4.0f} s · {story} · {facts.events} events · {tasks} tasks · "
        f"{complete}/{sum(facts.orders.values())} complete · {confirmed} fired"
    )
