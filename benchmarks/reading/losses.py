"""The second table: rows missed or stale for good, when rows change while they are read.

Three rows change at every request of the first reading; then the account is at rest, and everybody comes back twice.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.reading.first_reading import order_for
from benchmarks.reading.lineup import Peer
from benchmarks.reading.processes import Account, PeerFailed, run_peer
from benchmarks.reading.telling import Row, say

ROWS = 20_000
MOVING = 3
COMES_BACK = 2
ORDERS = ("updated_asc", "updated_desc", "by_id")


@dataclass(frozen=True, kw_only=True)
class Losses:
    """What a peer lacks in the end, and the requests of its first reading."""

    peer: str
    order: str
    requests: int
    missed: int
    stale: int
    trouble: str | None = None


def measure(peers: Sequence[Peer], rows: int) -> list[Losses]:
    """Every peer that keeps rows, with every order of the pages, each with an account of its own."""
    return [_lost(peer, order, rows) for order in ORDERS for peer in peers if peer.keeps]


def _lost(peer: Peer, order: str, rows: int) -> Losses:
    say(f"{rows:,} moving rows, {order}: {peer.name}")
    with tempfile.TemporaryDirectory(prefix="waybill-benchmark-") as directory, Account(rows, order) as account:
        told = order_for(account, directory)
        account.let_move(MOVING)
        try:
            run_peer(peer, told)
            account.let_move(0)
            requests = account.requests()
            for _ in range(COMES_BACK):
                report = run_peer(peer, told)
        except PeerFailed as failure:
            return Losses(peer=peer.name, order=order, requests=0, missed=0, stale=0, trouble=str(failure))
        truth = account.truth(Path(directory) / "truth.json")
        missed, stale = compared(truth, Path(report["database"]), report["query"])
    return Losses(peer=peer.name, order=order, requests=requests, missed=missed, stale=stale)


def compared(truth: Mapping[int, str], database: Path, query: str) -> tuple[int, int]:
    """How many rows of the account are not held, and how many with another stamp."""
    with closing(sqlite3.connect(database)) as connection:
        held = {int(key): stamp for key, stamp in connection.execute(query)}
    stale = [key for key in truth.keys() & held.keys() if truth[key] != held[key]]
    return len(truth.keys() - held.keys()), len(stale)


def as_rows(losses: Sequence[Losses]) -> list[Row]:
    """The table as people read it: missed + stale by the order of the pages."""
    names = list(dict.fromkeys(loss.peer for loss in losses))
    cells = {(loss.peer, loss.order): _cell(loss) for loss in losses}
    head = ("missed + stale for good (requests)", *(order.replace("_", " ") for order in ORDERS))
    return [head, *((name, *(cells.get((name, order), "") for order in ORDERS)) for name in names)]


def _cell(loss: Losses) -> str:
    return f"{loss.missed} + {loss.stale} ({loss.requests})" if loss.trouble is None else loss.trouble


def as_documents(losses: Sequence[Losses]) -> list[dict[str, object]]:
    """The table as programs read it."""
    return [{"table": "losses", **asdict(loss)} for loss in losses]
