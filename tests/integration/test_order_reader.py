from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.logistic_cloud import DeliveryPage
from connectors.simulated.switches import PageOrder
from tests.clocks import NOON, ManualClock
from tests.reading_kit import ACCOUNT, Bench
from worker.db import Database
from worker.events import EventType, OrderKey

KEY = OrderKey(ACCOUNT, 1000050, "PO1")


@pytest.fixture
def bench(database: Database) -> Bench:
    """A polled account whose answers hold five rows."""
    bench = Bench(database, ManualClock(), page_size=5)
    bench.poll()
    return bench


def test_a_sibling_older_than_the_start_is_found(bench: Bench) -> None:
    """The list by purchase order has no time bound; one request where it fits one answer."""
    bench.put(1, at=NOON - timedelta(days=400))
    reading = bench.reading.order_reader.read(KEY)

    assert reading.proved
    assert (reading.delivery_ids, reading.requests) == ((1,), 1)
    assert reading.server_time == bench.clock.now()
    assert bench.held()[1].number == "LS1"


def test_a_long_order_is_read_by_a_pass(bench: Bench) -> None:
    """As many distinct deliveries as were counted before."""
    for key in range(1, 13):
        bench.put(key)
    reading = bench.reading.order_reader.read(KEY)

    assert reading.proved
    assert reading.delivery_ids == tuple(range(1, 13))


def test_a_list_that_moves_proves_nothing(database: Database) -> None:
    """Tried three times; then nothing may rely on it."""
    bench = Bench(database, ManualClock(), page_size=5, page_order=PageOrder.SHUFFLED)
    bench.poll()
    for key in range(1, 31):
        bench.put(key)
    reading = bench.reading.order_reader.read(KEY)

    assert not reading.proved
    assert "could not be read whole" in reading.reason


def test_rows_of_other_numbers_and_customers_are_recorded_and_left_out(bench: Bench) -> None:
    """A filter may ignore case; an order is its number byte for byte, and its customer."""
    bench.put(1)
    bench.put(2, customerId=7)
    bench.put(3, numberPurchaseOrder="po1")
    bench.client.fold_case = True
    reading = bench.reading.order_reader.read(KEY)

    assert reading.proved
    assert reading.delivery_ids == (1,)
    assert set(bench.held()) == {1, 2, 3}


def test_a_known_delivery_that_did_not_come_is_asked_for_by_id(bench: Bench) -> None:
    """Gone at the source: not visible. Moved to another order: recorded there."""
    bench.put(1)
    bench.put(2)
    bench.put(3)
    bench.reading.order_reader.read(KEY)
    bench.warehouse.remove(1)
    bench.put(2, numberPurchaseOrder="PO2")
    reading = bench.reading.order_reader.read(KEY)

    assert reading.proved
    assert reading.delivery_ids == (3,)
    assert not bench.held()[1].visible
    assert bench.held()[2].purchase_order == "PO2"
    assert len(bench.events(EventType.DELIVERY_VANISHED)) == 1


def test_a_list_that_leaves_out_what_is_there_by_id_proves_nothing(bench: Bench) -> None:
    """List and record contradict each other: no order is complete on that."""
    bench.put(1)
    bench.put(2)
    bench.reading.order_reader.read(KEY)
    bench.client.bend = lambda page: replace(page, records=page.records[1:], total=1)
    reading = bench.reading.order_reader.read(KEY)

    assert not reading.proved
    assert "1" in reading.reason
    assert bench.held()[1].visible


def test_a_broken_record_is_set_aside_and_does_not_count_as_left_out(bench: Bench) -> None:
    """It blocks its order by itself."""
    bench.put(1)
    bench.reading.order_reader.read(KEY)
    bench.put(1, statusInbound=None)
    reading = bench.reading.order_reader.read(KEY)

    assert reading.proved
    assert reading.delivery_ids == ()
    assert len(bench.events(EventType.RECORD_SET_ASIDE)) == 1


def test_a_cached_list_proves_nothing(bench: Bench) -> None:
    """An answer with an Age shows the past."""
    bench.put(1)
    bench.client.bend = _aged

    assert not bench.reading.order_reader.read(KEY).proved


def test_without_a_count_the_next_page_must_be_empty(database: Database) -> None:
    """X-Total missing costs a request."""
    bench = Bench(database, ManualClock(), page_size=5, x_total=False)
    bench.poll()
    bench.put(1)
    reading = bench.reading.order_reader.read(KEY)

    assert (reading.proved, reading.requests) == (True, 2)


def test_an_account_that_is_not_configured_is_named(bench: Bench) -> None:
    """A reading of an account that left the settings says so."""
    reading = bench.reading.order_reader.read(KEY._replace(account="other.logistic.cloud"))

    assert not reading.proved
    assert "other.logistic.cloud is not in the settings" in reading.reason


def _aged(page: DeliveryPage) -> DeliveryPage:
    return replace(page, age=9)
