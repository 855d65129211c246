"""The night's work, what a clock that is set back does to what is due, and leases that are kept."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import settings
from tests.clocks import NOON, ManualClock
from tests.runtime_kit import eventually
from worker.app import App
from worker.clock import SystemClock
from worker.db import Database
from worker.db.tables import coverage, leases, nights, tasks
from worker.kinds import RULES
from worker.leases import Leases
from worker.runtime.keeping import kept
from worker.runtime.nights import Nightly, Nights, last_due
from worker.runtime.set_back import SetBack
from worker.tasks import NewTask, Tasks

HOUR = 3600.0


@pytest.fixture
def timed(sqlite_database: Database, clock: ManualClock) -> Iterator[Database]:
    """A database whose time only the test moves."""
    database = Database(sqlite_database.url.render_as_string(), clock)
    yield database
    database.close()


def _nights(database: Database, clock: ManualClock, done: list[str]) -> Nights:
    def note(name: str) -> Callable[[], None]:
        return lambda: done.append(name)

    table = [Nightly(name="sweep", action=note("sweep"), hour=1), Nightly(name="prune", action=note("prune"), hour=4)]
    return Nights(database=database, clock=clock, table=table, later=timedelta(minutes=5))


def _pass(night: Nights, clock: ManualClock, hours: float, step: float = 300.0) -> None:
    for _ in range(int(hours * HOUR / step)):
        clock.advance(step)
        night.look()


def test_the_hour_that_was_last() -> None:
    """Today's if it is over, else yesterday's."""
    assert last_due(NOON, 1) == datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert last_due(NOON, 13) == datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert last_due(NOON, 12) == NOON


def test_each_piece_is_done_once_a_night(timed: Database, clock: ManualClock) -> None:
    """In the order of its hours; a new installation begins with the coming night."""
    done: list[str] = []
    night = _nights(timed, clock, done)
    _pass(night, clock, 12.5)
    evening = list(done)
    _pass(night, clock, 48)

    assert evening == []
    assert done == ["sweep", "prune", "sweep", "prune"]


def test_a_night_that_was_slept_through_is_made_up_piece_by_piece(timed: Database, clock: ManualClock) -> None:
    """Once, however many nights it were, and not before the first polls."""
    _pass(_nights(timed, clock, []), clock, 1)
    clock.advance(80 * HOUR)
    done: list[str] = []
    night = _nights(timed, clock, done)
    night.look()
    at_once = list(done)
    clock.advance(130)
    night.look()
    first = list(done)
    _pass(night, clock, 1)

    assert (at_once, first, done) == ([], ["sweep"], ["sweep", "prune"])


def test_what_fails_is_due_again_and_a_clock_set_back_repeats_nothing(timed: Database, clock: ManualClock) -> None:
    """A night counts as done when its work was; a day lived twice is one day."""
    done: list[str] = []
    trouble = [True]

    def act() -> None:
        done.append("try")
        if trouble:
            raise ConnectionError

    table = [Nightly(name="sweep", action=act, hour=1)]
    night = Nights(database=timed, clock=clock, table=table, later=timedelta(0))
    clock.advance(200)
    night.look()
    clock.advance(14 * HOUR)
    with pytest.raises(ConnectionError):
        night.look()
    trouble.clear()
    night.look()
    clock.step(-2 * HOUR)
    night.look()
    clock.advance(HOUR / 2)
    night.look()

    assert done == ["try", "try"]


def test_the_nights_work_of_an_installation(tmp_path: Path) -> None:
    """A sweep of each account by itself, the whole supplier's list, and what is old; never twice the same job."""
    (tmp_path / "waybill.toml").write_text(
        "".join(
            f'[[accounts]]\nbase_url = "https://{name}.example/api"\napi_key = "key-{name}"\n' for name in ("a", "b")
        )
    )
    environment = {
        "WAYBILL_STATE_DIR": str(tmp_path / "state"),
        "WAYBILL_ISOMETRIC__ACCESS_TOKEN": "token",
        "WAYBILL_ISOMETRIC__CLIENT_SECRET": "secret",
    }
    with App(settings.load(environ=environment, directory=tmp_path), environ={}) as app:
        app.prepare()
        for nightly in [*app.ticks().nightly(), *app.ticks().nightly()]:
            nightly.action()
        with app.database.read() as connection:
            found = connection.execute(sa.select(tasks.c.kind, tasks.c.subject, tasks.c.payload)).all()
        names = {tick.name for tick in app.ticks().table()}

    assert sorted((row.kind, row.subject) for row in found) == [
        ("reconcile", "all"),
        ("sweep", "a.example"),
        ("sweep", "b.example"),
    ]
    assert [row.payload for row in found if row.kind == "reconcile"] == [{"supplier": True}]
    assert {"poll a.example", "poll b.example", "night"} <= names


def _one_of_each(database: Database, now: datetime) -> None:
    """A task to be retried in a minute, a hole to be read in two, a lease that ends in three."""
    numbers = iter(range(9))
    with database.write() as connection:
        queue = Tasks(rules=RULES, identity=lambda: f"t{next(numbers)}")
        queue.add(connection, [NewTask(kind="sweep", subject="a")], now + timedelta(minutes=1))
        hole = {"account": "a", "since": 1, "until": 2, "state": "hole", "rows": 0, "requests": 0, "tries": 1}
        connection.execute(sa.insert(coverage).values(**hole, retry_at=now + timedelta(minutes=2)))
        until = now + timedelta(minutes=3)
        connection.execute(sa.insert(leases).values(name="l", holder="h", term=1, until=until))


def _ahead(database: Database) -> list[float]:
    with database.read() as connection:
        now = database.now(connection)
        moments = [
            connection.execute(sa.select(column)).scalar_one()
            for column in (tasks.c.due_at, coverage.c.retry_at, leases.c.until)
        ]
    return [(moment - now).total_seconds() for moment in moments]


@pytest.mark.parametrize("hours", [1, 24 * 365])
def test_what_is_due_stays_as_far_off_when_the_clock_is_set_back(
    timed: Database, clock: ManualClock, hours: float
) -> None:
    """An hour less on the clock is not an hour more to wait; what has ended keeps its times."""
    _one_of_each(timed, clock.now())
    clock.step(-hours * HOUR)
    SetBack(timed).by(hours * HOUR)

    assert _ahead(timed) == [60, 120, 180]


def test_a_clock_that_was_set_back_while_nobody_ran_is_noticed_at_the_start(
    timed: Database, clock: ManualClock, sqlite_database: Database
) -> None:
    """By the last turn of a budget; without a step nothing is moved."""
    with timed.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO budgets (name, turn, next_at, taken_at, slowed, failures) VALUES ('k', 1, 0, :at, 1, 0)"
            ),
            {"at": int(clock.now().timestamp() * 1e6)},
        )
    _one_of_each(timed, clock.now())
    SetBack(timed).at_start()
    unmoved = _ahead(timed)
    clock.step(-HOUR)
    SetBack(timed).at_start()

    assert unmoved == [60, 120, 180]
    assert _ahead(timed) == [60, 120, 180]


def test_a_lease_is_kept_for_as_long_as_the_work_takes(database: Database) -> None:
    """However short it is; it is free as soon as the work is done."""
    mine, other = Leases(database, holder="a"), Leases(database, holder="b")
    with kept(mine, "poll:a", 0.6) as lease:
        until = _until(database)
        renewed = eventually(lambda: _until(database) > until)
        refused = other.acquire("poll:a", 1)

    assert lease is not None
    assert renewed
    assert refused is None
    with kept(other, "poll:a", 1) as second, kept(mine, "poll:a", 1) as third:
        assert (second is None, third is None) == (False, True)


def _until(database: Database) -> datetime:
    with database.read() as connection:
        moment: datetime = connection.execute(sa.select(leases.c.until)).scalar_one()
        return moment


def test_a_postgresql_database_has_its_own_clock(postgres_url: str) -> None:
    """Setting back this machine's moves nothing there."""
    database = Database(postgres_url, SystemClock())
    SetBack(database).by(HOUR)
    SetBack(database).at_start()
    with database.read() as connection:
        tables = sa.inspect(connection).get_table_names()
    database.close()

    assert nights.name not in tables
