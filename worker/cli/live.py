"""How work gets on, on a terminal: a compact view that is drawn anew in place."""

import sys
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from worker.cli.in_words import in_words, reading
from worker.clock import Clock
from worker.runtime.progress import LogProgress, Progress, Rate
from worker.runtime.status import Status

# Twice a second: quick enough to watch, slow enough not to matter.
LIVE_SECONDS = 0.5


class LiveProgress:
    """A table that is drawn anew in place."""

    seconds = LIVE_SECONDS

    def __init__(self, clock: Clock, console: Console) -> None:
        self._rate = Rate(clock)
        self._live = Live(console=console, auto_refresh=False, transient=False)

    def show(self, status: Status) -> None:
        """Draw the status."""
        self._live.update(_table(status, self._rate.of(status.events)), refresh=True)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()


def progress_for(clock: Clock, is_terminal: Callable[[], bool] = sys.stderr.isatty) -> Progress:
    """What suits standard error: the live view on a terminal, log lines elsewhere."""
    return LiveProgress(clock, Console(stderr=True)) if is_terminal() else LogProgress(clock)


def _table(status: Status, changes: float) -> Table:
    table = Table.grid(padding=(0, 2))
    for account in status.accounts:
        table.add_row(account.account, reading(account))
    table.add_row("changes", f"{changes:.1f} a second · {status.events} in all")
    for name, counts in (("tasks", status.tasks), ("orders", status.orders), ("firings", status.firings)):
        table.add_row(name, in_words(counts))
    for name, reason in status.off.items():
        table.add_row(f"off: {name}", reason)
    return table
