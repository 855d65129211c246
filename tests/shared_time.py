"""Time that several processes share: it runs by itself, and any of them can let a while pass for all at once."""

import mmap
import struct
import time
from datetime import datetime, timedelta
from pathlib import Path

from tests.clocks import NOON

# When the time began, how much was skipped since (both seconds), and the process that is to be ended at the twin.
_LAYOUT = struct.Struct("ddq")
_STARTED, _SKIPPED, _VICTIM = range(3)


class SharedTime:
    """A clock and a mailbox for a process id in one small file that is mapped into every process."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(_LAYOUT.pack(time.monotonic(), 0.0, 0))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _LAYOUT.size)

    def now(self) -> datetime:
        """The wall clock; begins at a fixed noon, so that nothing depends on the day of the test."""
        return NOON + timedelta(seconds=self._elapsed())

    def monotonic(self) -> float:
        """Seconds that only grow, those that were skipped included."""
        return 1000.0 + self._elapsed()

    def sleep(self, seconds: float) -> None:
        """Skip instead of waiting."""
        self.skip(seconds)

    def skip(self, seconds: float) -> None:
        """Let that much time pass for everybody."""
        self._put(_SKIPPED, self._get()[_SKIPPED] + max(0.0, seconds))

    def skip_to(self, moment: datetime) -> None:
        """Let time pass until then; nothing if that is over."""
        self.skip((moment - self.now()).total_seconds())

    @property
    def victim(self) -> int:
        """The process that the twin may end."""
        return int(self._get()[_VICTIM])

    @victim.setter
    def victim(self, pid: int) -> None:
        self._put(_VICTIM, pid)

    def _elapsed(self) -> float:
        started, skipped, _ = self._get()
        return time.monotonic() - started + skipped

    def _get(self) -> tuple[float, float, int]:
        found: tuple[float, float, int] = _LAYOUT.unpack(self._memory[: _LAYOUT.size])
        return found

    def _put(self, place: int, value: float) -> None:
        values = list(self._get())
        values[place] = int(value) if place == _VICTIM else value
        self._memory[: _LAYOUT.size] = _LAYOUT.pack(*values)
