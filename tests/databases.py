"""Databases at the newest revision."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.clock import Clock, SystemClock
from worker.db import Database
from worker.db.upgrade import upgrade


@contextmanager
def migrated(url: str, clock: Clock | None = None) -> Iterator[Database]:
    """The one at `url`, by the machine's own time unless another clock is given; closed at the end."""
    database = Database(url, SystemClock() if clock is None else clock)
    try:
        upgrade(database)
        yield database
    finally:
        database.close()


def file_to_copy(folder: Path) -> Path:
    """An SQLite file in `folder`, to be copied: migrating takes longer than many a test."""
    file = folder / "waybill.db"
    with migrated(f"sqlite:///{file}"):
        return file
