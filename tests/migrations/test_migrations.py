"""One schema and one history on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from worker.clock import SystemClock
from worker.db import Database
from worker.db.tables import metadata
from worker.db.upgrade import _config, require_current, upgrade
from worker.errors import DatabaseUnavailable, NotReady


@pytest.fixture
def blank(database_url: str) -> Iterator[Database]:
    """A database without any table."""
    database = Database(database_url, SystemClock())
    yield database
    database.close()


def test_the_tables_in_the_code_are_those_of_the_migrations(blank: Database) -> None:
    """The sum of the migrations is the schema that the statements are written against."""
    upgrade(blank)
    with blank.read() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert differences == []


def test_upgrading_twice_changes_nothing(blank: Database) -> None:
    """A second start finds everything in place."""
    assert upgrade(blank) == upgrade(blank)


def test_a_database_behind_the_code_is_refused_with_the_remedy(blank: Database) -> None:
    """Where migrations at start are off, an old schema is said to be one."""
    with pytest.raises(NotReady, match="waybill db upgrade"):
        require_current(blank)


def test_migrations_can_be_taken_back_and_applied_again(blank: Database) -> None:
    """Down to nothing and up again leaves the same schema."""
    upgrade(blank)
    with blank.write() as connection:
        command.downgrade(_config(connection), "base")
    with blank.read() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}

    upgrade(blank)
    require_current(blank)


def test_a_database_of_a_newer_version_is_refused_with_the_remedy(blank: Database) -> None:
    """An older version never touches a schema that it does not know."""
    upgrade(blank)
    with blank.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(NotReady, match="install the newer waybill"):
        upgrade(blank)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    """A damaged SQLite file is named, and nothing is written over it."""
    path = tmp_path / "waybill.db"
    path.write_bytes(b"not a database at all" * 100)
    database = Database(f"sqlite:///{path}", SystemClock())

    with pytest.raises(DatabaseUnavailable, match="not a database"):
        upgrade(database)
    database.close()
    assert path.read_bytes().startswith(b"not a database")
