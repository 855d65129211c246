"""What a peer is told and what it reports: one JSON object each, so that every peer can be its own process.

A peer is run as `python -m benchmarks.reading.peers.NAME ORDER`; it writes its report to a file, since some of them
use standard output for their records.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

REPORT = "report.json"
PAGE_SIZE = 250
# Bytes that `ru_maxrss` counts in, on Linux.
_MAXRSS_UNIT = 1024


@dataclass(frozen=True)
class Order:
    """What to read and where to put it. `since` is an ISO 8601 instant; `spawned` a reading of the monotonic clock."""

    url: str
    key: str
    directory: str
    since: str
    look_back_seconds: int
    spawned: float
    webhook: bool = False
    idle_polls: int = 0

    @property
    def database(self) -> Path:
        """The SQLite file that a peer fills, unless it has its own idea."""
        return Path(self.directory) / "rows.sqlite"


class Run:
    """One run of a peer: begin it, say when start-up is over, end it."""

    def __init__(self) -> None:
        self.order = Order(**json.loads(sys.argv[1]))
        self._report: dict[str, Any] = {}
        self._began = self._cpu = 0.0

    def started(self) -> None:
        """Everything is loaded; the reading begins."""
        self._began, self._cpu = time.monotonic(), cpu_seconds()
        self._report["startup_seconds"] = self._began - self.order.spawned

    def ended(self, rows: int) -> None:
        """The reading is over and everything is stored."""
        self._report |= {
            "seconds": time.monotonic() - self._began,
            "cpu_seconds": cpu_seconds() - self._cpu,
            "rows": rows,
        }

    def tell(self, **more: object) -> None:
        """Write the report, with what this peer has to say besides."""
        document = {**self._report, "whole_cpu_seconds": cpu_seconds(), "peak_mb": peak_mb(), **more}
        (Path(self.order.directory) / REPORT).write_text(json.dumps(document), encoding="utf-8")


def cpu_seconds() -> float:
    """Processor time of this process and its children."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def peak_mb() -> float:
    """The most memory that this process or a child of it ever held, in MB."""
    mine, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return max(mine.ru_maxrss, theirs.ru_maxrss) * _MAXRSS_UNIT / 1_000_000


def family_peak_mb() -> float:
    """The most memory that this process and each of its living children ever held, in sum, in MB (Linux only).

    What the system tells of a child that has ended includes its parent's memory at its birth.
    """
    children = (pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split())
    return sum(_peak_mb(Path("/proc") / pid) for pid in ("self", *children))


def _peak_mb(process: Path) -> float:
    told = dict(line.split(":", 1) for line in (process / "status").read_text(encoding="utf-8").splitlines())
    return int(told["VmHWM"].split()[0]) * _MAXRSS_UNIT / 1_000_000


def as_argument(order: Order) -> str:
    """The order as a peer's command line takes it."""
    return json.dumps(asdict(order))
