"""The database under rehearsal, from outside: that it is empty at first, and how it is lost."""

from pathlib import Path

import sqlalchemy as sa

from worker.clock import Clock
from worker.db import Database
from worker.errors import UsageError
from worker.rehearsal.options import Options
from worker.runtime.broker import BrokerUnavailable, redis_is_empty


def require_empty(options: Options, clock: Clock) -> None:
    """Refuse a named database or Redis that holds anything.

    Raises UsageError, and DatabaseUnavailable where the database does not answer.
    """
    if options.database_url is not None:
        database = Database(options.database_url, clock)
        try:
            found = _tables(database)
        finally:
            database.close()
        if found:
            sentence = f"--database-url: the database is not empty (it has a table {found[0]}); name an empty one."
            raise UsageError(sentence)
    if options.redis_url is not None:
        _require_empty_redis(options.redis_url)


def _require_empty_redis(url: str) -> None:
    try:
        empty = redis_is_empty(url)
    except BrokerUnavailable as error:
        sentence = f"--redis-url: Redis does not answer ({error}); check the address."
        raise UsageError(sentence) from error
    if not empty:
        sentence = "--redis-url: the Redis database is not empty; name an empty one, such as another number."
        raise UsageError(sentence)


def lose(database: Database) -> None:
    """Delete everything in it. Nobody else may use it meanwhile; it can be opened anew afterwards."""
    if database.is_sqlite:
        database.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{database.url.database}{suffix}").unlink(missing_ok=True)
        return
    found = _tables(database)
    with database.write() as connection:
        quote = connection.dialect.identifier_preparer.quote
        for table in found:
            connection.execute(sa.text(f"DROP TABLE {quote(table)} CASCADE"))
        for signature in connection.execute(sa.text(_FUNCTIONS)).scalars().all():
            connection.execute(sa.text(f"DROP FUNCTION {signature} CASCADE"))


# Triggers are gone with their tables, the functions they called are not.
_FUNCTIONS = (
    "SELECT p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
    "WHERE n.nspname = current_schema() AND p.proname LIKE 'waybill%'"
)


def _tables(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(sa.inspect(connection).get_table_names())
