"""Many rows at once, for what is written and looked up a page at a time: statements are made once a dialect.

SQLAlchemy's own executemany turns every value of every row through a processor; at ten thousand rows a second that
costs several times what the database does. Here rows are tuples in the drivers' own form (`worker.columns`), and
SQLite takes many of them in one statement: it costs half, and other threads go on meanwhile.
"""

import itertools
import sqlite3
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

from worker.columns import Value

# Rows of one statement on SQLite, the largest first: a page of deliveries, and what is left of others.
_SIZES = (250, 50, 5, 1)


class BulkInsert:
    """INSERT of many rows into a table. Columns that are not named take their default or NULL.

    `shared` columns have one value in all rows of a call, which is handed over once. `utf8` columns are text that may
    be given as bytes, as it is kept: half of all that is stored need not be taken for characters on its way.
    """

    def __init__(self, table: sa.Table, *columns: str, shared: Sequence[str] = (), utf8: Collection[str] = ()) -> None:
        """Name the columns in the order of the tuples; ValueError where the table has no such column."""
        unknown = {*columns, *shared, *utf8} - set(table.columns.keys())
        if unknown:
            sentence = f"the table {table.name} has no column {', '.join(sorted(unknown))}"
            raise ValueError(sentence)
        self._table = table
        self._columns = columns
        self._shared = tuple(shared)
        self._utf8 = frozenset(utf8)
        self._made: dict[tuple[str, int], str] = {}

    def __call__(self, connection: sa.Connection, rows: Sequence[tuple[Value, ...]], *shared: Value) -> None:
        """Insert the rows. What a constraint refuses raises IntegrityError; then the transaction has to be given up.

        Some of the rows may be there until it is.
        """
        self.end_to_end(connection, list(itertools.chain.from_iterable(rows)), *shared)

    def end_to_end(self, connection: sa.Connection, values: Sequence[Value], *shared: Value) -> None:
        """The same, with the values of one row after those of the other."""
        if not values:
            return
        if connection.dialect.name == "sqlite":
            self._insert_in_pieces(connection, values, shared)
        else:
            same, width = dict(zip(self._shared, shared, strict=True)), len(self._columns)
            rows = (values[first : first + width] for first in range(0, len(values), width))
            named = [{**same, **dict(zip(self._columns, map(_text, row), strict=True))} for row in rows]
            connection.exec_driver_sql(self._statement(connection.dialect, 1), named)

    def _insert_in_pieces(self, connection: sa.Connection, values: Sequence[Value], shared: tuple[Value, ...]) -> None:
        """As few statements as hold all rows, of as few kinds as can be: SQLite keeps them ready.

        How many values one takes is told by the connection: 999 before SQLite 3.32 (sqlite.org/limits.html).
        """
        driver: Any = connection.connection.driver_connection
        room = driver.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) - len(shared)
        start, width = 0, len(self._columns)
        for size in [size for size in _SIZES if size == 1 or size * width <= room]:
            step = size * width
            end = start + (len(values) - start) // step * step
            pieces = [(*shared, *values[first : first + step]) for first in range(start, end, step)]
            if pieces:
                connection.exec_driver_sql(self._statement(connection.dialect, size), pieces)
            start = end

    def _statement(self, dialect: Dialect, size: int) -> str:
        made = self._made.get((dialect.name, size))
        if made is None:
            text = self._of_many(dialect, size) if dialect.name == "sqlite" else self._by_name(dialect)
            made = self._made[dialect.name, size] = text
        return made

    def _by_name(self, dialect: Dialect) -> str:
        # Inline: nobody wants the generated keys back.
        insert = sa.insert(self._table).inline()
        return str(insert.compile(dialect=dialect, column_keys=[*self._shared, *self._columns]))

    def _of_many(self, dialect: Dialect, size: int) -> str:
        """What is shared, then the rows. Numbers (`?7`) would do too, but Python 3.12 looks each up by its name.

        OR FAIL, since who is refused gives up the whole transaction: to be able to undo a statement alone, SQLite
        copies every page that it touches into a file of its own, four times what it writes for good.
        """
        quote = dialect.identifier_preparer.quote
        names = ", ".join(quote(name) for name in (*self._shared, *self._columns))
        # SQLite names the columns of VALUES so. Bytes that are cast to text are taken for UTF-8 and kept as they are.
        own = (
            f"CAST(column{n} AS TEXT)" if name in self._utf8 else f"column{n}"
            for n, name in enumerate(self._columns, 1)
        )
        chosen = ", ".join([*("?" for _ in self._shared), *own])
        row = f"({', '.join('?' for _ in self._columns)})"
        rows = ", ".join([row] * size)
        # Names of ours, and nothing else.
        return f"INSERT OR FAIL INTO {quote(self._table.name)} ({names}) SELECT {chosen} FROM (VALUES {rows})"  # noqa: S608


def next_numbers(connection: sa.Connection, key: sa.Column[int], count: int) -> Sequence[int]:
    """So many numbers for rows to be inserted, ascending, of a key that the database counts by itself otherwise.

    On SQLite they go on from the highest, as its own do: whoever writes is alone. On PostgreSQL they are drawn from the
    key's sequence, and others may draw in between.
    """
    if connection.dialect.name == "sqlite":
        highest = connection.execute(sa.select(sa.func.coalesce(sa.func.max(key), 0))).scalar_one()
        return range(highest + 1, highest + 1 + count)
    sequence = sa.func.pg_get_serial_sequence(key.table.name, key.name)
    drawn = sa.select(sa.func.nextval(sequence)).select_from(sa.func.generate_series(1, count))
    return sorted(connection.execute(drawn).scalars())


def _text(value: Value) -> Value:
    return value.decode() if isinstance(value, bytes) else value


class Among:
    """A SELECT of rows whose key is among many: one parameter, one statement for ever, whatever their number."""

    def __init__(self, key: sa.ColumnElement[Any], statement: sa.Select[Any]) -> None:
        """Narrow the statement to rows whose `key` (whole numbers or text) is among those that are given."""
        each = sa.func.json_each(sa.bindparam("keys", type_=sa.Text)).table_valued("value")
        array = postgresql.ARRAY(sa.BigInteger if key.type.python_type is int else sa.Text)
        self._by_json = statement.where(key.in_(sa.select(each.c.value)))
        self._by_array = statement.where(key == sa.func.any(sa.bindparam("keys", type_=array)))

    def __call__(
        self, connection: sa.Connection, keys: Iterable[int] | Iterable[str], **values: object
    ) -> sa.CursorResult[Any]:
        """The rows. `values` are the statement's other parameters."""
        wanted = list(keys)
        if connection.dialect.name == "sqlite":
            return connection.execute(self._by_json, {**values, "keys": orjson.dumps(wanted).decode()})
        return connection.execute(self._by_array, {**values, "keys": wanted})
