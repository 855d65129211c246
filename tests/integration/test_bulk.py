"""Rows in bulk, on both databases."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from tests.databases import migrated
from worker.columns import json_text, micros
from worker.db import Database
from worker.db.bulk import Among, BulkInsert, next_numbers
from worker.db.tables import deliveries, events

MOMENT = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
COLUMNS = ("id", "source", "subject", "type", "sequence", "time", "recorded_at", "data")
INSERT = BulkInsert(events, *COLUMNS)
# Bytes, of the database's file.
PAGE = 8192


def _row(number: int) -> tuple[int | str, ...]:
    data = {"text": 'Süd \\ " %s %(x)s ? :x', "none": None, "list": [1, 2.5, True]}
    return (f"evt_{number}", "/s", f"deliveries/{number}", "t", 1, micros(MOMENT), micros(MOMENT), json_text(data))


def test_rows_in_bulk_read_as_rows_that_were_written_one_by_one(database: Database) -> None:
    """Tuples in the drivers' form are what SQLAlchemy's types would have written."""
    document = {"text": 'Süd \\ " %s %(x)s ? :x', "none": None, "list": [1, 2.5, True]}
    with database.write() as connection:
        INSERT(connection, [_row(1)])
        connection.execute(
            sa.insert(events).values(
                id="evt_2",
                source="/s",
                subject="deliveries/2",
                type="t",
                sequence=1,
                time=MOMENT,
                recorded_at=MOMENT,
                data=document,
            )
        )

    with database.read() as connection:
        first, second = connection.execute(sa.select(events).order_by(events.c.id)).all()
    assert (first.time, first.recorded_at, first.data) == (second.time, second.recorded_at, second.data)
    assert first.data == document


def test_text_that_is_given_in_utf8_is_text_like_any_other(database: Database) -> None:
    """Nobody who reads it can tell how it was given."""
    insert = BulkInsert(events, *COLUMNS, utf8=["subject"])
    given: tuple[bytes | str, ...] = ("Süd \u20ac".encode(), "Süd \u20ac")
    rows = [(f"evt_{n}", f"/{n}", subject, *_row(n)[3:]) for n, subject in enumerate(given, 1)]
    with database.write() as connection:
        insert(connection, rows)

        found = connection.execute(sa.select(events.c.id).where(events.c.subject == "Süd \u20ac")).scalars().all()
    assert sorted(found) == ["evt_1", "evt_2"]


def test_two_who_write_at_once_are_given_different_numbers(postgres_url: str) -> None:
    """Neither has committed yet; what one was given the other is not, and both go on upwards."""
    with migrated(postgres_url) as database, database.write() as one, database.write() as other:
        given = [next_numbers(connection, events.c.position, 3) for connection in (one, other, one)]

    assert len(set().union(*given)) == 9
    assert all(list(numbers) == sorted(numbers) for numbers in given)


@pytest.mark.parametrize("count", [1, 4, 1278])
def test_any_number_of_rows_is_inserted_in_its_order(database: Database, count: int) -> None:
    """However the rows are put into statements, each is there once and none before its elders."""
    with database.write() as connection:
        INSERT(connection, [_row(number) for number in range(count)])

        found = connection.execute(sa.select(events.c.id).order_by(events.c.position)).scalars().all()
    assert found == [f"evt_{number}" for number in range(count)]


def test_what_a_constraint_refuses_is_told(database: Database) -> None:
    """Bulk writes go past no constraint: a second event with an id is refused."""
    with pytest.raises(IntegrityError), database.write() as connection:
        INSERT(connection, [_row(1), _row(1)])


def test_no_rows_are_no_statement(database: Database) -> None:
    """An empty page writes nothing."""
    with database.write() as connection:
        INSERT(connection, [])

        assert connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one() == 0


@pytest.mark.parametrize("count", [1, 256])
def test_columns_that_all_rows_share_are_handed_over_once(database: Database, count: int) -> None:
    """In whatever order the columns are named, each value lands in its own."""
    insert = BulkInsert(events, "data", "sequence", "subject", "id", shared=("recorded_at", "type", "source", "time"))
    with database.write() as connection:
        rows = [("{}", number, f"deliveries/{number}", f"evt_{number}") for number in range(count)]
        insert(connection, rows, micros(MOMENT), "t", "/s", micros(MOMENT) + 1_000_000)

        found = connection.execute(sa.select(events).order_by(events.c.position)).all()
    assert [(row.id, row.subject, row.sequence) for row in found] == [(row[3], row[2], row[1]) for row in rows]
    assert {(row.source, row.type, row.recorded_at, row.time) for row in found} == {
        ("/s", "t", MOMENT, MOMENT + timedelta(seconds=1))
    }


def test_a_transaction_that_was_refused_leaves_nothing_behind(database: Database) -> None:
    """Rows of the statement that came before the refused one go with the transaction."""
    with pytest.raises(IntegrityError), database.write() as connection:
        INSERT(connection, [*(_row(number) for number in range(60)), _row(3)])

    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one() == 0


@pytest.mark.parametrize("most", [999, 60, 8])
def test_a_database_that_takes_few_values_is_given_few(sqlite_database: Database, most: int) -> None:
    """An older SQLite gets the same rows in more statements."""
    with sqlite_database.write() as connection:
        driver: Any = connection.connection.driver_connection
        before = driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, most)
        try:
            INSERT(connection, [_row(number) for number in range(300)])
        finally:
            driver.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, before)

        found = connection.execute(sa.select(events.c.id).order_by(events.c.position)).scalars().all()
    assert found == [f"evt_{number}" for number in range(300)]


def test_what_is_inserted_is_written_at_the_commit_and_not_before(sqlite_database: Database) -> None:
    """SQLite keeps no copy of what a statement is about to touch: that was four times what is written for good."""
    with sqlite_database.write() as connection:
        INSERT(connection, [_row(number) for number in range(0, 10_000, 2)])
    with sqlite_database.write() as connection:
        before = _written()
        INSERT(connection, [_row(number) for number in range(1, 10_000, 20)])

        assert _written() - before < PAGE


def _written() -> int:
    """Bytes that this thread has handed to the system."""
    told = dict(line.split(": ") for line in Path("/proc/thread-self/io").read_text().splitlines())
    return int(told["wchar"])


def test_a_column_that_the_table_has_not_is_refused() -> None:
    """A mistake of ours shows at once."""
    with pytest.raises(ValueError, match="events has no column unheard_of"):
        BulkInsert(events, "id", shared=("unheard_of",))


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_rows_are_found_among_any_number_of_keys(database: Database, count: int) -> None:
    """A look-up of thousands of ids is one statement with one parameter."""
    with database.write() as connection:
        INSERT(connection, [_row(number) for number in range(10)])
    by_text = Among(events.c.id, sa.select(events.c.id).where(events.c.source == sa.bindparam("source")))
    by_number = Among(events.c.sequence, sa.select(events.c.id))

    with database.read() as connection:
        found = by_text(connection, [f"evt_{number}" for number in range(count)], source="/s").scalars().all()
        counted = by_number(connection, range(count)).scalars().all()
    assert sorted(found) == [f"evt_{number}" for number in range(min(count, 10))]
    assert len(counted) == (10 if count > 1 else 0)


def test_whole_numbers_as_wide_as_they_come_are_found(database: Database) -> None:
    """Ids of deliveries are 64 bits wide on both databases."""
    look_up = Among(deliveries.c.id, sa.select(deliveries.c.id))

    with database.read() as connection:
        assert look_up(connection, [2**63 - 1, 1]).all() == []
