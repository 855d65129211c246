"""How SQLite would carry out the statements that something makes."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from worker.db import Database


def plans_of(database: Database, make: Callable[[sa.Connection], object], about: str) -> list[str]:
    """The plans of the statements about a table that `make` executes, in their order; the database is SQLite's."""
    made: list[tuple[str, Any]] = []

    def seen(_c: object, _u: object, text: str, given: object, *_: object) -> None:
        if about in text:
            made.append((text, given))

    sa.event.listen(database.engine, "before_cursor_execute", seen)
    with database.write() as connection:
        make(connection)
    sa.event.remove(database.engine, "before_cursor_execute", seen)
    with database.read() as connection:
        return [
            "; ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given))
            for text, given in made
        ]
