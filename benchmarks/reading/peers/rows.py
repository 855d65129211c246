"""The rows of a peer in SQLite: one table, one transaction a page, as somebody would write it in an afternoon."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

TABLE = "CREATE TABLE IF NOT EXISTS deliveries (id INTEGER PRIMARY KEY, updated_at TEXT NOT NULL, raw TEXT NOT NULL)"
UPSERT = (
    "INSERT INTO deliveries VALUES (?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET updated_at = excluded.updated_at, raw = excluded.raw"
)
QUERY = "SELECT id, updated_at FROM deliveries"


class Rows:
    """The table; durable like waybill's own (WAL, synchronous FULL)."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", TABLE):
            self._connection.execute(statement)

    def keep(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Store a page, durably."""
        values = [(record["id"], record["updatedAt"], orjson.dumps(record).decode()) for record in records]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(UPSERT, values)
        self._connection.execute("COMMIT")

    def count(self) -> int:
        """How many there are."""
        return int(self._connection.execute("SELECT count(*) FROM deliveries").fetchone()[0])

    def newest(self) -> str | None:
        """The newest stamp."""
        found: str | None = self._connection.execute("SELECT max(updated_at) FROM deliveries").fetchone()[0]
        return found


def looking_back(stamp: str, seconds: int) -> str:
    """A stamp that many seconds earlier."""
    moment = datetime.fromisoformat(stamp) - timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
