"""The daemon under rehearsal: one process on an embedded database, several where there is Redis."""

import sys
from collections.abc import Sequence

from worker.rehearsal.options import Options
from worker.rehearsal.processes import Child, Processes, ProcessFailed, kill, stop
from worker.rehearsal.scene import Scene

# Seconds for a one-shot command: it imports, migrates, and reads files or the registry.
_COMMAND_SECONDS = 300.0
# What ended polite requests end with: by itself, or by the signal before it was able to listen.
_POLITE = (0, -15)


class Fleet:
    """The daemon's processes, and waybill's commands run by hand beside them."""

    def __init__(self, *, processes: Processes, scene: Scene, options: Options) -> None:
        self._processes = processes
        self._scene = scene
        self._parts = parts(options)
        self._running: dict[str, Child] = {}

    def start(self) -> None:
        """Start every part that does not run."""
        for name, words in self._parts.items():
            if name not in self._running:
                self._running[name] = self._processes.start(name, _waybill(words), self._scene.environment)

    def kill_one(self, pick: float) -> str:
        """SIGKILL the part that `pick` (0 to 1) falls on, and start it again; returns its name."""
        names = list(self._running)
        name = names[min(int(pick * len(names)), len(names) - 1)]
        kill(self._running.pop(name))
        self.start()
        return name

    def stop(self) -> list[str]:
        """End every part politely; the names of those that did not end as they should."""
        ended = {name: stop(child) for name, child in reversed(list(self._running.items()))}
        self._running.clear()
        return [f"{name} ended with status {status}" for name, status in ended.items() if status not in _POLITE]

    def check(self) -> None:
        """Raises ProcessFailed where a part has ended by itself."""
        for name, child in self._running.items():
            if child.status is not None:
                sentence = f"waybill {name} ended by itself with status {child.status}.\n{child.last_words()}"
                raise ProcessFailed(sentence)

    def command(self, name: str, *words: str, allowed: Sequence[int] = (0,)) -> int:
        """Run `waybill` with `words` to its end; returns its status. Raises ProcessFailed unless that is allowed."""
        status = self._processes.finish(name, _waybill(words), self._scene.environment, seconds=_COMMAND_SECONDS)
        if status not in allowed:
            log = self._processes.log_of(name)
            sentence = f"waybill {' '.join(words)} ended with status {status}.\n{log}"
            raise ProcessFailed(sentence)
        return status

    def import_links(self) -> None:
        """What the operator does first, and again after the database was lost."""
        self.command("import", "orders", "import", str(self._scene.links))


def parts(options: Options) -> dict[str, tuple[str, ...]]:
    """The commands that make up the daemon, by the name of the part."""
    if options.redis_url is None:
        return {"run": ("run",)}
    working = {f"work-{number}": ("work",) for number in range(1, options.workers + 1)}
    return {"scheduler": ("scheduler",), **working, "web": ("web",)}


def _waybill(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "worker", *words]
