"""The first table: the first reading of an account at rest, and what an idle poll costs afterwards."""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.reading.contract import PAGE_SIZE, Order
from benchmarks.reading.lineup import BARE, Peer
from benchmarks.reading.processes import Account, PeerFailed, run_peer
from benchmarks.reading.telling import Row, say, shown

# Polls of the running waybill that its idle cost is the mean of.
IDLE_POLLS = 20
# What waybill reads by default, and everybody else is told to.
REACH = timedelta(days=30)
LOOK_BACK_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One peer's first reading: medians over the repeats. `ratio` is against the bare fetch of the same repeat."""

    peer: str
    stores: str
    rows: int
    requests: int
    minimum: int
    startup_seconds: float
    seconds: float
    ratio: float | None
    cpu_seconds: float
    peak_mb: float
    idle_cpu_ms: float | None
    trouble: str | None = None


def measure(peers: Sequence[Peer], rows: int, repeats: int) -> list[Reading]:
    """Every peer `repeats` times, in turns, so that what else the machine does meets them alike."""
    found: dict[str, list[dict[str, Any]]] = {peer.name: [] for peer in peers}
    with Account(rows, "by_id") as account:
        for repeat in range(repeats):
            bare: float | None = None
            for peer in peers:
                say(f"first reading of {rows:,} rows, {repeat + 1} of {repeats}: {peer.name}")
                report = _once(peer, account)
                bare = report.get("seconds", bare) if peer.name == BARE else bare
                report["ratio"] = bare / report["seconds"] if bare and "seconds" in report else None
                found[peer.name].append(report)
    return [_median(peer, found[peer.name], rows) for peer in peers]


def order_for(account: Account, directory: str, *, idle_polls: int = 0) -> Order:
    """What a peer is told to read."""
    since = (datetime.now(UTC) - REACH).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Order(
        url=account.url,
        key=account.key,
        directory=directory,
        since=since,
        look_back_seconds=LOOK_BACK_SECONDS,
        spawned=0.0,
        idle_polls=idle_polls,
    )


def _once(peer: Peer, account: Account) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="waybill-benchmark-") as directory:
        order = order_for(account, directory, idle_polls=IDLE_POLLS)
        account.requests()
        try:
            report = run_peer(peer, order)
            # Its idle polls are requests of another kind.
            idle = IDLE_POLLS if "idle_cpu_ms" in report else 0
            report["requests"] = account.requests() - idle
            if "idle_cpu_ms" not in report and peer.keeps:
                again = run_peer(peer, order)
                report["idle_cpu_ms"] = again["whole_cpu_seconds"] * 1000
        except PeerFailed as failure:
            account.requests()
            return {"trouble": str(failure)}
        return report


def _median(peer: Peer, reports: Sequence[dict[str, Any]], rows: int) -> Reading:
    troubles = [report["trouble"] for report in reports if "trouble" in report]
    good = [report for report in reports if "trouble" not in report]

    def middle(name: str) -> float | None:
        values = [report[name] for report in good if report.get(name) is not None]
        return statistics.median(values) if values else None

    return Reading(
        peer=peer.name,
        stores=peer.stores,
        rows=int(middle("rows") or 0),
        requests=int(middle("requests") or 0),
        minimum=math.ceil(rows / PAGE_SIZE),
        startup_seconds=middle("startup_seconds") or math.nan,
        seconds=middle("seconds") or math.nan,
        ratio=middle("ratio"),
        cpu_seconds=middle("cpu_seconds") or math.nan,
        peak_mb=middle("peak_mb") or math.nan,
        idle_cpu_ms=middle("idle_cpu_ms"),
        trouble=troubles[0] if troubles else None,
    )


def as_rows(readings: Sequence[Reading]) -> list[Row]:
    """The table as people read it."""
    head = (
        "who",
        "stores",
        "requests / minimum",
        "rows a second",
        "share of the bare fetch",
        "CPU s",
        "peak MB",
        "start-up s",
        "an idle poll, CPU ms",
    )
    return [head, *(_as_row(reading) for reading in readings)]


def _as_row(reading: Reading) -> Row:
    if reading.trouble is not None:
        return (reading.peer, reading.stores, reading.trouble, *[""] * 6)
    return (
        reading.peer,
        reading.stores,
        f"{reading.requests} / {reading.minimum}",
        f"{reading.rows / reading.seconds:,.0f}",
        shown(reading.ratio, 2),
        shown(reading.cpu_seconds, 2),
        shown(reading.peak_mb, 0),
        shown(reading.startup_seconds, 1),
        shown(reading.idle_cpu_ms, 1),
    )


def as_documents(readings: Sequence[Reading]) -> list[dict[str, object]]:
    """The table as programs read it."""
    return [{"table": "first reading", **asdict(reading)} for reading in readings]
