"""A clock that is an hour off, or set back by an hour: mirroring keeps its waits, and starves nobody."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import settings
from connectors.simulated.switches import PostFault
from connectors.simulated.warehouse_server import WarehouseServer
from tests.clocks import ManualClock
from tests.customer_kit import ACCOUNT, HOST, Bench
from tests.databases import migrated
from tests.responding_kit import QUIET, SETTLE, desk
from tests.runtime_kit import SECRET, receiver
from tests.runtime_kit import Bench as Runtime
from tests.warehouse_kit import KEY, served_warehouse
from tests.writing_kit import NEW
from worker.app import App
from worker.clock import SystemClock
from worker.customers import hints
from worker.customers.hints import Hint
from worker.db.clock import LOOK_SECONDS, DatabaseClock
from worker.db.tables import accounts, coverage, deliveries, delivery_writes, tasks
from worker.db.upgrade import upgrade
from worker.errors import DatabaseUnavailable
from worker.kinds import MIRROR, MIRROR_SCHEDULE
from worker.responding.decision import Say, Verdict, Wait
from worker.runtime.set_back import SetBack
from worker.states import WriteAction, WriteState

HOUR = 3600.0


class Off(SystemClock):
    """The clock of this machine, so many seconds ahead."""

    def __init__(self, ahead: float) -> None:
        super().__init__()
        self._ahead = timedelta(seconds=ahead)

    def now(self) -> datetime:
        """What this machine believes."""
        return super().now() + self._ahead


@pytest.fixture
def customers(migrated_file: Path, tmp_path: Path) -> Iterator[Bench]:
    """Customers and their readers."""
    bench = Bench(migrated_file, tmp_path)
    yield bench
    bench.database.close()


def _set_back(bench: Bench) -> None:
    bench.clock.step(-HOUR)
    SetBack(bench.database).by(HOUR)


def test_open_customer_orders_are_read_on_when_the_clock_is_set_back(customers: Bench) -> None:
    """They were read in what is the future now; a change is seen within the usual time all the same."""
    keys = customers.place(7)
    customers.settle()
    _set_back(customers)
    customers.twin.cancel(keys[0])
    customers.clock.advance(60)
    customers.read(10.0)

    assert customers.held(keys[0]).status == "CANCELLED"


def test_what_is_wanted_at_once_is_read_once_when_the_clock_is_set_back(customers: Bench) -> None:
    """A hint, and an order that is new in the list: neither is asked for again and again until the hour has passed."""
    (hinted, *_rest) = customers.place(3)
    customers.settle()
    customers.place(2)
    customers.poll(force=True)
    with customers.database.write() as connection:
        hints.add(connection, HOST, Hint(idempotency_key="k", order_id=hinted, type="x"), customers.clock.now())
    _set_back(customers)
    customers.line.asked.clear()
    customers.read(20.0)
    with customers.database.read() as connection:
        waiting = hints.waiting(connection, HOST)

    assert waiting == 0
    assert len(customers.line.asked) == len(set(customers.line.asked))


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_waits_go_by_the_database_where_this_machine_s_clock_is_off(postgres_url: str, ahead: float) -> None:
    """The published schedule and Retry-After hold, whatever the machine that posts believes."""
    clock = ManualClock(SystemClock().now() + timedelta(seconds=ahead))
    with migrated(postgres_url) as database, receiver(server_error=1.0) as listening:
        bench = Runtime(database)
        bench.changes(1, orders=False)
        with database.read() as connection:
            began = database.now(connection)
        (identity,) = bench.ids(MIRROR)
        with bench.couriers(bench.mirror(listening.url, clock=clock)) as couriers:
            couriers.hand([identity])
        due = bench.task(identity).due_at
        bench.close()

    assert MIRROR_SCHEDULE[0] <= (due - began).total_seconds() <= MIRROR_SCHEDULE[0] + 30


def test_a_response_in_doubt_is_looked_up_as_soon_when_the_clock_is_set_back(
    migrated_file: Path, tmp_path: Path
) -> None:
    """The settle time and the readings after it take as long as ever, not an hour more."""
    with desk(migrated_file, tmp_path) as made:
        key = made.ask()
        made.ship(key)
        made.post.script = [PostFault.DROP_BEFORE_COMMIT]
        made.go(key, rounds=2)
        made.clock.step(-HOUR)
        SetBack(made.database).by(HOUR)
        began = made.clock.monotonic()
        made.go(key)

        assert made.states(key) == ["needs_person"]
        assert made.clock.monotonic() - began < 2 * SETTLE


def test_a_change_is_told_when_it_is_quiet_though_the_clock_is_set_back(migrated_file: Path, tmp_path: Path) -> None:
    """The quiet time is not an hour longer, and no shorter."""
    with desk(migrated_file, tmp_path) as made:
        key = made.ask()
        made.ship(key)
        made.go(key)
        made.alter(date="2026-03-05")
        made.clock.step(-HOUR)
        SetBack(made.database).by(HOUR)
        made.clock.advance(QUIET - 60)
        early = made.verdict(key)
        made.clock.advance(60)
        made.go(key, rounds=1)

        assert isinstance(early, Wait)
        assert made.said(key) == [("ACCEPT", "LS1", None), ("UPDATE", "LS1", "2026-03-05")]


def test_a_write_in_doubt_waits_no_longer_when_the_clock_is_set_back(customers: Bench) -> None:
    """Its end and its settle time stay as far off as they were."""
    now, minute = customers.clock.now(), timedelta(minutes=1)
    about = {"id": "w1", "account": "acme", "action": WriteAction.APPROVE, "subject": "id 1", "delivery_id": 1}
    asked = {"asked": "{}", "asked_hash": "h", "state": WriteState.UNKNOWN, "sends": 1, "reason": "on its way"}
    times = {"deadline": now + minute, "settled_at": now + 2 * minute, "asked_at": now, "changed_at": now}
    with customers.database.write() as connection:
        connection.execute(sa.insert(delivery_writes).values({**about, **asked, **times}))
    _set_back(customers)
    with customers.database.read() as connection:
        row = connection.execute(sa.select(delivery_writes)).one()

    assert (row.deadline, row.settled_at) == (customers.clock.now() + minute, customers.clock.now() + 2 * minute)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR, 0.0])
def test_newer_deliveries_are_unread_by_the_warehouse_s_clock(
    migrated_file: Path, tmp_path: Path, ahead: float
) -> None:
    """Nothing is rejected before the quiet time was read, and at once afterwards, however far the clocks are apart."""
    with desk(migrated_file, tmp_path) as made:
        key = made.ask()
        made.ship(key, status="cancelled")

        def read_until(seconds: float) -> Verdict:
            there = made.clock.now() + timedelta(seconds=ahead + seconds)
            with made.database.write() as connection:
                connection.execute(sa.update(accounts).where(accounts.c.name == ACCOUNT).values(skew_seconds=ahead))
                connection.execute(sa.update(coverage).values(until=int(there.timestamp())))
            return made.verdict(key)

        made.clock.advance(QUIET + 60)
        unread, read = read_until(-QUIET), read_until(-30)

        assert isinstance(unread, Wait)
        assert isinstance(read, Say)


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_what_is_read_is_told_at_once_by_a_machine_that_is_off(postgres_url: str, tmp_path: Path, ahead: float) -> None:
    """Tasks become due, and changes are dated, by the database that all machines share."""
    with served_warehouse() as warehouse, App(_reads(warehouse, postgres_url, tmp_path), clock=Off(ahead)) as app:
        stamp = (SystemClock().now() - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        warehouse.warehouse.put(7, {"id": 7, **NEW, "status": "approved", "statusInbound": "new", "updatedAt": stamp})
        upgrade(app.database)
        (name,) = app.accounts.names()
        app.accounts.poll(name)
        with app.database.read() as connection:
            now = app.database.now(connection)
            moments = [
                *connection.execute(sa.select(tasks.c.due_at)).scalars(),
                *connection.execute(sa.select(deliveries.c.changed_at)).scalars(),
            ]

    assert len(moments) >= 2
    assert max(abs((moment - now).total_seconds()) for moment in moments) < 60


def _reads(warehouse: WarehouseServer, database_url: str, folder: Path) -> settings.Settings:
    read = {"BASE_URL": warehouse.url, "API_KEY": KEY, "REQUESTS_PER_SECOND": "1000"}
    given = {f"LOGISTIC_CLOUD__{name}": value for name, value in read.items()} | {"WEBHOOK__URL": "http://127.0.0.1:9"}
    given |= {"WEBHOOK__SECRET": SECRET, "DATABASE_URL": database_url, "STATE_DIR": str(folder)}
    return settings.load(environ={f"WAYBILL_{name}": value for name, value in given.items()}, directory=folder)


def test_the_clock_of_a_database_goes_by_what_it_told_last() -> None:
    """Between two looks as time passes, whatever is done to this machine's clock; also while nobody answers."""
    machine, there = ManualClock(), ManualClock()
    away: list[str] = []

    def ask() -> datetime:
        if away:
            raise DatabaseUnavailable(*away)
        return there.now()

    clock = DatabaseClock(machine, ask)
    there.step(HOUR)
    first = clock.now()
    machine.step(-5 * HOUR)
    machine.advance(LOOK_SECONDS / 2)
    second = clock.now()
    away[:] = ["database", "away"]
    machine.advance(LOOK_SECONDS)
    third = clock.now()
    never = DatabaseClock(machine, ask).now()

    assert first == there.now()
    assert [(later - first).total_seconds() for later in (second, third)] == [LOOK_SECONDS / 2, 1.5 * LOOK_SECONDS]
    assert never == machine.now()
