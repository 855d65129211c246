"""Which process acts: a lease that is kept as long as its holder lives and asks."""

import threading

from worker.clock import Clock
from worker.leases import Lease, Leases

# Seconds that the others wait for a leader that died: short of the minute in which its work must be taken up.
TERM_SECONDS = 10.0
# Renewals in one term: two may fail before another process takes over.
_RENEWALS_A_TERM = 3.0


class Leadership:
    """Answers whether this process is the one that acts in a role; asks the database a few times a term only."""

    def __init__(self, *, leases: Leases, name: str, clock: Clock, seconds: float = TERM_SECONDS) -> None:
        self._leases = leases
        self._name = name
        self._clock = clock
        self._seconds = seconds
        self._lease: Lease | None = None
        self._asked_at: float | None = None
        self._lock = threading.Lock()

    def acts(self) -> bool:
        """Whether we may act now. Raises DatabaseUnavailable."""
        with self._lock:
            now = self._clock.monotonic()
            if self._asked_at is None or now - self._asked_at >= self._seconds / _RENEWALS_A_TERM:
                self._lease = self._leases.acquire(self._name, self._seconds)
                self._asked_at = now
            return self._lease is not None

    def resign(self) -> None:
        """Let another process act at once."""
        with self._lock:
            if self._lease is not None:
                self._leases.give_back(self._lease)
            self._lease = None
