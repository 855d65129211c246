"""Completion as a service: rows, events, readings at the source."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.errors import Interrupted
from tests.order_kit import ACCOUNT, CREDIT_ORDER, CUSTOMER, NOON, NUMBER
from tests.order_store import KEY, QUIET, OrderStore, nothing, row
from tests.plans import plans_of
from tests.recheck_kit import rechecked
from worker.customers.linking import LinkBy, names_by_order, names_by_value
from worker.db import Database
from worker.db.tables import orders, set_aside
from worker.events import OrderKey
from worker.explain.readings import deliveries_of
from worker.orders.link_row import LinkRow
from worker.orders.link_rows import LinkRows
from worker.orders.order_facts import load_facts
from worker.orders.order_rows import complete_without_firing, find_orders, list_orders, never_looked_at
from worker.states import OrderState
from worker.work import Done

LOOSE = row()
EXACT = row(account=ACCOUNT, customer_id=CUSTOMER)
OTHER = OrderKey(ACCOUNT, 8, NUMBER)


@pytest.fixture
def store(database: Database) -> OrderStore:
    """An empty database of orders."""
    return OrderStore(database)


def completed(store: OrderStore, *links: LinkRow) -> None:
    """Let PO-1 become complete."""
    store.deliver()
    store.link(*links)
    assert store.look()[0] == "complete"


def test_a_completed_order_is_read_at_the_source_and_told_with_its_task_closed(store: OrderStore) -> None:
    """Complete, the event and the closed task commit together, after one reading."""
    closed: list[str] = []
    store.deliver(1)
    store.deliver(2, updated_at=NOON - timedelta(hours=1))
    store.link()

    outcome = store.completion.look(KEY, lambda _connection: closed.append("closed"))

    found, (event,) = store.order(), store.told()
    assert outcome == Done()
    assert closed == ["closed"]
    assert (found.state, found.deliveries, found.completed, found.newest_at) == ("complete", 2, 2, NOON)
    assert (found.look_at, found.read_hash is not None, found.read_at is not None) == (None, True, True)
    assert store.source.readings == 1
    assert (event.type, event.subject) == ("waybill.order.completed", f"orders/{CUSTOMER}/{NUMBER}")
    assert (event.source, event.time) == (f"/accounts/{ACCOUNT}", NOON)
    assert event.data["deliveries"] == [1, 2]
    assert event.data["credit_order_id"] == CREDIT_ORDER
    assert event.data["content_hash"] == found.content_hash


def test_the_same_facts_looked_at_twice_write_nothing_new(store: OrderStore) -> None:
    """No row changes, no event, no second reading."""
    completed(store)
    before = store.order()

    assert store.look()[0] == "complete"

    assert store.order() == before
    assert store.types() == ["completed"]
    assert store.source.readings == 1


def test_the_point_before_the_commit_is_a_named_one(store: OrderStore) -> None:
    """A crash test can kill the worker between the decision and its commit."""
    completed(store)

    assert store.passed == ["completion: decided"]


def test_an_order_is_not_written_when_closing_its_task_fails(store: OrderStore) -> None:
    """Whoever lost the task must not have its effect either."""
    store.deliver(status="error")

    def lost(_connection: sa.Connection) -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        store.completion.look(KEY, lost)

    assert store.told() == []


def test_an_order_settles_until_the_source_was_quiet_and_then_completes(store: OrderStore) -> None:
    """It is looked at again when the quiet time ends; until then the source is not asked."""
    store.source.now = NOON + timedelta(seconds=QUIET - 100)
    store.deliver()
    store.link()
    state, _ = store.look()
    waiting = store.order()

    store.source.now = NOON + timedelta(seconds=QUIET)
    asked_early = store.source.readings
    later, _ = store.look()

    assert (state, later, asked_early) == ("settling", "complete", 0)
    assert waiting.look_at - waiting.changed_at == timedelta(seconds=100)
    assert store.order().look_at is None


def test_a_sibling_older_than_the_start_is_found_by_the_reading(store: OrderStore) -> None:
    """The order is not called complete where the source shows a delivery that polling could not see."""
    store.deliver()
    store.link()
    store.source.appearing = [{"number": 9, "status": "processing", "updated_at": NOON - timedelta(days=90)}]

    state, reason = store.look()

    assert state == "open"
    assert "delivery 9 is processing" in reason
    assert store.types() == []


def test_an_old_sibling_that_is_completed_is_counted_with_the_same_reading(store: OrderStore) -> None:
    """What the reading found is what it confirmed."""
    store.deliver()
    store.link()
    store.source.appearing = [{"number": 9, "updated_at": NOON - timedelta(days=90)}]

    assert store.look()[0] == "complete"
    assert store.order().deliveries == 2
    assert store.source.readings == 1


def test_a_change_that_the_reading_found_starts_the_quiet_time_again(store: OrderStore) -> None:
    """A fresh stamp is a fresh change, wherever it was read."""
    store.deliver()
    store.link()
    store.source.appearing = [{"number": 2, "updated_at": store.source.now}]

    assert store.look()[0] == "settling"
    assert store.order().read_hash is None


def test_a_reading_that_could_not_be_proved_confirms_nothing(store: OrderStore) -> None:
    """The order goes on settling, says why, and is looked at again."""
    store.source.proved = False
    store.deliver()
    store.link()

    state, reason = store.look()

    assert state == "settling"
    assert "The list moved while it was read; it is repeated" in reason
    assert store.order().look_at is not None


def test_a_failing_source_leaves_an_order_that_will_be_looked_at_again(store: OrderStore) -> None:
    """The error reaches the runtime, the task stays open, and the row itself owes a look."""
    store.source.failure = Interrupted("logistic.cloud", "list deliveries", "no answer")
    store.deliver()
    store.link()

    with pytest.raises(Interrupted):
        store.look()

    found = store.order()
    assert found.state == "settling"
    assert found.look_at is not None
    assert store.told() == []


def test_an_order_that_nobody_linked_costs_no_reading(store: OrderStore) -> None:
    """Unlinked is shown; the source is asked once a link says that it matters."""
    store.deliver()

    assert store.look()[0] == "unlinked"
    assert (store.source.readings, store.types()) == (0, [])


def test_a_complete_order_that_changes_is_told_as_reopened(store: OrderStore) -> None:
    """A sibling appears before anything was sent: reopened, and completed again later with other contents."""
    completed(store)
    store.deliver(2, status="processing")
    reopened, _ = store.look()
    store.deliver(2, updated_at=NOON)
    again, _ = store.look()

    assert (reopened, again) == ("open", "complete")
    assert store.types() == ["completed", "reopened", "completed"]
    assert len({event.id for event in store.told()}) == 3


def test_a_changed_link_of_a_complete_order_is_told_again(store: OrderStore) -> None:
    """Other kilograms are other terms, and firing hears of them; the deliveries need not be read again."""
    completed(store)

    store.link(row(credit_kg=8))
    store.look()

    assert store.types() == ["completed", "completed"]
    assert store.source.readings == 1


def test_a_vanished_delivery_blocks_until_it_returns_and_is_read_again(store: OrderStore) -> None:
    """Blocked once, told once; when it is back the source is asked anew."""
    completed(store)
    store.deliver(visible=False)
    assert store.look()[0] == "blocked"
    assert store.look()[0] == "blocked"
    store.deliver(visible=True)

    assert store.look()[0] == "complete"
    assert store.types() == ["completed", "reopened", "blocked", "completed"]
    assert store.source.readings == 2


def test_a_cancelled_order_is_told(store: OrderStore) -> None:
    """All deliveries cancelled: told once."""
    store.deliver(status="cancelled")

    assert store.look()[0] == "cancelled"
    assert store.look()[0] == "cancelled"
    assert store.types() == ["cancelled"]


@pytest.mark.parametrize(
    "aside",
    [
        {},
        {"customer_id": None},
        {"delivery_id": 1, "customer_id": None, "purchase_order": None},
    ],
)
def test_a_record_set_aside_blocks_the_order_that_it_may_belong_to(store: OrderStore, aside: dict[str, Any]) -> None:
    """By number and customer, by number with the customer unknown, or by the delivery's id; until it is closed."""
    store.deliver()
    store.link(EXACT)
    store.put_aside(**aside)
    state, reason = store.look()
    with store.database.write() as connection:
        connection.execute(sa.update(set_aside).values(closed_at=NOON))

    assert state == "blocked"
    assert "was set aside: The field id is missing" in reason
    assert store.look()[0] == "complete"


def test_a_record_of_another_customer_does_not_block(store: OrderStore) -> None:
    """What can be read of it says that it belongs elsewhere."""
    store.deliver()
    store.link(EXACT)
    store.put_aside(customer_id=8)

    assert store.look()[0] == "complete"


def test_an_order_of_which_only_a_broken_record_is_known_is_blocked(store: OrderStore) -> None:
    """Nothing else is known of it, and the reason is shown."""
    store.put_aside()

    assert store.look()[0] == "blocked"
    assert store.order().deliveries == 0


def test_an_order_that_nobody_knows_of_leaves_no_row(store: OrderStore) -> None:
    """A task about a number that no delivery has any more is closed, and that is all."""
    assert store.completion.look(KEY, nothing) == Done()
    with store.database.read() as connection:
        assert connection.execute(sa.select(orders)).all() == []


def test_a_second_customer_with_the_number_holds_both_orders_of_a_loose_link(store: OrderStore) -> None:
    """The first order is looked at again because the second appeared; an exact link lets it go on."""
    completed(store, LOOSE)
    store.deliver(2, customer_id=8)
    second, _ = store.look(OTHER)
    touched = store.order().look_at
    first, _ = store.look()
    store.link(EXACT)

    assert (first, second) == ("blocked", "blocked")
    assert touched is not None
    assert store.look()[0] == "complete"
    assert store.look(OTHER)[0] == "blocked"


def test_a_delivery_that_was_counted_elsewhere_holds_the_order_that_it_joins(store: OrderStore) -> None:
    """It is paid for already; refused means that nothing was."""
    completed(store)
    store.fire("confirmed", store.contents())
    store.deliver(purchase_order="PO-2")
    store.link(row(purchase_order="PO-2"))
    joined = OrderKey(ACCOUNT, CUSTOMER, "PO-2")

    state, reason = store.look(joined)

    assert state == "blocked"
    assert reason == "delivery 1 was already counted for order PO-1 of customer 7"


@pytest.mark.parametrize("state", ["sending", "ambiguous", "needs_person", "confirmed"])
def test_a_sibling_after_sending_began_is_told_once_as_late(store: OrderStore, state: str) -> None:
    """An alert that names the delivery, once for what it looks like."""
    completed(store)
    store.fire(state, store.contents())
    store.deliver(2)
    store.look()
    store.look()

    late = [event for event in store.told() if event.type.endswith("late_sibling")]
    assert [event.data["late"] for event in late] == [[2]]


def test_a_counted_delivery_that_changes_or_leaves_is_late_too(store: OrderStore) -> None:
    """What was counted is compared with what is there: changed, and moved to another number."""
    completed(store)
    store.fire("confirmed", store.contents())
    store.deliver(number_external="changed")
    store.look()
    store.deliver(purchase_order="PO-2")
    store.look()

    assert [event.data["late"] for event in store.told() if event.type.endswith("late_sibling")] == [[1], [1]]


@pytest.mark.parametrize("state", ["planned", "held", "withdrawn"])
def test_a_sibling_before_sending_began_is_not_late(store: OrderStore, state: str) -> None:
    """The order is reopened, which is enough to take the plan back."""
    completed(store)
    store.fire(state, {})
    store.deliver(2, status="draft")
    store.look()

    assert store.types() == ["completed", "reopened"]


def test_a_firing_found_again_after_a_loss_makes_nothing_late_that_was_there_before(store: OrderStore) -> None:
    """What it counted is lost too: only what changes after the order was read again is late."""
    store.link()
    store.deliver(1, status="processing")
    store.look()
    store.fire("confirmed", {})
    store.deliver(1)
    store.look()
    before = store.types()
    store.deliver(2)
    store.look()

    assert before == ["completed"]
    assert [event.data["late"] for event in store.told() if event.type.endswith("late_sibling")] == [[1, 2]]


def test_a_recheck_reads_afresh_and_says_what_it_found(store: OrderStore) -> None:
    """Just before firing: the same content is complete, a new sibling takes the order back and is written down."""
    completed(store)

    same = rechecked(store.completion, KEY)
    store.source.appearing = [{"number": 2, "status": "draft"}]
    other = rechecked(store.completion, KEY)

    assert (same.state, other.state) == (OrderState.COMPLETE, OrderState.OPEN)
    assert same.content_hash != other.content_hash
    assert same.completed_at == NOON
    assert same.link is not None
    assert store.order().state == "open"
    assert store.source.readings == 3


def test_a_recheck_that_finds_a_second_customer_holds_the_order(store: OrderStore) -> None:
    """Also at the reading before firing: a loose link holds every order of the number."""
    completed(store)
    store.source.appearing = [{"number": 2, "customer_id": 8}]

    assert rechecked(store.completion, KEY).state is OrderState.BLOCKED


def test_an_unproved_recheck_says_settling_and_writes_nothing(store: OrderStore) -> None:
    """Nothing may rely on it, and nothing is taken back because of it."""
    completed(store)
    store.source.proved = False

    standing = rechecked(store.completion, KEY)

    assert standing.state is OrderState.SETTLING
    assert "could not be relied on" in standing.reason
    assert store.order().state == "complete"


def test_a_standing_is_what_we_hold(store: OrderStore) -> None:
    """It asks nobody, writes nothing, and sees what no look has seen yet."""
    completed(store)
    store.deliver(2, status="error")

    with store.database.read() as connection:
        standing = store.completion.standing(connection, KEY)

    assert (standing.state, len(standing.deliveries)) == (OrderState.BLOCKED, 2)
    assert store.order().state == "complete"


def test_the_same_facts_in_a_lost_database_make_the_same_event(database: Database) -> None:
    """Ids are hashes of facts: a receiver drops what it has."""
    store = OrderStore(database)
    completed(store)
    first = store.told()[0].id
    with database.write() as connection:
        connection.execute(sa.text("DELETE FROM events"))
        connection.execute(sa.delete(orders))

    store.look()

    assert [event.id for event in store.told()] == [first]


def test_two_workers_that_look_at_once_tell_an_order_once(store: OrderStore) -> None:
    """The row is locked or inserted by one; the other goes on from what it decided."""
    store.deliver()
    store.link()
    workers = [threading.Thread(target=store.completion.look, args=(KEY, nothing)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert store.types() == ["completed"]
    assert store.order().state == "complete"


def test_orders_are_listed_with_the_keys_that_scripts_rely_on(store: OrderStore) -> None:
    """The listing of DESIGN §8, with the credit order of the link."""
    completed(store)
    store.deliver(2, purchase_order="PO-2", status="processing")
    store.look(OrderKey(ACCOUNT, CUSTOMER, "PO-2"))

    with store.database.read() as connection:
        listed = list(list_orders(connection, store.links))
        open_ones = list(list_orders(connection, store.links, state="open", limit=5))

    assert listed[0] == {
        "account": ACCOUNT,
        "customer_id": CUSTOMER,
        "purchase_order": NUMBER,
        "state": "complete",
        "reason": "complete: 1 delivery, read at the source",
        "deliveries": 1,
        "completed": 1,
        "credit_order_id": CREDIT_ORDER,
    }
    assert [(order["purchase_order"], order["credit_order_id"]) for order in open_ones] == [("PO-2", None)]


def test_rows_are_found_that_lost_tasks_would_have_forgotten(store: OrderStore) -> None:
    """Complete without a firing, and known from deliveries but never decided; a blank number is no order."""
    completed(store)
    store.deliver(2, purchase_order="PO-2")
    store.deliver(3, purchase_order="  ")
    store.deliver(4, purchase_order="\t")
    store.deliver(5, purchase_order=None)

    with store.database.read() as connection:
        assert complete_without_firing(connection, 10) == [KEY]
        assert never_looked_at(connection, 1) == [OrderKey(ACCOUNT, CUSTOMER, "PO-2")]
        assert find_orders(connection, NUMBER) == [KEY]
        assert find_orders(connection, NUMBER, account=ACCOUNT, customer_id=CUSTOMER) == [KEY]
        assert find_orders(connection, NUMBER, customer_id=8) == []


@pytest.mark.parametrize(
    "asked",
    [
        lambda connection: never_looked_at(connection, 1),
        lambda connection: load_facts(connection, KEY, LinkRows()),
        lambda connection: names_by_order(connection, KEY, LinkBy.NUMBER_PURCHASE_ORDER),
        lambda connection: names_by_value(connection, {NUMBER, "PO-2"}, LinkBy.NUMBER_PURCHASE_ORDER),
        lambda connection: deliveries_of(connection, KEY, [3, 4]),
    ],
    ids=["never looked at", "facts", "of an order", "by value", "explained"],
)
def test_deliveries_are_found_by_their_number_in_its_index(
    tmp_path: Path, asked: Callable[[sa.Connection], object]
) -> None:
    """It holds only those with a number, and a database takes it only where the question says as much."""
    plans = plans_of(tmp_path, asked, "FROM deliveries")

    assert all("ix_deliveries_order" in plan or "(account=? AND id=?)" in plan for plan in plans)
