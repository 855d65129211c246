"""The process that prepares pages, seen from the one that started it: its line, and how it ends."""

import contextlib
import marshal
import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection

from worker.reading.prepared import Prepared
from worker.reading.preparing import NOTHING

# Seconds that one page may take; it takes milliseconds.
PATIENCE_SECONDS = 10.0
# Seconds for a process to end by itself, once its line is closed, before it is killed.
_END_SECONDS = 1.0
# Bytes that the line holds, so that neither end waits for the other in the middle of a page.
_BUFFER = 1 << 20
# What a line that is cut, or that tells nonsense, raises.
_TROUBLE = (OSError, EOFError, ValueError, TypeError)


class Lost(Exception):
    """The process cannot be started, ended, or does not answer."""


class PreparingProcess:
    """`worker.reading.preparing` as a child: it ends with this process, however that ends."""

    def __init__(self, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Start it, and do not wait until it is there. Raises Lost."""
        self._patience_seconds = patience_seconds
        ours, theirs = socket.socketpair()
        with theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            self._line = Connection(ours.detach())
            try:
                self._process = _started(theirs.fileno())
            except OSError as error:
                self._line.close()
                raise Lost from error
        self._ready = self._waiting = False

    @property
    def pid(self) -> int:
        """Its number, for whoever looks at processes."""
        return self._process.pid

    def submit(self, account: str, body: bytes) -> None:
        """Have a page prepared, if the process is there by now. Raises Lost."""
        try:
            self._ready = self._ready or (self._line.poll() and bool(self._line.recv_bytes()))
            if self._ready:
                self._line.send_bytes(marshal.dumps((account, body)))
                self._waiting = True
        except _TROUBLE as error:
            raise Lost from error

    def collect(self) -> Prepared | None:
        """What was submitted, once it is there; None where nothing was, or it has to be looked at. Raises Lost."""
        waiting, self._waiting = self._waiting, False
        if not waiting:
            return None
        try:
            if not self._line.poll(self._patience_seconds):
                raise Lost
            answer = self._line.recv_bytes()
            return None if answer == NOTHING else Prepared(marshal.loads(answer))  # noqa: S302 - of this very program
        except _TROUBLE as error:
            raise Lost from error

    def end(self) -> None:
        """Close the line, which ends it; kill it where it does not end."""
        self._line.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._process.kill()
        self._process.wait()


def _started(descriptor: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-m", "worker.reading.preparing", str(descriptor)],
        pass_fds=[descriptor],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _environment() -> dict[str, str]:
    """What a Python needs to start, with the way to this very program; no setting, and so no secret."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONHOME") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
