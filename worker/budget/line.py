"""The callers of one process that wait for a turn, in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from worker.budget.lanes import Lane, Waiting, first
from worker.clock import Clock

# Callers of one process are compared with each other by the monotonic clock: any moment will do.
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True, eq=False)
class Caller:
    """A thread that waits; `since` by the monotonic clock, `moment` the same by the database's, once it was asked.

    Said once and for all: two processes that compare it must come to the same end.
    """

    lane: Lane
    since: float
    moment: datetime | None = None


class Line:
    """Who waits here; `holder` is the process's name. Whoever calls holds the budget's lock."""

    def __init__(self, *, holder: str, clock: Clock) -> None:
        self._holder = holder
        self._clock = clock
        self._callers: list[Caller] = []

    def __iter__(self) -> Iterator[Caller]:
        return iter(self._callers)

    def enter(self, lane: Lane) -> Caller:
        """A new caller, behind those of its lane."""
        caller = Caller(lane, self._clock.monotonic())
        self._callers.append(caller)
        return caller

    def leave(self, caller: Caller) -> None:
        """It has its turn, or has given up."""
        self._callers.remove(caller)

    def is_first(self, caller: Caller, last: Lane | None) -> bool:
        """Whether it goes first of those here, after a turn of the lane `last`."""
        return first(map(self._here, self._callers), last) == self._here(caller)

    def waited(self, caller: Caller) -> float:
        """Seconds since it came."""
        return self._clock.monotonic() - caller.since

    def told(self, caller: Caller, now: datetime) -> Waiting:
        """As other processes are told of it, `now` being the database's time."""
        if caller.moment is None:
            caller.moment = now - timedelta(seconds=self.waited(caller))
        return Waiting(caller.lane, caller.moment, self._holder)

    def _here(self, caller: Caller) -> Waiting:
        return Waiting(caller.lane, _EPOCH + timedelta(seconds=caller.since), self._holder)
