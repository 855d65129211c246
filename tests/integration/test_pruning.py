"""Pruning: what is old and needed by nobody goes; what explains a credit delivery stays for ever."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from tests.runtime_kit import ACCOUNT, Bench
from worker.db import Database
from worker.db.tables import counted_deliveries, deliveries, events, firings, orders, tasks
from worker.kinds import COMPLETION, MIRROR
from worker.runtime.pruning import Pruned, Pruning
from worker.states import FiringState, OrderState, TaskState
from worker.tasks import NewTask

OLD = timedelta(days=100)


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """A bench with a webhook."""
    bench = Bench(database)
    yield bench
    bench.close()


def _age(bench: Bench, *, done: bool = True) -> datetime:
    """Make everything old, and all tasks done."""
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        connection.execute(sa.update(events).values(recorded_at=now - OLD))
        if done:
            connection.execute(sa.update(tasks).values(state=TaskState.DONE, ended_at=now - OLD))
    return now


def _prune(bench: Bench) -> Pruned:
    return Pruning(database=bench.database, retention_days=90).run()


def _fired(bench: Bench, number: int) -> None:
    """The order of a delivery has a firing."""
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        order = {
            "account": ACCOUNT,
            "customer_id": 7,
            "purchase_order": f"PO {number}",
            "state": OrderState.COMPLETE,
            "reason": "",
            "deliveries": 1,
            "completed": 1,
            "content_hash": "",
            "changed_at": now,
        }
        order_id = connection.execute(sa.insert(orders).values(**order).returning(orders.c.id)).scalar_one()
        firing = {
            "order_id": order_id,
            "ordinal": 0,
            "state": FiringState.PLANNED,
            "reason": "",
            "held_by_person": False,
            "resend_allowed": False,
            "repins": 0,
            "created_at": now,
            "changed_at": now,
        }
        firing_id = connection.execute(sa.insert(firings).values(**firing).returning(firings.c.id)).scalar_one()
        counted = {"firing_id": firing_id, "account": ACCOUNT, "delivery_id": number, "content_hash": ""}
        connection.execute(sa.insert(counted_deliveries).values(**counted))


def _member(bench: Bench, delivery: int, order: int) -> None:
    """A delivery that shares an order's number."""
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        connection.execute(
            sa.insert(deliveries).values(
                account=ACCOUNT,
                id=delivery,
                customer_id=7,
                status="completed",
                status_inbound="booked",
                number=str(delivery),
                purchase_order=f"PO {order}",
                updated_at=now,
                raw="{}",
                content_hash="",
                turn=1,
                visible=True,
                stamp_went_back=False,
                unrecognised=[],
                first_seen_at=now,
                changed_at=now,
            )
        )


def _subjects(bench: Bench) -> set[str]:
    with bench.database.read() as connection:
        return set(connection.execute(sa.select(events.c.subject)).scalars())


def test_old_events_go_with_their_tasks_and_recent_ones_stay(bench: Bench) -> None:
    """The retention is counted from when an event was recorded."""
    bench.changes(1200)
    _age(bench)
    bench.changes(1, deliveries=5000)

    assert _prune(bench) == Pruned(tasks=0, events=1200)
    assert bench.states() == {"waiting": 2}
    assert _prune(bench) == Pruned(tasks=0, events=0)


def test_old_jobs_that_are_done_go_and_dead_letters_stay(bench: Bench) -> None:
    """A dead letter waits for a person, however long."""
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        done, dead = bench.tasks.add(
            connection, [NewTask(kind="poll", subject="a"), NewTask(kind="poll", subject="b")], now
        )
        for identity, state in ((done, TaskState.DONE), (dead, TaskState.DISCARDED)):
            ended = sa.update(tasks).where(tasks.c.id == identity).values(state=state, ended_at=now - OLD)
            connection.execute(ended)

    assert _prune(bench).tasks == 1
    assert bench.task(dead).state == "discarded"


@pytest.mark.parametrize("kind", [COMPLETION, MIRROR])
def test_an_event_that_a_subscriber_still_wants_stays(bench: Bench, kind: str) -> None:
    """An open task or a dead letter is about it."""
    bench.changes(2)
    _age(bench)
    kept = bench.ids(kind)[0]
    with bench.database.write() as connection:
        opened = sa.update(tasks).where(tasks.c.id == kept).values(state=TaskState.WAITING, ended_at=None)
        connection.execute(opened)

    assert _prune(bench).events == 1
    assert bench.task(kept).state == "waiting"


def test_what_explains_a_credit_delivery_is_never_pruned(bench: Bench) -> None:
    """A delivery that was counted, and one that shares its order, keep their whole history."""
    bench.changes(4)
    _fired(bench, 1)
    _member(bench, delivery=2, order=1)
    _age(bench)
    _prune(bench)

    assert _subjects(bench) == {"deliveries/1", "deliveries/2"}
