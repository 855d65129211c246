"""The engine and the transaction scope: one schema on SQLite (embedded) and PostgreSQL (several processes)."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError

from worker.clock import Clock
from worker.columns import json_text
from worker.db.clock import DatabaseClock
from worker.db.types import Instant
from worker.errors import DatabaseOutOfReach, DatabaseUnavailable

# How long a writer waits for another process (a command beside the daemon), in seconds.
BUSY_SECONDS = 30
# Bytes of a page of a new SQLite file: a delivery with its record is larger than a quarter of 4096, and would waste
# as much again. An existing file keeps its own.
_PAGE_BYTES = 8192
# KiB that a connection may keep of the file: the inner pages of every index of a million deliveries.
_CACHE_KIB = 16 * 1024
# Pages of the log (WAL) before they are written back: what is written a hundred times is written back once. It is a
# file of 64 MB then.
_LOG_PAGES = 8000
_PRAGMAS = (
    f"page_size={_PAGE_BYTES}",
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={BUSY_SECONDS * 1000}",
    f"cache_size=-{_CACHE_KIB}",
    f"wal_autocheckpoint={_LOG_PAGES}",
)
# What SQLite says of its file (sqlite.org/rescode.html), and what a person can do about it.
_WRITABLE = "Let WAYBILL_STATE_DIR (or WAYBILL_DATABASE_URL) name a folder that this user may write to."
_ROOM = "Make room on its disk, or let WAYBILL_STATE_DIR (or WAYBILL_DATABASE_URL) name a folder on another one."
_REMEDIES: tuple[tuple[str, tuple[type[DatabaseUnavailable], str]], ...] = (
    ("unable to open database file", (DatabaseOutOfReach, _WRITABLE)),
    ("readonly database", (DatabaseOutOfReach, _WRITABLE)),
    ("disk is full", (DatabaseUnavailable, _ROOM)),
    ("disk I/O error", (DatabaseUnavailable, "Check that its disk has room and is healthy.")),
)
# Threads of one process: actors, relay, scheduler, web, each with room for one nested read.
POOL_SIZE = 40


# What the driver takes as it is, and looks for a way to adapt all the same: ten times the cost of taking it.
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(type(None), lambda nothing: nothing)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # BEGIN is ours (see `_begin`): the driver's own would start writers as readers and let them fail in the middle.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    reading = connection.get_execution_options().get("waybill_reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


class Database:
    """Where the truth is kept. `write()` and `read()` are the only ways in."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = sa.engine.make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._clock = clock
        options: dict[str, Any] = {
            "json_serializer": json_text,
            "json_deserializer": orjson.loads,
            "pool_size": POOL_SIZE,
        }
        if not self.is_sqlite or self.url.database:
            # Last given back, first taken: its cache knows the file as it is, where others would read it anew.
            # SQLite in memory has a pool of another kind.
            options["pool_use_lifo"] = True
        if not self.is_sqlite:
            options["pool_pre_ping"] = True
        self.engine = sa.create_engine(self.url, **options)
        # One writer at a time is SQLite's nature; waiting on a lock is fair and quick where its own polling is neither.
        self._writer = threading.Lock() if self.is_sqlite else nullcontext()
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            sa.event.listen(self.engine, "begin", _begin)

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """A durable transaction: committed when the block ends, rolled back when it raises.

        Raises DatabaseUnavailable when the database cannot be reached or written.
        """
        with self._writer, _translated(self.url), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent view that changes nothing."""
        with _translated(self.url), self.engine.connect() as plain:
            connection = plain.execution_options(waybill_reading=True)
            with connection.begin():
                yield connection

    def now(self, connection: sa.Connection) -> datetime:
        """The database's own time, by which leases and budgets go: several machines have several clocks.

        On SQLite there is one machine, and its clock is the database's.
        """
        if self.is_sqlite:
            return self._clock.now()
        micros = sa.cast(sa.func.extract("epoch", sa.func.clock_timestamp()) * 1_000_000, sa.BigInteger)
        return connection.execute(sa.select(sa.type_coerce(micros, Instant))).scalar_one()

    def clock(self) -> Clock:
        """A clock that goes by `now`."""
        return self._clock if self.is_sqlite else DatabaseClock(self._clock, self._ask)

    def _ask(self) -> datetime:
        with self.read() as connection:
            return self.now(connection)

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()


@contextmanager
def _translated(url: sa.URL) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise _unavailable(url, str(error.orig)) from error
    except DatabaseError as error:
        # SQLite tells of a damaged file with the plain class; its children are mistakes of ours.
        if type(error) is not DatabaseError:
            raise
        raise _unavailable(url, str(error.orig)) from error


def _unavailable(url: sa.URL, why: str) -> DatabaseUnavailable:
    kind, remedy = next((told for words, told in _REMEDIES if words in why), (DatabaseUnavailable, ""))
    return kind(url.render_as_string(hide_password=True), why, remedy)


def for_update(statement: sa.Select[Any]) -> sa.Select[Any]:
    """Lock the selected rows until the transaction ends (SQLite, whose writers are alone, ignores it)."""
    return statement.with_for_update()
