"""A migrated database, on SQLite and on PostgreSQL in turn."""

from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest

from tests.clocks import ManualClock
from tests.firing_kit import Bench, Twin
from tests.writing_kit import Desk, desk
from worker.clock import SystemClock
from worker.db import Database
from worker.db.upgrade import upgrade


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database at the newest revision."""
    database = Database(database_url, SystemClock())
    upgrade(database)
    yield database
    database.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file at the newest revision, to be copied: migrating takes longer than many a test."""
    file = tmp_path_factory.mktemp("migrated") / "waybill.db"
    database = Database(f"sqlite:///{file}", SystemClock())
    upgrade(database)
    database.close()
    return file


@pytest.fixture
def sqlite_database(migrated_file: Path, tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database at the newest revision, for tests in which the database makes no difference."""
    database = Database(f"sqlite:///{copy(migrated_file, tmp_path / 'waybill.db')}", SystemClock())
    yield database
    database.close()


@pytest.fixture
def database_like_it(migrated_file: Path, tmp_path: Path) -> Iterator[Database]:
    """Another one, for what is compared."""
    database = Database(f"sqlite:///{copy(migrated_file, tmp_path / 'another.db')}", SystemClock())
    yield database
    database.close()


@pytest.fixture
def clock() -> ManualClock:
    """One clock for us and for the twin."""
    return ManualClock()


@pytest.fixture
def twin(clock: ManualClock) -> Iterator[Twin]:
    """The registry."""
    twin = Twin(clock)
    yield twin
    twin.server.stop()


@pytest.fixture
def bench(sqlite_url: str, clock: ManualClock, twin: Twin) -> Iterator[Bench]:
    """Firing in automatic mode on an empty SQLite database."""
    database = Database(sqlite_url, clock)
    upgrade(database)
    bench = Bench(database, clock, twin)
    yield bench
    bench.close()
    database.close()


@pytest.fixture
def empty(tmp_path: Path, clock: ManualClock, twin: Twin) -> Iterator[Bench]:
    """The same installation after its database was lost: an empty one, the same key and registry."""
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}", clock)
    upgrade(database)
    bench = Bench(database, clock, twin, owner="after-the-loss")
    yield bench
    bench.close()
    database.close()


@pytest.fixture
def each_desk(database_url: str) -> Iterator[Desk]:
    """A desk for writing at the warehouse, on each database in turn."""
    with desk(database_url) as made:
        yield made


@pytest.fixture
def quick_desk(sqlite_url: str) -> Iterator[Desk]:
    """A desk for writing at the warehouse on SQLite, where the database makes no difference."""
    with desk(sqlite_url) as made:
        yield made
