"""Orders that no task speaks of any more."""

from collections.abc import Iterator

import pytest

from tests.order_store import KEY, OrderStore, row
from tests.runtime_kit import Bench
from worker.db import Database
from worker.events import OrderKey
from worker.kinds import COMPLETION, FIRING
from worker.runtime.forgotten import Forgotten


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """Tasks of a database."""
    bench = Bench(database)
    yield bench
    bench.close()


def test_an_order_whose_task_was_lost_gets_another_one(bench: Bench) -> None:
    """One that nobody decided about is looked at, a complete one without a firing fired; one waiting task is enough."""
    store = OrderStore(bench.database)
    store.deliver()
    store.link(row())
    store.look()
    store.deliver(2, purchase_order="PO-2")
    forgotten = Forgotten(database=bench.database, tasks=bench.tasks)

    found = forgotten.run(), forgotten.run()

    subjects = {kind: [bench.task(identity).subject for identity in bench.ids(kind)] for kind in (COMPLETION, FIRING)}
    assert found == (2, 2)
    assert subjects == {COMPLETION: [OrderKey(KEY.account, KEY.customer_id, "PO-2").text], FIRING: [KEY.text]}


def test_where_nothing_is_forgotten_nothing_is_written(bench: Bench) -> None:
    """Every order was decided about, and the complete one has its firing."""
    store = OrderStore(bench.database)
    store.deliver()
    store.link(row())
    store.look()
    store.fire("planned", {})

    assert Forgotten(database=bench.database, tasks=bench.tasks).run() == 0
    assert bench.states() == {}
