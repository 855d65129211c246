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
from sqlalchemy.exc import IntegrityError

from tests.customer_kit import delivery_row
from worker.clock import SystemClock
from worker.db import Database
from worker.db.tables import deliveries, events, metadata, tasks
from worker.db.upgrade import _config, require_current, upgrade
from worker.errors import DatabaseUnavailable, NotReady
from worker.events import OrderKey
from worker.reading.delivery_rows import facts_of_row
from worker.standing import LineItem

# Tasks as they were before they named their event by its place.
TASKS_BEFORE = sa.Table(
    "tasks",
    sa.MetaData(),
    *(sa.Column(column.name, column.type) for column in tasks.columns if column.name != "event_position"),
    sa.Column("event_id", sa.Text),
)
PARTIAL = ("ix_tasks_open", "ix_tasks_due", "ix_tasks_out", "ix_tasks_ended_at")


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
                connection.execute(sa.insert(TASKS_BEFORE), _task(kind, subject, state))
        connection.execute(sa.insert(TASKS_BEFORE), {**_task(*odd, "waiting"), "id": "odd", "event_id": "evt_odd"})
    upgrade(blank)
    with blank.read() as connection:
        rows = connection.execute(sa.select(tasks).order_by(tasks.c.number.desc())).all()
        after = {(row.kind, row.state): row.subject for row in rows}
    with blank.write() as connection:
        command.downgrade(_config(connection), "0009")
        again = {(row.kind, row.subject) for row in connection.execute(sa.select(TASKS_BEFORE))}

    for state in ("waiting", "discarded"):
        assert after["completion", state] == OrderKey("a", 7, "PO|1").text == "a|#PO|1|7"
        assert after["firing", state] == OrderKey("a", 8, "#2").text
        assert after["fire", state] == OrderKey("b", -1, "3").text
        assert after["mirror", state] == names["mirror"]
    assert {kind: after[kind, "done"] for kind in names} == names
    assert again == {*names.items(), odd}
    assert rows[0].subject == odd[1]


def test_a_task_names_the_same_event_by_its_place_as_by_its_id(blank: Database) -> None:
    """Whose event the log no longer holds names none; there and back."""
    upgrade(blank)
    with blank.write() as connection:
        command.downgrade(_config(connection), "0010")
        for place in (7, 9):
            connection.execute(sa.insert(events), _event(place))
        for place in (9, 7, 8):
            task = _task("mirror", f"deliveries/{place}", "waiting")
            connection.execute(sa.insert(TASKS_BEFORE), {**task, "id": str(place), "event_id": f"evt_{place}"})
    upgrade(blank)
    with blank.write() as connection:
        after = {row.id: row.event_position for row in connection.execute(sa.select(tasks))}
        command.downgrade(_config(connection), "0010")
        again = {row.id: row.event_id for row in connection.execute(sa.select(TASKS_BEFORE))}

    assert after == {"7": 7, "8": None, "9": 9}
    assert again == {"7": "evt_7", "8": None, "9": "evt_9"}


@pytest.mark.parametrize("odd", [{"state": "lost"}, {"state": "running"}, {"kind": "mirror"}])
def test_a_table_that_was_made_anew_refuses_what_it_refused_before(blank: Database, odd: dict[str, object]) -> None:
    """SQLite changes a table by making another one: what it checks comes along."""
    upgrade(blank)
    task = {key: value for key, value in _task("mirror", "s", "waiting").items() if key != "event_id"}
    with blank.write() as connection:
        connection.execute(sa.insert(tasks), {**task, "event_position": 1})
        connection.execute(sa.insert(tasks), {**task, "event_position": 1, "id": "2", "kind": "other"})

    with pytest.raises(IntegrityError), blank.write() as connection:
        connection.execute(sa.insert(tasks), {**task, "event_position": 1, "id": "3", "kind": "another", **odd})


def test_indexes_of_a_table_that_was_made_anew_keep_their_conditions(blank: Database) -> None:
    """The relay asks for open tasks many times a second, among millions that have ended."""
    upgrade(blank)
    with blank.read() as connection:
        indexes = {index["name"]: index["dialect_options"] for index in sa.inspect(connection).get_indexes("tasks")}

    assert all(f"{blank.url.get_backend_name()}_where" in indexes[name] for name in PARTIAL)


def _event(place: int) -> dict[str, object]:
    now = SystemClock().now()
    about = {"id": f"evt_{place}", "source": "/s", "subject": f"deliveries/{place}", "type": "t", "data": {}}
    return {"position": place, "sequence": 1, "time": now, "recorded_at": now, **about}


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
