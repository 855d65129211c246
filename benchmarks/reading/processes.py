"""The processes of a measurement: the account that is read, and one peer at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.reading.contract import REPORT, Order, as_argument
from benchmarks.reading.lineup import Peer

ROOT = Path(__file__).resolve().parents[2]
# Characters of what a failing peer said last.
_LAST_WORDS = 600


class PeerFailed(Exception):
    """A peer ended without a report; its last words are kept."""

    def __init__(self, name: str, status: int, last_words: str) -> None:
        super().__init__(f"{name} ended with status {status}: {last_words}")


class Account:
    """The account as its own process; a context manager."""

    def __init__(self, rows: int, order: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.reading.account", "--rows", str(rows), "--order", order],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        told = self._answer()
        self.url, self.key = str(told["url"]), str(told["key"])

    def let_move(self, rows: int) -> None:
        """So many rows change at every request from now on."""
        self._ask({"moving": rows})

    def requests(self) -> int:
        """How often it was asked since the last time this was called."""
        return int(self._ask({"requests": True})["asked"])

    def truth(self, file: Path) -> dict[int, str]:
        """The stamp of every row as it is now."""
        self._ask({"truth": str(file)})
        return dict(json.loads(file.read_text(encoding="utf-8")))

    def _ask(self, command: dict[str, object]) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()


def run_peer(peer: Peer, order: Order) -> dict[str, Any]:
    """Run one peer once; its report. Raises PeerFailed with its last words."""
    report = Path(order.directory) / REPORT
    report.unlink(missing_ok=True)
    order = replace(order, spawned=time.monotonic(), webhook=peer.webhook)
    command = [str(peer.python), "-m", f"benchmarks.reading.peers.{peer.module}", as_argument(order)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **peer.environment}
    done = subprocess.run(command, cwd=order.directory, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not report.exists():
        raise PeerFailed(peer.name, done.returncode, done.stderr.strip()[-_LAST_WORDS:])
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found
