"""The brakes while two processes reach for them: one is first, nobody fails, and the log says it once."""

import threading
import time

import pytest
import sqlalchemy as sa

from worker.db import Database
from worker.db.tables import events, switches
from worker.event_log import EventLog
from worker.firing.brakes import CREDENTIALS, FREEZE, PAUSE, Brakes
from worker.tasks import Tasks

PATIENCE = 10.0


@pytest.fixture
def brakes(database: Database) -> Brakes:
    """The brakes of any process."""
    log = EventLog(tasks=Tasks(rules={}, identity=lambda: "t1"), subscriptions={})
    return Brakes(database=database, event_log=log)


def _reasons(database: Database) -> dict[str, tuple[bool, str]]:
    with database.read() as connection:
        return {row.name: (row.on, row.reason) for row in connection.execute(sa.select(switches))}


def _told(database: Database) -> list[str]:
    with database.read() as connection:
        return [row.data["reason"] for row in connection.execute(sa.select(events))]


def _wait_for_the_other(database: Database) -> None:
    """Until PostgreSQL says that somebody stands behind us; on SQLite he stands at the only writer's door."""
    if database.is_sqlite:
        return
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with database.read() as connection:
            if connection.execute(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
                return


@pytest.mark.parametrize("known", [False, True], ids=["first ever", "was thawed before"])
def test_two_that_freeze_at_once_are_one_freeze(database: Database, brakes: Brakes, *, known: bool) -> None:
    """The second one waits, finds it done, and goes on with the rest of its transaction."""
    if known:
        with database.write() as connection:
            brakes.freeze(connection, "of yesterday")
            brakes.release(connection, FREEZE, "thawed")
    failures: list[Exception] = []

    def second() -> None:
        try:
            with database.write() as connection:
                brakes.freeze(connection, "the second")
                brakes.put_on(connection, PAUSE, "and more")
        except sa.exc.SQLAlchemyError as error:
            failures.append(error)

    thread = threading.Thread(target=second)
    with database.write() as connection:
        brakes.freeze(connection, "the first")
        thread.start()
        _wait_for_the_other(database)
    thread.join(PATIENCE)

    assert failures == []
    assert _reasons(database) == {FREEZE: (True, "the first"), PAUSE: (True, "and more")}
    assert _told(database)[-1:] == ["the first"]
    assert len(_told(database)) == 1 + known


def test_a_brake_that_is_on_keeps_its_first_reason(database: Database, brakes: Brakes) -> None:
    """What began it is what a person looks for."""
    with database.write() as connection:
        brakes.put_on(connection, CREDENTIALS, "401")
        brakes.put_on(connection, CREDENTIALS, "403")
        brakes.release(connection, PAUSE, "it was never on")

    assert _reasons(database) == {CREDENTIALS: (True, "401")}
