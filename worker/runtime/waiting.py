"""When `run --until-idle` ends (DESIGN §8)."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from worker.clock import Clock
from worker.errors import WaybillError
from worker.runtime.idleness import Due


class Unreachable(WaybillError):
    """An account could not be read for as long as the patience lasted."""

    exit_status = 3


class Verdict(StrEnum):
    """What to do after a look."""

    GO_ON = "go_on"
    IDLE = "idle"
    # An account refuses us, or could not be read for as long as the patience lasts; nothing else is due.
    UNREACHABLE = "unreachable"


class Reading(Protocol):
    """How reading the accounts goes."""

    def caught_up(self) -> bool:
        """Whether every account is certified up to its first answer's time, or the rest is a hole already retried."""
        ...

    def trouble(self) -> str | None:
        """A sentence about an account that cannot be read at present."""
        ...

    def refusal(self) -> str | None:
        """A sentence about an account that refuses us: waiting does not help."""
        ...


class Busy(Protocol):
    """Whether work is in progress in this process."""

    @property
    def busy(self) -> int:
        """How much."""
        ...


class UntilIdle:
    """Looks again and again until nothing but schedules is due."""

    def __init__(
        self, *, reading: Reading, due: Callable[[float], Due], engine: Busy, clock: Clock, patience_seconds: float
    ) -> None:
        self._reading = reading
        self._due = due
        self._engine = engine
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._troubled_since: float | None = None

    def look(self) -> Verdict:
        """Whether it is over."""
        # In this order: what a poll found is due as soon as the poll is through.
        caught_up = self._reading.caught_up()
        given_up = self._reading.refusal() is not None or self._troubled_for() >= self._patience_seconds
        if not caught_up and not given_up:
            return Verdict.GO_ON
        if self._engine.busy or not self._due(self._patience_seconds).nothing:
            return Verdict.GO_ON
        return Verdict.IDLE if caught_up else Verdict.UNREACHABLE

    def _troubled_for(self) -> float:
        if self._reading.trouble() is None:
            self._troubled_since = None
            return -1.0
        now = self._clock.monotonic()
        if self._troubled_since is None:
            self._troubled_since = now
        return now - self._troubled_since
