"""How many calls came to what, in this process: for the metrics, and for a log that nobody can flood."""

import threading
from collections import Counter
from collections.abc import Mapping

import structlog

from worker.clock import Clock

_log = structlog.get_logger(__name__)

# Seconds between two lines about calls that came to the same: who floods us must not fill the disk.
QUIET_SECONDS = 60.0


class Tally:
    """Counts, from any thread. Nothing of a call but what became of it is ever kept or logged."""

    def __init__(self, clock: Clock, outcomes: Mapping[str, bool]) -> None:
        """`outcomes`: everything that a call may come to, and whether it is worth a line in the log."""
        self._clock = clock
        self._worth_a_line = {name for name, worth in outcomes.items() if worth}
        self._counts: Counter[str] = Counter(dict.fromkeys(outcomes, 0))
        self._told: Counter[str] = Counter()
        self._told_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def counts(self) -> dict[str, int]:
        """Calls by what they came to, since this process began."""
        with self._lock:
            return dict(self._counts)

    def note(self, outcome: str) -> None:
        """One more."""
        with self._lock:
            self._counts[outcome] += 1
            news = self._news(outcome)
        if news:
            _log.warning("calls of barmate's webhooks were not taken", outcome=outcome, calls=news)

    def _news(self, outcome: str) -> int:
        """How many to tell of now; 0 where a line about the same is not a minute old."""
        now, before = self._clock.monotonic(), self._told_at.get(outcome)
        if outcome not in self._worth_a_line or (before is not None and now - before < QUIET_SECONDS):
            return 0
        self._told_at[outcome] = now
        news = self._counts[outcome] - self._told[outcome]
        self._told[outcome] = self._counts[outcome]
        return news
