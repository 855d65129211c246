"""How many requests a key may make: a sliding span of time."""

from __future__ import annotations

import threading
from collections import defaultdict, deque

# Seconds. Two requests sent a second apart may arrive a little closer together; the vendor says "about 1 per second".
SLACK_SECONDS = 0.05


class SlidingLimit:
    """Counts accepted requests per key; a refused one costs nothing."""

    def __init__(self) -> None:
        """Begin with no request seen."""
        self._lock = threading.Lock()
        self._seen: defaultdict[str, deque[float]] = defaultdict(deque)
        self.refused = 0

    def admit(self, key: str, at: float, per_second: float) -> float:
        """Return 0.0 and count the request at ``at`` (seconds), or the seconds after which it would be admitted.

        ``per_second`` of 0 means no limit.
        """
        if per_second <= 0:
            return 0.0
        allowed = max(1, int(per_second))
        span = allowed / per_second - SLACK_SECONDS / allowed
        with self._lock:
            return self._admit(self._seen[key], at, allowed, span)

    def _admit(self, seen: deque[float], at: float, allowed: int, span: float) -> float:
        while seen and seen[0] <= at - span:
            seen.popleft()
        if len(seen) >= allowed:
            self.refused += 1
            return seen[0] + span - at
        seen.append(at)
        return 0.0
