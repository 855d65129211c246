"""The database's time as a clock, for whoever decides without a transaction at hand."""

from collections.abc import Callable
from datetime import datetime, timedelta

from worker.clock import Clock
from worker.errors import DatabaseUnavailable

# Seconds for which one look at the database's time is good: no clock drifts by a millisecond meanwhile.
LOOK_SECONDS = 30.0


class DatabaseClock:
    """What the database told last, and what has passed on this machine since; several machines agree by it."""

    def __init__(self, machine: Clock, ask: Callable[[], datetime]) -> None:
        """`ask` tells the database's time, and may raise DatabaseUnavailable."""
        self._machine = machine
        self._ask = ask
        self._told: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        """The database's time; this machine's while the database was never reached."""
        told = self._told
        if told is None or self._machine.monotonic() - told[1] >= LOOK_SECONDS:
            told = self._look()
        if told is None:
            return self._machine.now()
        return told[0] + timedelta(seconds=self._machine.monotonic() - told[1])

    def monotonic(self) -> float:
        """As the machine's."""
        return self._machine.monotonic()

    def sleep(self, seconds: float) -> None:
        """As the machine's."""
        self._machine.sleep(seconds)

    def _look(self) -> tuple[datetime, float] | None:
        try:
            self._told = (self._ask(), self._machine.monotonic())
        except DatabaseUnavailable:
            # What was told before is right until the machine is started anew.
            return self._told
        return self._told
