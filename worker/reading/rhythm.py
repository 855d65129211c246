"""When an account is polled again: at once, soon, or at its interval (DESIGN §4). No I/O."""

from collections.abc import Callable

from worker.reading.poller import PollReport

# Seconds until the next poll after a change: what belongs together in a warehouse is booked within seconds.
_SOON_SECONDS = 1.0
# Of every so many turns one goes to the poll at most, so that the others get on while things change.
_TURNS = 2.0


class Rhythm:
    """How soon one account is polled again. While things change soon, then later and later up to the interval."""

    def __init__(self, *, idle_seconds: float, turn_seconds: Callable[[], float]) -> None:
        """`turn_seconds` is the time between two turns of the budget, as it is at present."""
        self._idle = idle_seconds
        self._turn_seconds = turn_seconds
        self._wait: float | None = None

    def after(self, report: PollReport) -> float | None:
        """Seconds until the next poll; None is at the interval's next time."""
        if report.error is not None or report.stopped is not None:
            self._wait = None
            return None
        if report.appeared or report.changed:
            self._wait = max(_SOON_SECONDS, _TURNS * self._turn_seconds())
        elif self._wait is not None:
            self._wait *= 2
        if self._wait is not None and self._wait >= self._idle:
            self._wait = None
        return 0.0 if report.pending else self._wait
