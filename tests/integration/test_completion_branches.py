"""Every branch of completion (DESIGN §5) in one table: the case itself, or the test that holds it."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.order_kit import ACCOUNT, CUSTOMER, NUMBER
from tests.order_store import KEY, OrderStore, row
from worker.db import Database
from worker.event_log import EventLog
from worker.events import OrderKey, order_key
from worker.firing.rows import FiringRows, wake_orders_sharing
from worker.tasks import Tasks

OTHER_ACCOUNT = "other.logistic.cloud"
# A link that names account and customer: it means one order whoever else uses the number.
EXACT = row(account=ACCOUNT, customer_id=CUSTOMER)


@pytest.fixture
def store(database: Database) -> OrderStore:
    """A database in which a test puts deliveries and links."""
    return OrderStore(database)


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch: how it comes about, and what the order then is and says."""

    name: str
    arrange: Callable[[OrderStore], object]
    state: str
    words: str


def _deliver(*changes: dict[str, object], link: object = EXACT) -> Callable[[OrderStore], None]:
    def arrange(store: OrderStore) -> None:
        for number, change in enumerate(changes, start=1):
            store.deliver(number, **change)
        if link is not None:
            store.link(link)  # type: ignore[arg-type]

    return arrange


def _record_in_doubt(store: OrderStore) -> None:
    _deliver({})(store)
    store.put_aside(customer_id=None)


def _counted_for_another(store: OrderStore) -> None:
    store.deliver(1, purchase_order="PO-0")
    other = OrderKey(ACCOUNT, CUSTOMER, "PO-0")
    store.link(row(purchase_order="PO-0"))
    store.look(other)
    store.fire("confirmed", store.contents(other), key=other)
    _deliver({}, {})(store)


def _older_sibling(store: OrderStore) -> None:
    _deliver({})(store)
    store.source.appearing.append({"number": 2, "status": "draft"})


BRANCHES = (
    Branch("all completed", _deliver({}, {}), "complete", "complete: 2 deliveries"),
    Branch("one cancelled", _deliver({}, {"status": "cancelled"}), "complete", "complete: 1 delivery"),
    Branch("all cancelled", _deliver({"status": "cancelled"}), "cancelled", "every delivery was cancelled"),
    Branch("one on its way", _deliver({}, {"status": "processing"}), "open", "delivery 2 is processing"),
    Branch("no link", _deliver({}, link=None), "unlinked", "no link says what pays"),
    Branch(
        "fewer than expected",
        _deliver({}, link=row(account=ACCOUNT, customer_id=CUSTOMER, expected_deliveries=2)),
        "open",
        "1 of 2 expected deliveries",
    ),
    Branch(
        "exactly as expected",
        _deliver({}, {}, {"status": "cancelled"}, link=row(expected_deliveries=2)),
        "complete",
        "2 deliveries",
    ),
    Branch("more than expected", _deliver({}, {}, link=row(expected_deliveries=1)), "blocked", "expects 1"),
    Branch("open-ended", _deliver({}, {}, {}, link=row(open_ended=True)), "complete", "3 deliveries"),
    *(
        Branch(f"{field} {value}", _deliver({}, {field: value}), "blocked", f"delivery 2 has {words} {value}")
        for field, words in (("status", "status"), ("status_inbound", "inbound status"))
        for value in ("error", "unknown", "onHold")
    ),
    Branch(
        "a status that is not known",
        _deliver({}, {"status": "melted", "unrecognised": ["status=melted"]}),
        "blocked",
        "does not know: status=melted",
    ),
    Branch(
        "an inbound status that is not known",
        _deliver({}, {"status_inbound": "lost", "unrecognised": ["statusInbound=lost"]}),
        "blocked",
        "does not know: statusInbound=lost",
    ),
    Branch("a sibling that vanished", _deliver({}, {"visible": False}), "blocked", "no longer visible"),
    Branch("a sibling set aside", _record_in_doubt, "blocked", "was set aside"),
    Branch("a sibling older than the start", _older_sibling, "open", "delivery 2 is draft"),
    Branch("a delivery counted for another order", _counted_for_another, "blocked", "already counted for order PO-0"),
    Branch(
        "two customers, a link that names none",
        _deliver({}, {"customer_id": 8}, link=row()),
        "blocked",
        "does not say",
    ),
    Branch("two customers, a link that names one", _deliver({}, {"customer_id": 8}), "complete", "1 delivery"),
    Branch(
        "two accounts, a link that names none",
        _deliver({}, {"account": OTHER_ACCOUNT}, link=row()),
        "blocked",
        "does not say",
    ),
    Branch("two accounts, a link that names one", _deliver({}, {"account": OTHER_ACCOUNT}), "complete", "1 delivery"),
    Branch("a sibling with a blank number", _deliver({}, {"purchase_order": " "}), "complete", "1 delivery"),
    Branch("a number that differs in a blank", _deliver({}, {"purchase_order": "PO-1 "}), "complete", "1 delivery"),
)

# What takes more than one look, with the module and the test that holds it.
HELD_ELSEWHERE = {
    "settling until the source was quiet": (
        "tests.integration.test_completion",
        "test_an_order_settles_until_the_source_was_quiet_and_then_completes",
    ),
    "a reading that could not be proved": (
        "tests.integration.test_completion",
        "test_a_reading_that_could_not_be_proved_confirms_nothing",
    ),
    "a vanished sibling that returns": (
        "tests.integration.test_completion",
        "test_a_vanished_delivery_blocks_until_it_returns_and_is_read_again",
    ),
    "an order that re-opens before sending": (
        "tests.integration.test_firing",
        "test_an_order_that_reopens_before_sending_is_withdrawn_and_planned_again",
    ),
    "an order that re-opens after a request was frozen": (
        "tests.integration.test_firing_doubt",
        "test_an_order_that_reopens_after_a_request_was_frozen_is_held",
    ),
    "a late sibling": (
        "tests.integration.test_completion",
        "test_a_sibling_after_sending_began_is_told_once_as_late",
    ),
    "a counted delivery that changes or leaves": (
        "tests.integration.test_completion",
        "test_a_counted_delivery_that_changes_or_leaves_is_late_too",
    ),
    "a second customer that the reading before firing finds": (
        "tests.integration.test_completion",
        "test_a_recheck_that_finds_a_second_customer_holds_the_order",
    ),
    "a record without a customer that is told to every order of its number": (
        "tests.integration.test_observations",
        "test_a_record_without_a_customer_has_every_order_of_its_number_looked_at",
    ),
    "a count that automatic mode requires": (
        "tests.unit.test_link_file",
        "test_automatic_mode_wants_to_know_how_many_deliveries_there_will_be",
    ),
}


@pytest.mark.parametrize("branch", BRANCHES, ids=[branch.name for branch in BRANCHES])
def test_every_branch_leads_to_its_state_and_says_why(store: OrderStore, branch: Branch) -> None:
    """The state and the reason of PO-1, as one look finds them."""
    branch.arrange(store)

    state, reason = store.look()

    assert (state, branch.words in reason) == (branch.state, True), reason


@pytest.mark.parametrize("place", HELD_ELSEWHERE.values(), ids=HELD_ELSEWHERE.keys())
def test_what_is_held_elsewhere_is_there(place: tuple[str, str]) -> None:
    """A branch whose test is renamed or removed is noticed here."""
    module, name = place

    assert callable(getattr(importlib.import_module(module), name, None))


@pytest.mark.parametrize("number", [None, "", " ", "\t", "\u00a0"])
def test_a_blank_number_makes_no_order(number: str | None) -> None:
    """No number, no order, whatever the blank is made of."""
    assert order_key(ACCOUNT, CUSTOMER, number) is None
    assert order_key(ACCOUNT, CUSTOMER, NUMBER) == KEY


def test_an_order_goes_on_once_the_firing_that_counted_its_delivery_was_refused(store: OrderStore) -> None:
    """Refused: it is proved that nothing went out, so whoever has the delivery now is looked at again."""
    _counted_for_another(store)
    blocked, _ = store.look()
    rows = FiringRows(
        database=store.database,
        event_log=EventLog(tasks=Tasks(rules={}, identity=lambda: "unused"), subscriptions={}),
    )
    with store.database.write() as connection:
        (firing,) = rows.of_order(connection, OrderKey(ACCOUNT, CUSTOMER, "PO-0"))
        wake_orders_sharing(connection, firing, store.source.now)

    assert blocked == "blocked"
    assert store.order().look_at == store.source.now
    assert store.order(OrderKey(ACCOUNT, CUSTOMER, "PO-0")).look_at != store.source.now
