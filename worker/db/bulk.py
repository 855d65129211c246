"""Many rows at once, for what is written and looked up a page at a time: statements are made once a dialect.

SQLAlchemy's own executemany turns every value of every row through a processor; at ten thousand rows a second that
costs several times what the database does. Here rows are tuples in the drivers' own form (`worker.columns`), and
SQLite takes dozens of them in one statement: it costs half, and other threads go on meanwhile.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

from worker.columns import Value

# Rows of one statement on SQLite, the largest first.
_SIZES = (50, 5, 1)
# Values that any SQLite takes in one statement (SQLITE_MAX_VARIABLE_NUMBER before 3.32).
_MOST_VALUES = 999


class BulkInsert:
    """INSERT of many rows into a table. Columns that are not named take their default or NULL."""

    def __init__(self, table: sa.Table, *columns: str) -> None:
        """Name the columns in the order of the tuples; ValueError where that is not the table's."""
        if list(columns) != [column.name for column in table.columns if column.name in columns]:
            sentence = f"the columns {columns} are not in the order of the table {table.name}"
            raise ValueError(sentence)
        self._columns = columns
        # Inline: nobody wants the generated keys back.
        self._insert = sa.insert(table).inline()
        self._sizes = [size for size in _SIZES if size * len(columns) <= _MOST_VALUES]
        self._made: dict[tuple[str, int], str] = {}

    def __call__(self, connection: sa.Connection, rows: Sequence[tuple[Value, ...]]) -> None:
        """Insert the rows; what a constraint refuses raises IntegrityError."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            self._insert_in_pieces(connection, rows)
        else:
            named = [dict(zip(self._columns, row, strict=True)) for row in rows]
            connection.exec_driver_sql(self._statement(connection.dialect, 1), named)

    def _insert_in_pieces(self, connection: sa.Connection, rows: Sequence[tuple[Value, ...]]) -> None:
        """As few statements as hold all rows, of as few kinds as can be: SQLite keeps them ready."""
        start = 0
        for size in self._sizes:
            end = start + (len(rows) - start) // size * size
            pieces = (rows[first : first + size] for first in range(start, end, size))
            values = [tuple(itertools.chain.from_iterable(piece)) for piece in pieces]
            if values:
                connection.exec_driver_sql(self._statement(connection.dialect, size), values)
            start = end

    def _statement(self, dialect: Dialect, size: int) -> str:
        made = self._made.get((dialect.name, size))
        if made is None:
            one = str(self._insert.compile(dialect=dialect, column_keys=list(self._columns)))
            # It ends with the values of one row in parentheses.
            head, values = one.split(" VALUES ")
            made = self._made[dialect.name, size] = f"{head} VALUES {', '.join([values] * size)}"
        return made


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
