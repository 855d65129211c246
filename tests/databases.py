"""Databases at the newest revision: migrating takes longer than many a test, so what was migrated once is copied."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from worker.clock import Clock, SystemClock
from worker.db import Database
from worker.db.upgrade import upgrade


@contextmanager
def migrated(url: str, clock: Clock | None = None) -> Iterator[Database]:
    """The one at `url`, by the machine's own time unless another clock is given; closed at the end."""
    database = Database(url, SystemClock() if clock is None else clock)
    try:
        to_newest(database)
        yield database
    finally:
        database.close()


def to_newest(database: Database) -> None:
    """Bring it to the newest revision; an SQLite file that does not exist yet begins as a copy."""
    file = database.url.database
    if database.is_sqlite and file and not Path(file).exists():
        Path(file).write_bytes(newest_file())
    else:
        upgrade(database)


@cache
def newest_file() -> bytes:
    """What an empty SQLite file at the newest revision holds."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "waybill.db"
        database = Database(f"sqlite:///{file}", SystemClock())
        upgrade(database)
        # Closing the last connection brings everything into the one file.
        database.close()
        return file.read_bytes()


def file_to_copy(folder: Path) -> Path:
    """An SQLite file in `folder`, to be copied."""
    file = folder / "waybill.db"
    file.write_bytes(newest_file())
    return file
