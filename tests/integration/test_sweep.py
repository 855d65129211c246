from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from connectors.logistic_cloud import DeliveryPage
from tests.clocks import NOON, ManualClock
from tests.reading_kit import ACCOUNT, Bench, record
from worker.db import Database
from worker.db.tables import accounts, links
from worker.events import EventType
from worker.reading.accounts import find
from worker.reading.headway import Headway
from worker.reading.sweep import SweepReport

DAYS = 0.5


@pytest.fixture
def bench(database: Database) -> Bench:
    """A polled account with deliveries of the last hours, three of them not final."""
    bench = Bench(database, ManualClock())
    for key in range(1, 11):
        status = "approved" if key < 4 else "completed"
        bench.put(key, at=NOON - timedelta(hours=key), status=status)
    bench.poll()
    return bench


def swept(bench: Bench) -> SweepReport:
    """A sweep of half a day, nobody listening."""
    return bench.reading.sweep.run(bench.source, DAYS, _ignored)


def test_a_sweep_that_finds_nothing_new_writes_nothing(bench: Bench) -> None:
    """It re-reads the span and what is not final, and says when."""
    before = bench.held(), bench.events(), bench.spans()
    report = swept(bench)

    assert (report.appeared, report.changed, report.vanished, report.findings, report.unread) == (0, 0, 0, (), ())
    assert (bench.held(), bench.events(), bench.spans()) == before
    with bench.database.read() as connection:
        assert connection.execute(sa.select(accounts.c.swept_at)).scalar_one() == bench.clock.now()


def test_what_polling_had_not_seen_is_told_with_the_reason(bench: Bench) -> None:
    """A row that came into a certified second long after it was read."""
    bench.put(50, at=NOON - timedelta(hours=5))
    report = swept(bench)

    assert report.appeared == 1
    assert [finding.delivery_id for finding in report.findings] == [50]
    assert "later than the lag" in report.findings[0].why


def test_a_delivery_not_yet_final_that_vanished_is_noticed_whatever_its_age(bench: Bench) -> None:
    """Soft deletes show up in no window."""
    bench.warehouse.remove(2)
    report = swept(bench)

    assert report.vanished == 1
    assert not bench.held()[2].visible


def test_a_delivery_that_is_visible_again_is_seen_whatever_its_age(bench: Bench) -> None:
    """Access was lost for a while, and what changed meanwhile lies in seconds that were certified without it."""
    bench.put(3, at=NOON - timedelta(hours=20), status="approved")
    bench.put(4, at=NOON - timedelta(hours=20), status="approved")
    swept(bench)
    bench.warehouse.remove(3)
    bench.warehouse.remove(4)
    gone = swept(bench)
    bench.put(3, at=NOON - timedelta(hours=19), status="completed")
    bench.client.requests.clear()
    report = swept(bench)

    assert (gone.vanished, report.returned, report.vanished) == (2, 1, 0)
    assert (bench.held()[3].visible, bench.held()[3].status) == (True, "completed")
    assert "id 4" not in bench.client.requests


def test_deliveries_are_asked_for_in_lists_of_ids(bench: Bench) -> None:
    """A page of ids costs one request."""
    for key in range(100, 110):
        bench.put(key, at=NOON - timedelta(hours=3))
    bench.poll()
    swept(bench)
    bench.client.requests.clear()
    bench.warehouse.remove(100)
    swept(bench)

    assert sum(told.startswith("ids=") for told in bench.client.requests) == 1
    assert [told for told in bench.client.requests if told.startswith("id ")] == ["id 100"]


def test_open_linked_orders_are_read_by_number(bench: Bench) -> None:
    """Also those that were never seen, because they are older than the start."""
    bench.put(70, at=NOON - timedelta(days=90), numberPurchaseOrder="PO-OLD")
    with bench.database.write() as connection:
        connection.execute(sa.insert(links), [_link("PO-OLD"), _link("PO-NONE")])
    report = swept(bench)

    assert 70 in bench.held()
    assert [finding.delivery_id for finding in report.findings] == [70]
    assert "older than the start" in report.findings[0].why


def test_what_could_not_be_read_is_told(database: Database) -> None:
    """A sweep states nothing that it did not read completely."""
    bench = Bench(database, ManualClock(), page_size=5, x_total=False)
    for key in range(1, 41):
        bench.put(key, at=NOON - timedelta(seconds=600), status="completed")
    bench.poll(3)
    report = swept(bench)

    assert report.unread != ()


def test_an_account_that_was_never_polled_has_no_span(database: Database) -> None:
    """There is no server time to judge by."""
    bench = Bench(database, ManualClock())
    with bench.database.write() as connection:
        bench.reading.accounts.ensure(connection, bench.source, NOON)

    assert swept(bench).unread == ("The account was never polled.",)


def test_a_final_delivery_that_vanished_from_the_span_is_noticed(bench: Bench) -> None:
    """It is in no list of what is open, but the span that was re-read does not show it any more."""
    bench.warehouse.remove(8)
    report = swept(bench)

    assert report.vanished == 1
    assert not bench.held()[8].visible
    assert bench.events(EventType.DELIVERY_VANISHED)[0].subject == "deliveries/8"


def test_ids_are_asked_for_250_at_once(database: Database) -> None:
    """600 deliveries that are not final are three requests, wherever their stamps lie."""
    bench = Bench(database, ManualClock())
    for key in range(1, 601):
        bench.put(key, at=NOON - timedelta(hours=20, seconds=key))
    bench.poll(3)
    bench.client.requests.clear()
    swept(bench)

    assert [told.count(",") + 1 for told in bench.client.requests if told.startswith("ids=")] == [250, 250, 100]


def test_what_a_sweep_found_is_kept_with_the_account(bench: Bench) -> None:
    """Whoever looks in the morning sees it, though the job's own row was pruned."""
    bench.put(50, at=NOON - timedelta(hours=5))
    report = swept(bench)
    with bench.database.read() as connection:
        account = find(connection, ACCOUNT)

    assert account.swept_at == bench.clock.now()
    assert account.sweep_report is not None
    assert account.sweep_report["findings"] == [{"delivery_id": 50, "why": report.findings[0].why}]


def test_a_sweep_tells_how_far_it_has_come(bench: Bench) -> None:
    """In requests, by what we hold: it states nothing about coverage."""
    words: list[Headway] = []
    bench.reading.sweep.run(bench.source, DAYS, words.append)

    assert words != []
    assert all(0.0 < word.share < 1.0 for word in words)
    assert [word.share for word in words] == sorted(word.share for word in words)


def _link(number: str) -> dict[str, object]:
    return {
        "account": ACCOUNT,
        "customer_id": 0,
        "purchase_order": number,
        "credit_order_id": "ord_1",
        "open_ended": True,
        "batches": [],
        "imported_at": NOON,
    }


def _ignored(progress: Headway) -> None:
    del progress


def test_hidden_deliveries_are_asked_for_with_an_end(sqlite_database: Database) -> None:
    """A source that shows the same full page whatever is asked for keeps no sweep for ever."""
    bench = Bench(sqlite_database, ManualClock(), page_size=5)
    for key in range(1, 8):
        bench.put(key, at=NOON - timedelta(seconds=600))
    bench.poll(3)
    for key in range(1, 8):
        bench.warehouse.remove(key)
    swept(bench)
    bench.client.requests.clear()
    full = tuple({"id": key, **record(f"LS{key}", updatedAt="2026-03-02T11:50:00Z")} for key in range(1, 6))

    def bend(page: DeliveryPage) -> DeliveryPage:
        assert len(bench.client.requests) < 50
        return replace(page, records=full) if _by_ids(bench) else page

    bench.client.bend = bend
    swept(bench)

    assert any(told.startswith("ids=") for told in bench.client.requests)


def _by_ids(bench: Bench) -> bool:
    return bench.client.requests[-1].startswith("ids=")
