"""Many rows at once, for what is written and looked up a page at a time: statements are made once a dialect.

SQLAlchemy's own executemany turns every value of every row through a processor; at ten thousand rows a second that
costs several times what the database does. Here rows are tuples in the drivers' own form (`micros`, `json_text`).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

# A value as the drivers of both databases take it.
Value = int | str | bool | float | None


def json_text(value: object) -> str:
    """A value as a JSON column keeps it."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


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
        self._made: dict[str, tuple[str, bool]] = {}

    def __call__(self, connection: sa.Connection, rows: Sequence[tuple[Value, ...]]) -> None:
        """Insert the rows; what a constraint refuses raises IntegrityError."""
        if not rows:
            return
        sql, by_name = self._statement(connection.dialect)
        if by_name:
            connection.exec_driver_sql(sql, [dict(zip(self._columns, row, strict=True)) for row in rows])
        else:
            connection.exec_driver_sql(sql, list(rows))

    def _statement(self, dialect: Dialect) -> tuple[str, bool]:
        """The statement, and whether its parameters are named (psycopg) instead of in order (sqlite3)."""
        made = self._made.get(dialect.name)
        if made is None:
            compiled = self._insert.compile(dialect=dialect, column_keys=list(self._columns))
            made = self._made[dialect.name] = (str(compiled), getattr(compiled, "positiontup", None) is None)
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
