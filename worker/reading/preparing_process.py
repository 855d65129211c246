"""The process that prepares pages, seen from the one that started it: its line, and how it ends."""

import contextlib
import marshal
import os
import socket
import subprocess
import sys
from pathlib import Path

from worker.reading.page_line import PageLine
from worker.reading.prepared import Prepared
from worker.reading.preparing import READY

# Seconds that one page may take there and back; it takes milliseconds.
PATIENCE_SECONDS = 10.0
# Seconds for a process to end by itself, once its line is cut, before it is killed.
_END_SECONDS = 1.0


class Lost(Exception):
    """The process cannot be started, is another program, or does not answer as it should."""


class PreparingProcess:
    """`worker.reading.preparing` as a child: it ends with this process, however that ends."""

    def __init__(self, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Start it, and do not wait until it is there. Raises Lost."""
        self._patience_seconds = patience_seconds
        self._ready = False
        # Of the pages that were submitted, and whether the last one was not collected yet.
        self._number, self._waiting = 0, False
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise Lost from error
        with theirs:
            try:
                self._line = PageLine(ours)
                self._process = _started(theirs.fileno())
            except OSError as error:
                ours.close()
                raise Lost from error

    @property
    def says_something(self) -> bool:
        """Whether a word of it is there to be heard. Raises OSError where the line is gone."""
        return self._line.has_something()

    @property
    def pid(self) -> int:
        """Its number, for whoever looks at processes."""
        return self._process.pid

    def submit(self, account: str, body: bytes) -> None:
        """Have a page prepared, if the process is there by now. Raises Lost."""
        try:
            if self._is_ready():
                self._number += 1
                self._line.send(marshal.dumps((self._number, account, body)), self._patience_seconds)
                self._waiting = True
        except OSError as error:
            raise Lost from error

    def collect(self) -> Prepared | None:
        """What was submitted, once it is there; None where nothing was, or it has to be looked at. Raises Lost."""
        waiting, self._waiting = self._waiting, False
        if not waiting:
            return None
        try:
            number, rows = marshal.loads(self._line.receive(self._patience_seconds))  # noqa: S302 - of this very program
        except (OSError, EOFError, ValueError, TypeError) as error:
            raise Lost from error
        if number != self._number or not isinstance(rows, tuple | None):
            raise Lost
        return None if rows is None else Prepared(*rows)

    def cut(self) -> None:
        """Let nobody wait for it any more, whichever thread that is."""
        self._line.cut()

    def end(self) -> None:
        """End it, by its line, and kill it where that does not help. Nobody may be using it."""
        self._line.cut()
        self._line.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        self._process.kill()
        self._process.wait()

    def _is_ready(self) -> bool:
        if not self._ready and self.says_something:
            if self._line.receive(self._patience_seconds) != READY:
                sentence = "the program was changed since this process began"
                raise Lost(sentence)
            self._ready = True
        return self._ready


def _started(descriptor: int) -> subprocess.Popen[bytes]:
    # -P: the program is the one that runs here, not what lies in the current folder.
    return subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-P", "-m", "worker.reading.preparing", str(descriptor)],
        pass_fds=[descriptor],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _environment() -> dict[str, str]:
    """What a Python needs to start, with the way to this very program; no setting, and so no secret."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LD_LIBRARY_PATH"}}
    pythons = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    way = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
    return {**kept, **pythons, "PYTHONPATH": way}
