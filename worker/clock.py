"""Time as a collaborator: whoever decides by time is handed a clock."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the worker may ask about time."""

    def now(self) -> datetime:
        """The wall clock of this machine, aware, in UTC. Never used to judge the time of a remote system."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never steps back and goes on counting while the machine is suspended."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        ...


def _boot_time() -> Callable[[], float]:
    # CLOCK_BOOTTIME counts through a suspend, which a send deadline must; only Linux has it.
    if hasattr(time, "CLOCK_BOOTTIME"):
        return lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic


class SystemClock:
    """The clock of this machine."""

    def __init__(self) -> None:
        self._boot = _boot_time()

    def now(self) -> datetime:
        """Wall clock in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since boot, suspended time included where the platform tells it."""
        return self._boot()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        time.sleep(max(0.0, seconds))


def instant_text(moment: datetime) -> str:
    """ISO 8601 in UTC with `Z`; a fraction only where there is one."""
    return moment.isoformat().replace("+00:00", "Z")
