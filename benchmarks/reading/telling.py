"""How the measurements are told: progress on standard error, tables in Markdown, or a JSON object a line."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
from collections.abc import Sequence

Row = tuple[str, ...]


def say(sentence: str) -> None:
    """What is being measured now."""
    print(sentence, file=sys.stderr, flush=True)


def shown(value: float | None, digits: int) -> str:
    """A number, or nothing."""
    return "" if value is None else f"{value:,.{digits}f}"


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table; the first is the head."""
    head, *body = rows
    lines = [head, ("---",) * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def conditions() -> str:
    """On what it was measured, and how busy that was."""
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.system()} on "
        f"{os.cpu_count()} cores; load over 1, 5 and 15 minutes at the end: {busy}."
    )
