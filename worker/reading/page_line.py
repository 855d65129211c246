"""The line between a process and the one that prepares its pages: whole messages, each within a time."""

import socket
import struct
import time

# Bytes that the line holds, if the system lets it: so neither end waits for the other in the middle of a page.
_BUFFER = 1 << 20
_LENGTH = struct.Struct("!Q")
# Bytes of a message that nobody sends: a page has hundreds of thousands.
_MOST = 1 << 31


class PageLine:
    """One end. Trouble of any kind is an OSError; TimeoutError, which is one, where a message took too long."""

    def __init__(self, end: socket.socket) -> None:
        """Take over the socket."""
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._end = end

    @classmethod
    def inherited(cls, descriptor: int) -> "PageLine":
        """The end that the parent left open under this number."""
        return cls(socket.socket(fileno=descriptor))

    def send(self, message: bytes, seconds: float | None = None) -> None:
        """Send a message, all of it within that time."""
        self._end.settimeout(seconds)
        # The limit of `sendall` is one for all of its bytes.
        self._end.sendall(_LENGTH.pack(len(message)) + message)

    def receive(self, seconds: float | None = None) -> bytearray:
        """The next message, all of it within that time."""
        until = None if seconds is None else time.monotonic() + seconds
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size, until))
        if length > _MOST:
            sentence = "what came is no message"
            raise ConnectionError(sentence)
        return self._read(length, until)

    def has_something(self) -> bool:
        """Whether a message has begun to come, or the end."""
        self._end.settimeout(0)
        try:
            self._end.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        return True

    def cut(self) -> None:
        """Let nobody wait at either end any more; who uses this one may be another thread. Never raises."""
        try:
            self._end.shutdown(socket.SHUT_RDWR)
        except OSError:
            # The other end is gone already.
            return

    def close(self) -> None:
        """Give the end back. Nobody may be using it."""
        self._end.close()

    def _read(self, length: int, until: float | None) -> bytearray:
        data = bytearray(length)
        view, came = memoryview(data), 0
        while came < length:
            self._end.settimeout(None if until is None else max(0.001, until - time.monotonic()))
            count = self._end.recv_into(view[came:])
            if not count:
                sentence = "the other end is gone"
                raise ConnectionError(sentence)
            came += count
        return data
