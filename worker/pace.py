"""The pace of one receiver: how many messages may be out at once, learnt from how it answers.

As TCP does it: begin with a few, twice as many with every answer that was good, one by one after a message that it is
too much. A receiver that goes on saying so is left alone for as long as it asks.
"""

import threading
from collections.abc import Callable

# Messages out at once at the start of a process, before the receiver has answered anything.
_FIRST = 4
# Answers in a row that it is too much, until the receiver as a whole is left alone. A few may be about their subjects:
# where a fifth of them are refused, ten in a row are one chance in ten million.
REFUSALS = 10
# Seconds to leave a receiver alone that says that it is too much and not for how long.
UNNAMED_SECONDS = 5.0
# Seconds after which one message asks again, however long the receiver wished: each event that was refused waits for as
# long as it was told, but others may be welcome.
LONGEST_SECONDS = 300.0


class Pace:
    """Safe to use from several threads; seconds are those of `monotonic`."""

    def __init__(self, *, most: int, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._monotonic = monotonic
        self._allowed = min(_FIRST, most)
        self._row = 0
        self._paused_until = 0.0
        self._lock = threading.Lock()

    @property
    def pause(self) -> float:
        """Seconds for which nothing may be sent; 0 when something may."""
        with self._lock:
            return max(0.0, self._paused_until - self._monotonic())

    @property
    def allowed(self) -> int:
        """Messages that may be out at once while there is no pause; at least 1."""
        return self._allowed

    def went_well(self) -> None:
        """The receiver took a message."""
        with self._lock:
            self._row = 0
            self._allowed = min(self._most, self._allowed * 2)

    def too_much(self, seconds: float | None) -> None:
        """The receiver asks for less, for this long if it says so."""
        with self._lock:
            self._row += 1
            self._allowed = 1
            if self._row >= REFUSALS:
                self._leave_alone(UNNAMED_SECONDS if seconds is None else min(seconds, LONGEST_SECONDS))

    def leave_alone(self, seconds: float) -> None:
        """Send nothing for so long."""
        with self._lock:
            self._leave_alone(seconds)

    def _leave_alone(self, seconds: float) -> None:
        self._paused_until = max(self._paused_until, self._monotonic() + seconds)
