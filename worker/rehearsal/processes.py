"""Child processes that never outlive the rehearsal: each in a session of its own, all ended at the end."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from worker.errors import WaybillError

# Seconds a process gets to end politely: longer than the daemon's own time to finish what it is doing.
_STOP_SECONDS = 25.0
# Lines of a log that are shown where its process failed.
_SHOWN_LINES = 15


class ProcessFailed(WaybillError):
    """A process of the rehearsal ended by itself or said no; the sentence ends with what it said last."""

    exit_status = 1


@dataclass(frozen=True, slots=True)
class Child:
    """A started process, and where it writes."""

    name: str
    running: subprocess.Popen[bytes]
    log: Path

    @property
    def status(self) -> int | None:
        """Its exit status, or None while it runs."""
        return self.running.poll()

    def last_words(self) -> str:
        """The end of its log."""
        return _end_of(self.log)


class Processes:
    """Starts processes with one environment in one working directory; a context manager that leaves none behind."""

    def __init__(self, *, directory: Path, logs: Path) -> None:
        self._directory = directory
        self._logs = logs
        self._children: list[Child] = []

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, stdout: int | None = None
    ) -> Child:
        """Start a process; what it prints goes to its log, standard output too unless `stdout` says otherwise."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as sink:
            running = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                cwd=self._directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=sink if stdout is None else stdout,
                stderr=sink,
                start_new_session=True,
            )
        child = Child(name, running, log)
        self._children.append(child)
        return child

    def finish(self, name: str, command: Sequence[str], environment: Mapping[str, str], *, seconds: float) -> int:
        """Run a command to its end and return its status. Raises ProcessFailed when it takes longer."""
        child = self.start(name, command, environment)
        try:
            return child.running.wait(seconds)
        except subprocess.TimeoutExpired as error:
            sentence = f"{name} did not end within {seconds:.0f} s."
            raise ProcessFailed(sentence) from error
        finally:
            kill(child)

    def log_of(self, name: str) -> str:
        """The end of the log under that name."""
        return _end_of(self._logs / f"{name}.log")

    def __enter__(self) -> Self:
        """Nothing to do before the first start."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill whatever still runs."""
        for child in reversed(self._children):
            kill(child)


def stop(child: Child) -> int:
    """End a process politely, by force when it does not; returns its status."""
    if child.status is None:
        child.running.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.running.wait(_STOP_SECONDS)
    kill(child)
    return child.running.wait()


def kill(child: Child) -> None:
    """SIGKILL the process and everything it started: nothing can be finished or tidied up."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.running.pid, signal.SIGKILL)
    child.running.wait()
    if child.running.stdout is not None:
        child.running.stdout.close()


def _end_of(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-_SHOWN_LINES:])
