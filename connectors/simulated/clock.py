"""Time as the twins see it, passed in so that a test can hold it still."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time in UTC, with a zone."""

    def now(self) -> datetime:
        """Return this moment in UTC."""
        ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        """Return this moment in UTC."""
        return datetime.now(UTC)


class SteppedClock:
    """A clock that moves only when it is told to."""

    def __init__(self, start: datetime) -> None:
        """Begin at ``start``, which carries a zone."""
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the moment this clock stands at."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``."""
        with self._lock:
            self._now += timedelta(seconds=seconds)


def stamp(moment: datetime, *, fractions: bool = False) -> str:
    """Write ``moment`` as ISO 8601 in UTC with ``Z``: whole seconds, or microseconds with ``fractions``."""
    spec = "microseconds" if fractions else "seconds"
    return moment.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")
