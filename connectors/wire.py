"""The wire of one write: whether its bytes began to leave, and an absolute end to it.

Follows the connection through the `trace` extension of httpx (python-httpx.org, advanced/extensions).
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping


class DeadlinePassedError(Exception):
    """The deadline passed before the first byte was sent."""


def steady_clock() -> float:
    """Seconds on a clock that never jumps and, where the system has one, counts while it is suspended."""
    boot_clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_clock is None else time.clock_gettime(boot_clock)


class Wire:
    """Watches one request on a connection of its own; at the deadline (on `clock`) the connection is cut."""

    def __init__(
        self,
        *,
        method: str,
        deadline: float,
        clock: Callable[[], float],
        connection: socket.socket | None = None,
    ) -> None:
        """Nothing is watched before `watched` is entered; `connection` is one that stands already."""
        self.sent = False
        self.cut = False
        self._method = method.encode("ascii")
        self._deadline = deadline
        self._clock = clock
        self._socket = connection
        self._lock = threading.Lock()

    @property
    def connection(self) -> socket.socket | None:
        """The socket of the connection that was used last; None before there is one."""
        return self._socket

    @property
    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._deadline - self._clock())

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Cut the connection at the deadline unless the block has ended by then."""
        # A read timeout starts anew with every byte, so only cutting from outside ends a trickling answer.
        watchdog = threading.Timer(self.remaining, self._cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def trace(self, event: str, info: Mapping[str, object]) -> None:
        """Hear from the transport what happens; raises DeadlinePassedError just before sending too late."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._connected(info.get("return_value"))
        elif event == "http11.send_request_headers.started" and self._is_own(info.get("request")):
            self._begin()

    def _is_own(self, request: object) -> bool:
        # A proxy's CONNECT passes here too, and sends nothing of ours.
        return getattr(request, "method", None) == self._method

    def _begin(self) -> None:
        with self._lock:
            if self.cut or self._clock() >= self._deadline:
                raise DeadlinePassedError
            self.sent = True

    def _connected(self, stream: object) -> None:
        inquire = getattr(stream, "get_extra_info", None)
        found = inquire("socket") if callable(inquire) else None
        if isinstance(found, socket.socket):
            with self._lock:
                self._socket = found

    def _cut(self) -> None:
        with self._lock:
            self.cut = True
            if self._socket is not None:
                # An already closed socket needs no cutting. The plain method leaves the reader's TLS state alone.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
