"""The engine: relay, broker and workers together, in memory on SQLite and on PostgreSQL with Redis."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import dramatiq
import pytest
import sqlalchemy as sa

from tests.order_kit import order_row
from tests.runtime_kit import ACCOUNT, Bench, bench_at, eventually, key_of, receiver
from tests.services import RedisServer
from worker import switches
from worker.db.tables import orders, tasks
from worker.events import OrderKey
from worker.kinds import COMPLETION, MIRROR
from worker.runtime.broker import BrokerUnavailable, Post, Queue, in_memory_broker, redis_broker
from worker.runtime.closing import Closing
from worker.runtime.engine import Part
from worker.states import OrderState
from worker.tasks import Claim
from worker.work import Close, Done, Later, Outcome

ONE = Part(threads=4, relays=True, shared=False)
SCHEDULER = Part(threads=0, relays=True, shared=True)
WORKER = Part(threads=4, relays=False, shared=True)


@pytest.fixture
def bench(sqlite_url: str) -> Iterator[Bench]:
    """A bench on SQLite."""
    with bench_at(sqlite_url) as made:
        yield made


@pytest.fixture
def shared(migrated_postgres_url: str) -> Iterator[Bench]:
    """A bench on PostgreSQL."""
    with bench_at(migrated_postgres_url) as made:
        yield made


def _order(bench: Bench, number: int) -> None:
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        key = OrderKey(ACCOUNT, 7, f"PO {number}")
        row = order_row(key, state=OrderState.SETTLING, look_at=now, changed_at=now)
        connection.execute(sa.insert(orders).values(row))


def _looks(bench: Bench) -> list[object]:
    with bench.database.read() as connection:
        return list(connection.execute(sa.select(orders.c.look_at).order_by(orders.c.id)).scalars())


def test_every_task_is_done_once_and_events_of_a_subject_arrive_in_order(bench: Bench) -> None:
    """300 events about 60 deliveries, with their orders: mirrored in order, decided, nothing left."""
    decided: list[str] = []
    with receiver() as listening:
        bench.changes(300, deliveries=60)
        with bench.engine(services={COMPLETION: bench.closing(decided)}, mirror=bench.mirror(listening.url)):
            done = eventually(lambda: bench.states() == {"done": 600})
        truth = listening.state.truth()

    assert done
    assert (len(listening.taken), truth["out_of_order"], truth["duplicates"]) == (300, [], {})
    assert listening.valid
    assert {OrderKey.parse(subject) for subject in decided} == {key_of(number) for number in range(60)}


def test_a_receiver_that_hangs_does_not_hold_up_orders(bench: Bench) -> None:
    """The mirror never has all the threads."""
    decided: list[str] = []
    with receiver(hang=1.0, hang_seconds=30.0) as listening:
        bench.changes(200)
        with bench.engine(services={COMPLETION: bench.closing(decided)}, mirror=bench.mirror(listening.url)):
            done = eventually(lambda: len(decided) == 200)

    assert done


def test_while_the_webhook_is_off_its_tasks_are_not_sent(bench: Bench) -> None:
    """Nobody is bothered with what must not be posted."""
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        switches.turn(connection, switches.WEBHOOK, on=False, reason="410", now=now)
    with receiver() as listening:
        bench.changes(5)
        with bench.engine(mirror=bench.mirror(listening.url)):
            done = eventually(lambda: bench.states(COMPLETION) == {"done": 5})

    assert done
    assert bench.states(MIRROR) == {"waiting": 5}
    assert not listening.taken


def test_rows_whose_time_has_come_are_looked_at_without_a_task(bench: Bench) -> None:
    """A lost task forgets nothing: the row itself says when to look."""
    looked: list[OrderKey] = []

    def look(key: OrderKey, close: Close) -> Outcome:
        with bench.database.write() as connection:
            connection.execute(sa.update(orders).values(look_at=None))
            close(connection)
        looked.append(key)
        return Done()

    _order(bench, 1)
    with bench.engine(look_at_order=look) as engine:
        done = eventually(lambda: looked == [key_of(1)] and engine.busy == 0)

    assert done
    assert _looks(bench) == [None]


@pytest.mark.parametrize("late", [True, False])
def test_a_row_that_could_not_be_looked_at_is_looked_at_again(bench: Bench, late: bool) -> None:  # noqa: FBT001
    """Whether the service asked for more time or failed: the row keeps a time to be looked at."""
    tried = threading.Event()

    def look(key: OrderKey, close: Close) -> Outcome:
        tried.set()
        if not late:
            raise ZeroDivisionError
        with bench.database.read() as connection:
            return Later(until=bench.database.now(connection) + timedelta(seconds=9), reason="not yet")

    _order(bench, 1)
    with bench.engine(look_at_order=look) as engine:
        done = eventually(lambda: tried.is_set() and engine.busy == 0)
    with bench.database.read() as connection:
        ahead = connection.execute(sa.select(orders.c.look_at)).scalar_one() - bench.database.now(connection)

    assert done
    assert timedelta(seconds=0) < ahead < timedelta(seconds=31)


def test_a_long_task_keeps_its_claim(bench: Bench) -> None:
    """Leases are renewed while work goes on, so that nobody else begins it."""
    seen: list[str] = []
    go_on = threading.Event()

    def slow(claim: Claim, closing: Closing) -> Outcome:
        seen.append(claim.subject)
        go_on.wait(3)
        return bench.closing([])(claim, closing)

    bench.changes(1)
    with bench.engine(services={COMPLETION: slow}, lease_seconds=0.6) as engine:
        done = eventually(lambda: bench.states(COMPLETION) == {"done": 1} and engine.busy == 0)

    assert done
    assert len(seen) == 1


def test_work_of_a_worker_that_died_is_taken_up(bench: Bench) -> None:
    """A claim whose lease ran out goes back, and the attempt stays counted."""
    bench.changes(1)
    with bench.database.write() as connection:
        now = bench.database.now(connection) - timedelta(seconds=60)
        bench.tasks.claim(connection, bench.ids(COMPLETION), owner="dead", now=now, lease_seconds=30)
    with bench.engine():
        done = eventually(lambda: bench.states(COMPLETION) == {"done": 1})

    assert done
    assert bench.task(bench.ids(COMPLETION)[0]).attempts == 2


def test_stopping_finishes_what_is_being_done_and_takes_nothing_new(bench: Bench) -> None:
    """A graceful stop leaves nothing running."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(claim: Claim, closing: Closing) -> Outcome:
        begun.set()
        go_on.wait(0.3)
        return bench.closing([])(claim, closing)

    bench.changes(50)
    with bench.engine(services={COMPLETION: slow}):
        begun.wait(10)
    states = bench.states(COMPLETION)

    assert "running" not in states
    assert states["done"] >= 1
    assert states["waiting"] >= 1


def test_several_workers_on_redis_do_every_task_once(shared: Bench, redis_url: str) -> None:
    """One relay, two workers, one Redis: each event arrives once and in order."""
    with receiver() as listening:
        mirror = shared.mirror(listening.url)
        shared.changes(200, deliveries=50)
        with (
            shared.engine(mirror=mirror, broker=_redis(redis_url), part=WORKER, holder="w1"),
            shared.engine(mirror=mirror, broker=_redis(redis_url), part=WORKER, holder="w2"),
            shared.engine(mirror=mirror, broker=_redis(redis_url), part=SCHEDULER, holder="s"),
        ):
            done = eventually(lambda: shared.states() == {"done": 400})
        truth = listening.state.truth()

    assert done
    assert (len(listening.taken), truth["out_of_order"], truth["duplicates"]) == (200, [], {})


def test_a_redis_that_lost_everything_costs_time_and_no_work(
    shared: Bench, redis_url: str, redis_service: RedisServer
) -> None:
    """The queue may be lost: what was sent and never claimed is sent again."""
    shared.changes(20)
    with shared.engine(broker=_redis(redis_url), part=SCHEDULER):
        sent = eventually(lambda: _sent(shared) > 0)
    redis_service.flush()
    with shared.database.write() as connection:
        long_ago = shared.database.now(connection) - timedelta(seconds=60)
        connection.execute(sa.update(tasks).where(tasks.c.sent_at.is_not(None)).values(sent_at=long_ago))
    with (
        shared.engine(broker=_redis(redis_url), part=SCHEDULER),
        shared.engine(broker=_redis(redis_url), part=WORKER),
    ):
        done = eventually(lambda: shared.states(COMPLETION) == {"done": 20})

    assert sent
    assert done


def test_a_redis_that_cannot_be_reached_is_one_error_of_ours() -> None:
    """The relay waits and tries again; nothing of the library's shows."""
    queue = Queue(_redis("redis://127.0.0.1:1/0"), [Post(name="orders", queue="orders", priority=0, handler=_nobody)])

    with pytest.raises(BrokerUnavailable):
        queue.send("orders", ["id1"])


def test_the_broker_in_memory_keeps_no_dead_letters() -> None:
    """Dramatiq's own would be kept for ever; ours are rows."""
    broker = in_memory_broker()
    ran = threading.Event()

    def failing(ids: list[str]) -> None:
        ran.set()
        raise ZeroDivisionError

    queue = Queue(broker, [Post(name="orders", queue="orders", priority=0, handler=failing)])
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=50)
    worker.start()
    queue.send("orders", ["id1"])
    done = ran.wait(10)
    worker.stop(timeout=2000)
    queue.close()

    assert done
    assert getattr(broker, "dead_letters", []) == []


def _sent(bench: Bench) -> int:
    with bench.database.read() as connection:
        return connection.execute(sa.select(sa.func.count()).where(tasks.c.sent_at.is_not(None))).scalar_one()


def _redis(url: str) -> dramatiq.Broker:
    return redis_broker(url, namespace="waybill-test")


def _nobody(ids: list[str]) -> None:
    with suppress(LookupError):
        ids.index("")
