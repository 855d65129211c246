"""Several worker processes under one: each is started, and started again when it dies."""

import subprocess
from collections.abc import Sequence

import structlog

from worker.clock import Clock
from worker.runtime.stopping import Stop

_log = structlog.get_logger(__name__)

# Seconds between two looks at the processes.
_LOOK_SECONDS = 0.25
# Seconds before a process that died is started again: one that dies at once must not be started in a circle.
_AGAIN_SECONDS = 2.0
# Seconds that a process gets to stop by itself: more than its own grace.
_STOP_SECONDS = 15.0


class Supervisor:
    """Keeps `count` processes of one command running until it is to stop."""

    def __init__(self, *, command: Sequence[str], count: int, clock: Clock, stop: Stop) -> None:
        self._command = list(command)
        self._clock = clock
        self._stop = stop
        self._running: list[subprocess.Popen[bytes] | None] = [None] * count
        self._not_before = [0.0] * count

    def run(self) -> None:
        """Keep them running, then stop them all."""
        try:
            self._look()
            while not self._stop.wait(_LOOK_SECONDS):
                self._look()
        finally:
            self._end_all()

    def _look(self) -> None:
        for place, process in enumerate(self._running):
            if process is not None and process.poll() is not None:
                _log.warning("worker process ended", pid=process.pid, status=process.returncode)
                self._running[place] = None
                self._not_before[place] = self._clock.monotonic() + _AGAIN_SECONDS
            if self._running[place] is None and self._clock.monotonic() >= self._not_before[place]:
                self._running[place] = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        # The command is this very program, with arguments of our own making.
        process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)  # noqa: S603
        _log.info("worker process started", pid=process.pid)
        return process

    def _end_all(self) -> None:
        running = [process for process in self._running if process is not None]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
