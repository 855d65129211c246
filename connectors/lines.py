"""Lines: connections kept for the next request, each with its socket at hand, so that it can be cut at a deadline.

A pool of connections shows nobody the socket of the one it picks; a client of one connection does, when it connects.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx

# Lines kept while nobody uses them: as many as a busy sender has out at once on a receiver that is well.
_MOST_IDLE = 20


@dataclass(slots=True)
class Line:
    """A client of one connection, and the socket of that connection once there is one."""

    client: httpx.Client
    connection: socket.socket | None = None
    # Until its answer was read to the end: the next one must not find the rest of it.
    spent: bool = False


class Lines:
    """Gives out lines, the one used last first, and makes a new one where none is free."""

    def __init__(self, make: Callable[[], httpx.Client]) -> None:
        """Open no connection; `make` returns a client that keeps one."""
        self._make = make
        self._idle: list[Line] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextlib.contextmanager
    def taken(self) -> Iterator[Line]:
        """A line for the block alone; kept for the next one only where the block says that it is not spent."""
        line = self._take()
        line.spent = True
        try:
            yield line
        finally:
            self._give_back(line)

    def close(self) -> None:
        """Close the idle ones, and those in use when they come back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for line in idle:
            line.client.close()

    def _take(self) -> Line:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Line(self._make())

    def _give_back(self, line: Line) -> None:
        with self._lock:
            is_kept = not (line.spent or self._closed or len(self._idle) >= _MOST_IDLE)
            if is_kept:
                self._idle.append(line)
        if not is_kept:
            line.client.close()
