"""Migrations, run under a lock: at start, or by `waybill db upgrade`."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from worker.db.database import Database
from worker.errors import NotReady

_MIGRATIONS = Path(__file__).parent.parent / "migrations"
# Any constant will do: every waybill on this PostgreSQL database takes the same advisory lock.
_ADVISORY_LOCK = 0x77617962


def upgrade(database: Database) -> str:
    """Bring the schema to the newest revision; returns it. Two processes at once do it one after the other."""
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(sa.text("SET LOCAL lock_timeout = '30s'"))
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
        _refuse_newer(connection)
        command.upgrade(_config(connection), "head")
        return str(MigrationContext.configure(connection).get_current_revision())


def _refuse_newer(connection: sa.Connection) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config(None)).walk_revisions()}
    if found is not None and found not in known:
        sentence = f"The database is at revision {found}, which this version does not know: install the newer waybill."
        raise NotReady(sentence)


def require_current(database: Database) -> None:
    """Refuse to work on a schema that this version does not know. Raises NotReady with the remedy."""
    found = revision_of(database)
    newest = ScriptDirectory.from_config(_config(None)).get_current_head()
    if found != newest:
        sentence = (
            f"The database is at revision {found or 'none'} and this version needs {newest}: run `waybill db upgrade`."
        )
        raise NotReady(sentence)


def revision_of(database: Database) -> str | None:
    """The revision of its schema; None before the first."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _config(connection: sa.Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config
