"""Long lists whose pages are prepared: what is kept of them as a whole, and what is looked at row by row."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from connectors.logistic_cloud import DeliveryQuery
from tests.clocks import ManualClock
from tests.preparing_kit import SameProcess
from tests.reading_kit import START, Bench
from worker.db import Database, tables
from worker.db.upgrade import upgrade
from worker.reading import accounts, coverage
from worker.reading.coverage import Proof
from worker.reading.preparer import Preparer
from worker.reading.recorder import Tally
from worker.reading.spans import Window, second_of
from worker.reading.window_job import Job

ROWS = 200
PAGE = 10


def _bench(database: Database, *, x_total: bool = True) -> Bench:
    bench = Bench(database, ManualClock(), page_size=PAGE, prepared=True, x_total=x_total)
    for number in range(ROWS):
        bench.put(1000 + number, at=START + timedelta(minutes=5 * number))
    return bench


def _read(bench: Bench) -> None:
    for _ in range(60):
        if not bench.poll().pending:
            return


@pytest.fixture
def bench(sqlite_database: Database) -> Bench:
    """An account whose every list is long."""
    return _bench(sqlite_database)


def test_what_is_known_already_is_compared_row_by_row(bench: Bench) -> None:
    """Read anew with another key, nothing appears twice, and what changed is seen."""
    _read(bench)
    bench.source = replace(bench.source, key_fingerprint="second-key")
    bench.restart()
    bench.put(1003, status="processing")
    _read(bench)
    bench.poll(2)

    assert bench.differences() == {}
    assert len(bench.events("waybill.delivery.appeared")) == ROWS
    assert len(bench.events("waybill.delivery.changed")) == 1


def test_a_record_that_does_not_parse_is_set_aside(bench: Bench) -> None:
    """A page with an odd record is looked at record by record; the others on it are taken."""
    bench.put(1100, customerId="none")
    _read(bench)

    assert len(bench.held()) == ROWS - 1
    assert len(bench.events("waybill.record.set_aside")) == 1


def test_rows_that_come_late_are_told(bench: Bench) -> None:
    """A prepared page with rows of a certified second raises the lag as any other, though all on it is new."""
    _read(bench)
    bench.poll(2)
    for number in range(PAGE):
        bench.put(5000 + number, at=START + timedelta(minutes=7))
    query = DeliveryQuery(updated_min=START + timedelta(minutes=6), updated_max=START + timedelta(minutes=8))
    page, tally = next(bench.source.pages(query, PAGE)), Tally()
    bench.reading.recorder.record(bench.source, page, proof={}, tally=tally)

    assert page.prepared is not None
    assert len(tally.late) == tally.appeared == PAGE
    with bench.database.read() as connection:
        assert accounts.find(connection, bench.source.name).lag_raised_at is not None


def test_rows_are_late_also_where_another_process_certifies_at_the_same_moment(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is certified is looked up behind the account's lock, which whoever certifies holds as well."""
    clock = ManualClock()
    database = Database(postgres_url, clock)
    upgrade(database)
    bench = Bench(database, clock, page_size=PAGE, prepared=True)
    bench.poll()
    at = bench.clock.now()
    for number in range(PAGE):
        bench.put(5000 + number)
    page, tally = next(bench.source.pages(DeliveryQuery(updated_min=at), PAGE)), Tally()
    lock, certified = accounts.lock, Window(second_of(at) - 60, second_of(at) + 60)

    def late_lock(connection: sa.Connection, account: str) -> None:
        monkeypatch.setattr(accounts, "lock", lock)
        with database.write() as other:
            accounts.lock(other, account)
            coverage.certify(other, account, certified, Proof(kind="pass", rows=0, requests=1))
        lock(connection, account)

    monkeypatch.setattr(accounts, "lock", late_lock)
    bench.reading.recorder.record(bench.source, page, proof={}, tally=tally)
    database.close()

    assert page.prepared is not None
    assert len(tally.late) == tally.appeared == PAGE


def test_an_account_that_fails_in_the_middle_keeps_the_process_from_nobody(bench: Bench) -> None:
    """While it is suspended in a list, others have theirs prepared."""
    assert bench.source.long_lists is not None
    pages = bench.source.pages(DeliveryQuery(), ROWS)
    next(pages)
    body = bench.source.long_lists.client.ask_for_deliveries(DeliveryQuery(), page=9, page_size=PAGE).body
    with bench.source.long_lists.preparer.preparing("other", body) as prepared:
        assert prepared() is not None
    pages.close()


def test_who_wants_the_news_gets_them(bench: Bench) -> None:
    """A sweep tells which deliveries it found, so every row is looked at."""
    _read(bench)
    for number in range(PAGE):
        bench.put(5000 + number)
    query = DeliveryQuery(updated_min=bench.clock.now())
    page, tally = next(bench.source.pages(query, PAGE)), Tally(news=[])
    bench.reading.recorder.record(bench.source, page, proof={}, tally=tally)

    assert page.prepared is not None
    assert [item.id for item in tally.news or ()] == [5000 + number for number in range(PAGE)]


@pytest.mark.parametrize("prepared", [True, False])
def test_an_answer_that_was_asked_for_its_count_alone_is_not_kept(sqlite_database: Database, *, prepared: bool) -> None:
    """A pass begins with the same rows: of a quiet list every row is taken once."""
    bench = _bench(sqlite_database)
    window = Window(second_of(START) - 60, second_of(START) + 300 * ROWS)
    source = bench.source if prepared else replace(bench.source, long_lists=None)
    known = {"name": source.name, "start": 0, "key_fingerprint": source.key_fingerprint, "lag_seconds": 60.0}
    with sqlite_database.write() as connection:
        connection.execute(sa.insert(tables.accounts), known)
    job = Job(source=source, received=bench.clock.now(), tally=Tally())
    for _ in bench.reading.windows.read(job, window):
        pass

    assert (job.tally.rows, job.tally.appeared) == (ROWS, ROWS)
    assert job.tally.requests == len(bench.client.requests)


def test_a_list_is_asked_for_up_to_its_end_and_not_beyond(bench: Bench) -> None:
    """The count says which pages there are, the last one short or empty; only then is one asked for beforehand."""
    pages = bench.source.pages(DeliveryQuery(), ROWS)
    for _ in range(ROWS // PAGE + 1):
        page = next(pages)
    pages.close()

    assert page.shape.rows == 0
    assert len(bench.client.requests) == ROWS // PAGE + 1


def test_a_long_list_is_expected_once_it_is_counted(bench: Bench) -> None:
    """The process takes a while to start, so it is started before the list is read."""
    started: list[SameProcess] = []

    def start() -> SameProcess:
        started.append(SameProcess())
        return started[-1]

    assert bench.source.long_lists is not None
    lists = replace(bench.source.long_lists, preparer=Preparer(lambda: 0.0, start=start, cores=2), long=15)
    source = replace(bench.source, long_lists=lists)
    source.page(DeliveryQuery(updated_max=START + timedelta(minutes=5 * 14 * PAGE)), 0)
    assert started == []
    source.page(DeliveryQuery(), 0)

    assert len(started) == 1


def test_without_a_count_no_list_is_long(sqlite_database: Database) -> None:
    """Nobody knows whether there is a next page."""
    bench = _bench(sqlite_database, x_total=False)
    pages = bench.source.pages(DeliveryQuery(), None)

    assert next(pages).prepared is None
    pages.close()


def test_a_body_that_is_no_list_is_told_as_ever(bench: Bench) -> None:
    """What cannot be prepared is looked at, and found to be what it is."""
    bench.client.bend = lambda page: replace(page, records=("no delivery",))
    pages = bench.source.pages(DeliveryQuery(), ROWS)
    page = next(pages)

    assert page.prepared is None
    assert page.records[0].identity
    pages.close()
