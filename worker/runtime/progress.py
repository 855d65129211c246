"""How work gets on, as a line of the log now and then. What a terminal shows instead is `worker.cli.live`."""

from collections.abc import Mapping
from typing import Protocol, Self

import structlog

from worker.clock import Clock
from worker.runtime.status import Status

_log = structlog.get_logger(__name__)

# A line of the log every ten seconds says that it gets on without filling a disk.
LOG_SECONDS = 10.0


class Rate:
    """Changes a second, between two looks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at = clock.monotonic()
        self._events: int | None = None

    def of(self, events: int) -> float:
        """Events a second since the last look; 0 at the first one."""
        now, before = self._clock.monotonic(), self._events
        seconds, self._at, self._events = now - self._at, now, events
        return 0.0 if before is None or seconds <= 0 else (events - before) / seconds


class Progress(Protocol):
    """Shows a status from time to time."""

    seconds: float

    def show(self, status: Status) -> None:
        """Show this status."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *_: object) -> None:
        """End."""
        ...


class LogProgress:
    """One line of the log for each look."""

    seconds = LOG_SECONDS

    def __init__(self, clock: Clock) -> None:
        self._rate = Rate(clock)

    def show(self, status: Status) -> None:
        """Log the status, unless all is quiet."""
        changes = self._rate.of(status.events)
        if status.idle and not changes:
            return
        lags = {account.account: account.lag_seconds for account in status.accounts}
        _log.info(
            "progress",
            changes_per_second=round(changes, 1),
            lag_seconds=lags,
            tasks=some(status.tasks),
            orders=some(status.orders),
            firings=some(status.firings),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def some(counts: Mapping[str, int]) -> dict[str, int]:
    """The states that anything is in."""
    return {state: count for state, count in counts.items() if count}
