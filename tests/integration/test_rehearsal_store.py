from datetime import timedelta

import pytest
import redis
import sqlalchemy as sa

from tests.clocks import NOON, ManualClock
from worker.clock import SystemClock
from worker.db import Database
from worker.db.tables import accounts, tasks
from worker.db.upgrade import upgrade
from worker.errors import UsageError
from worker.rehearsal.facts import Facts, Watched, has_polled, hurry, look
from worker.rehearsal.options import Options
from worker.rehearsal.store import lose, require_empty
from worker.states import ResponseState


@pytest.fixture
def database(migrated_url: str) -> Database:
    """A migrated database."""
    return Database(migrated_url, SystemClock())


def test_a_lost_database_can_be_migrated_anew(database: Database) -> None:
    """Nothing of the old one is in the way: neither tables nor the functions of its guards."""
    with database.write() as connection:
        connection.execute(sa.insert(accounts).values(**account()))
    lose(database)
    upgrade(database)
    with database.read() as connection:
        left = connection.execute(sa.select(sa.func.count()).select_from(accounts)).scalar_one()
    database.close()

    assert left == 0


def test_a_database_that_holds_anything_is_refused(database: Database) -> None:
    """The sentence names the option."""
    url = database.url.render_as_string(hide_password=False)
    with pytest.raises(UsageError, match="--database-url: the database is not empty"):
        require_empty(Options(database_url=url), SystemClock())
    lose(database)
    require_empty(Options(database_url=url), SystemClock())
    database.close()


def test_a_redis_that_holds_anything_is_refused(postgres_url: str, redis_url: str) -> None:
    """The sentence names the option; so it does where no Redis answers."""
    options = Options(database_url=postgres_url, redis_url=redis_url)
    require_empty(options, SystemClock())
    with redis.Redis.from_url(redis_url) as client:
        client.set("somebody's", "word")

    with pytest.raises(UsageError, match="--redis-url: the Redis database is not empty"):
        require_empty(options, SystemClock())
    with pytest.raises(UsageError, match="--redis-url: Redis does not answer"):
        require_empty(Options(database_url=postgres_url, redis_url="redis://127.0.0.1:1/0"), SystemClock())


def test_the_facts_of_a_new_database_are_none(database: Database) -> None:
    """Before the first poll there is nothing, and nobody has asked the source."""
    assert look(database, Watched(account="acme", barmate="bar"), None) == Facts(
        responses=dict.fromkeys(map(str, ResponseState), 0)
    )
    assert not has_polled(database, "acme")
    with database.write() as connection:
        connection.execute(sa.insert(accounts).values(**account()))

    assert has_polled(database, "acme")
    database.close()


def test_only_long_waits_are_cut_short(migrated_sqlite_url: str) -> None:
    """What is due in a moment keeps its time, and so does what is being done."""
    database = Database(migrated_sqlite_url, ManualClock())
    waits = {"soon": 2.0, "late": 300.0}
    with database.write() as connection:
        connection.execute(sa.insert(tasks), [task(name, seconds) for name, seconds in waits.items()])
    hurry(database)
    with database.read() as connection:
        due = {row.id: row.due_at for row in connection.execute(sa.select(tasks.c.id, tasks.c.due_at))}
    database.close()

    assert due == {"soon": NOON + timedelta(seconds=2), "late": NOON}


def account() -> dict[str, object]:
    """An account that has answered once."""
    return {"name": "acme", "start": 1, "key_fingerprint": "x", "lag_seconds": 1.0, "server_time": NOON}


def task(name: str, seconds: float) -> dict[str, object]:
    """A task that waits for so many seconds."""
    return {
        "id": name,
        "kind": "mirror",
        "subject": name,
        "payload": {},
        "state": "waiting",
        "due_at": NOON + timedelta(seconds=seconds),
        "attempts": 1,
        "created_at": NOON,
    }
