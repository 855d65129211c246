"""A migrated database, on SQLite and on PostgreSQL in turn."""

from collections.abc import Iterator

import pytest

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
