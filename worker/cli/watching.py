"""What a person sees while a job is waited for: a bar for each account on a terminal, else a line now and then."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from worker.cli.in_words import duration
from worker.cli.output import say, to_json
from worker.clock import Clock

# A line every ten seconds says that it gets on without filling a log.
LINE_SECONDS = 10.0

# The field that says for how many seconds an account's answer has been waited for.
WAITING = "waiting_seconds"

Show = Callable[[Mapping[str, Any]], None]


@contextmanager
def watching(clock: Clock, identity: str, *, as_json: bool) -> Iterator[Show]:
    """What suits: JSON on standard output, or bars (a terminal) or lines (anything else) on standard error."""
    if as_json:
        yield _now_and_then(clock, lambda name, told: say(to_json({"task": identity, "account": name, **told})))
    elif sys.stderr.isatty():
        with _bars() as bars:
            yield _Bars(bars).show
    else:
        yield _now_and_then(clock, lambda name, told: say_aside(f"{name}: {in_words(told)}"))


def in_words(told: Mapping[str, Any]) -> str:
    """Such as `42 % · 10400 rows · 45 requests · about 1 min 5 s left`."""
    waiting = [f"waits for an answer since {duration(told[WAITING])}"] if WAITING in told else []
    if "share" not in told:
        return " · ".join(waiting)
    left = told.get("left_seconds")
    parts = (
        f"{told['share']:.0%}".replace("%", " %"),
        f"{told['rows']} rows",
        f"{told['requests']} requests",
        "time left not known yet" if left is None else f"about {duration(left)} left",
        *waiting,
    )
    return " · ".join(parts)


def _now_and_then(clock: Clock, tell: Callable[[str, Mapping[str, Any]], None]) -> Show:
    told_at: dict[str, float] = {}

    def show(headway: Mapping[str, Any]) -> None:
        for name, told in headway.items():
            if clock.monotonic() - told_at.get(name, -LINE_SECONDS) >= LINE_SECONDS:
                told_at[name] = clock.monotonic()
                tell(name, told)

    return show


def say_aside(text: str) -> None:
    """One line for a person beside what was asked for, on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        console=Console(stderr=True),
    )


class _Bars:
    """A bar for each account that was told of."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._ids: dict[str, TaskID] = {}

    def show(self, headway: Mapping[str, Any]) -> None:
        """Draw."""
        for name, told in headway.items():
            if name not in self._ids:
                self._ids[name] = self._bars.add_task(name, total=1.0, told="")
            self._bars.update(self._ids[name], completed=told.get("share", 0.0), told=in_words(told))
