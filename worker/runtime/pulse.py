"""Signs of life: each loop of a process stamps its progress; a probe can so tell a busy process from a stuck one."""

import threading
from collections.abc import Mapping

from worker.clock import Clock

# Seconds without progress after which a loop counts as stuck. The longest step between two stamps (waiting for a
# database or a remote system) takes some thirty; twice that and a bit.
STUCK_SECONDS = 90.0


class Pulse:
    """When each loop of this process last got on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stamps: dict[str, float] = {}
        self._lock = threading.Lock()

    def beat(self, name: str) -> None:
        """The loop of that name got on, just now."""
        with self._lock:
            self._stamps[name] = self._clock.monotonic()

    def forget(self, name: str) -> None:
        """The loop of that name ended as it should; nothing is expected of it any more."""
        with self._lock:
            self._stamps.pop(name, None)

    def ages(self) -> Mapping[str, float]:
        """Seconds since each loop's last stamp, by name; loops that never stamped are not in it."""
        with self._lock:
            now = self._clock.monotonic()
            return {name: now - stamp for name, stamp in sorted(self._stamps.items())}

    def stuck(self, seconds: float = STUCK_SECONDS) -> tuple[str, ...]:
        """The loops that have not got on for longer than that."""
        return tuple(name for name, age in self.ages().items() if age > seconds)
