"""How work gets on: a compact live view on a terminal, a JSON log line now and then elsewhere."""

import sys
from collections.abc import Callable, Mapping
from typing import Protocol, Self

import structlog
from rich.console import Console
from rich.live import Live
from rich.table import Table

from worker.clock import Clock
from worker.status import Status

_log = structlog.get_logger(__name__)

# Twice a second: quick enough to watch, slow enough not to matter.
LIVE_SECONDS = 0.5
# A line of the log every ten seconds says that it gets on without filling a disk.
LOG_SECONDS = 10.0


class Rate:
    """Changes a second, between two looks."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at = clock.monotonic()
        self._events: int | None = None

    def of(self, events: int) -> float:
        """Events a second since the last look; 0 at the first one."""
        now, before = self._clock.monotonic(), self._events
        seconds, self._at, self._events = now - self._at, now, events
        return 0.0 if before is None or seconds <= 0 else (events - before) / seconds


class Progress(Protocol):
    """Shows a status from time to time."""

    seconds: float

    def show(self, status: Status) -> None:
        """Show this status."""
        ...

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *_: object) -> None:
        """End."""
        ...


class LogProgress:
    """One line of the log for each look."""

    seconds = LOG_SECONDS

    def __init__(self, clock: Clock) -> None:
        self._rate = Rate(clock)

    def show(self, status: Status) -> None:
        """Log the status, unless all is quiet."""
        changes = self._rate.of(status.events)
        if status.idle and not changes:
            return
        lags = {account.account: account.lag_seconds for account in status.accounts}
        _log.info(
            "progress",
            changes_per_second=round(changes, 1),
            lag_seconds=lags,
            tasks=_some(status.tasks),
            orders=_some(status.orders),
            firings=_some(status.firings),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None


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
        lag = "not read yet" if account.lag_seconds is None else f"{account.lag_seconds:.0f} s behind"
        trouble = account.stopped if account.stopped is not None else _holes(account.holes)
        table.add_row(account.account, f"{lag}{trouble and f' · {trouble}'}")
    table.add_row("changes", f"{changes:.1f} a second · {status.events} in all")
    for name, counts in (("tasks", status.tasks), ("orders", status.orders), ("firings", status.firings)):
        table.add_row(name, _in_words(counts))
    for name, reason in status.off.items():
        table.add_row(f"off: {name}", reason)
    return table


def _holes(count: int) -> str:
    return f"{count} holes" if count else ""


def _in_words(counts: Mapping[str, int]) -> str:
    return " · ".join(f"{count} {state}" for state, count in _some(counts).items()) or "none"


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {state: count for state, count in counts.items() if count}
