"""A migrated database, on SQLite and on PostgreSQL in turn."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import copy

import pytest

from connectors.simulated.switches import PostFault
from tests.clocks import ManualClock
from tests.databases import file_to_copy, migrated
from tests.firing_kit import Bench, Twin
from tests.writing_kit import Desk, desk
from worker.clock import SystemClock
from worker.db import Database
from worker.states import FiringState


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    """An empty database at the newest revision."""
    database = Database(migrated_url, SystemClock())
    yield database
    database.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file at the newest revision, to be copied."""
    return file_to_copy(tmp_path_factory.mktemp("migrated"))


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
    with migrated(sqlite_url, clock) as database, closing(Bench(database, clock, twin)) as bench:
        yield bench


@pytest.fixture
def doubtful(bench: Bench) -> Bench:
    """The same with a firing that took no effect and waits for a person."""
    bench.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})
    bench.complete(kg=300)
    assert bench.settle().state is FiringState.NEEDS_PERSON
    return bench


@pytest.fixture
def empty(tmp_path: Path, clock: ManualClock, twin: Twin) -> Iterator[Bench]:
    """The same installation after its database was lost: an empty one, the same key and registry."""
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    with migrated(url, clock) as database, closing(Bench(database, clock, twin, owner="after-the-loss")) as bench:
        yield bench


@pytest.fixture
def each_desk(migrated_url: str) -> Iterator[Desk]:
    """A desk for writing at the warehouse, on each database in turn."""
    with desk(migrated_url) as made:
        yield made


@pytest.fixture
def quick_desk(sqlite_url: str) -> Iterator[Desk]:
    """A desk for writing at the warehouse on SQLite, where the database makes no difference."""
    with desk(sqlite_url) as made:
        yield made
