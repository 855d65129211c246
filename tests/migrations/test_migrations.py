"""One schema and one history on both databases."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tests.customer_kit import delivery_row
from worker.clock import SystemClock
from worker.db import Database
from worker.db.tables import deliveries, metadata, tasks
from worker.db.upgrade import _config, require_current, upgrade
from worker.errors import DatabaseUnavailable, NotReady
from worker.events import OrderKey
from worker.reading.delivery_rows import facts_of_row
from worker.standing import LineItem


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


def test_line_items_are_the_same_before_and_after_they_had_a_column(blank: Database) -> None:
    """Taking the column away loses nothing: the record says them, and taking the change back fills it again."""
    items = [{"id": 9, "status": "booked", "articleNumber": "A1", "articleUnit": "ST", "quantity": 5000}]
    records = [orjson.dumps({"id": 1, "lineItems": items}), orjson.dumps({"id": 2, "lineItems": None})]
    upgrade(blank)
    with blank.write() as connection:
        connection.execute(
            sa.insert(deliveries), [{**delivery_row(n), "raw": raw.decode()} for n, raw in enumerate(records, 1)]
        )
        command.downgrade(_config(connection), "0008")
        column = sa.table("deliveries", sa.column("id"), sa.column("line_items", sa.JSON))
        before = connection.execute(sa.select(column.c.line_items).order_by(column.c.id)).scalars().all()
    upgrade(blank)
    with blank.read() as connection:
        after = [facts_of_row(row).line_items for row in connection.execute(sa.select(deliveries))]

    said = {"id": 9, "status": "booked", "article_number": "A1", "unit": "ST", "quantity": "5000"}
    assert before == [[said], None]
    assert after == [(LineItem(id=9, status="booked", article_number="A1", unit="ST", quantity=Decimal(5000)),), None]


def test_what_is_still_to_be_done_about_an_order_is_found_under_its_new_name(blank: Database) -> None:
    """Tasks of one order stay tasks of one order, so that they are done one at a time; there and back."""
    names = {"completion": "a|7|PO|1", "firing": "a|8|#2", "mirror": "/accounts/a|deliveries/1", "fire": "b|-1|3"}
    odd = ("completion", "no order at all")
    upgrade(blank)
    with blank.write() as connection:
        command.downgrade(_config(connection), "0009")
        for kind, subject in names.items():
            for state in ("waiting", "done", "discarded"):
                connection.execute(sa.insert(tasks), _task(kind, subject, state))
        connection.execute(sa.insert(tasks), {**_task(*odd, "waiting"), "id": "odd", "event_id": "evt_odd"})
    upgrade(blank)
    with blank.read() as connection:
        rows = connection.execute(sa.select(tasks).order_by(tasks.c.number.desc())).all()
        after = {(row.kind, row.state): row.subject for row in rows}
    with blank.write() as connection:
        command.downgrade(_config(connection), "0009")
        again = {(row.kind, row.subject) for row in connection.execute(sa.select(tasks))}

    for state in ("waiting", "discarded"):
        assert after["completion", state] == OrderKey("a", 7, "PO|1").text == "a|#PO|1|7"
        assert after["firing", state] == OrderKey("a", 8, "#2").text
        assert after["fire", state] == OrderKey("b", -1, "3").text
        assert after["mirror", state] == names["mirror"]
    assert {kind: after[kind, "done"] for kind in names} == names
    assert again == {*names.items(), odd}
    assert rows[0].subject == odd[1]


def _task(kind: str, subject: str, state: str) -> dict[str, object]:
    now = SystemClock().now()
    return {
        "id": f"{kind} {state}",
        "kind": kind,
        "subject": subject,
        "event_id": f"evt_{kind}_{state}",
        "payload": {},
        "state": state,
        "due_at": now,
        "attempts": 0,
        "created_at": now,
        "ended_at": None if state == "waiting" else now,
    }


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
