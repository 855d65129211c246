"""How SQLite would carry out the statements that something makes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from tests.databases import migrated
from worker.db import Database


def plans_of(folder: Path, make: Callable[[sa.Connection], object], about: str) -> list[str]:
    """The plans of the statements that hold `about` and that `make` executes, in their order; there is one at least."""
    with migrated(f"sqlite:///{folder}/plans.db") as database:
        plans = _plans(database, make, about)
    assert plans
    return plans


def _plans(database: Database, make: Callable[[sa.Connection], object], about: str) -> list[str]:
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
