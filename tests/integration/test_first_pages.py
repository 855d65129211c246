"""Whole pages of deliveries that were never seen: kept as they would be row by row, or not at all."""

import marshal
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.clocks import NOON, ManualClock
from tests.reading_kit import ACCOUNT, Bench, record
from worker.db import Database
from worker.db.tables import deliveries, events, tasks
from worker.db.upgrade import upgrade
from worker.event_log import EventLog, Subscription
from worker.events import EventType
from worker.reading.first_pages import FirstPage, FirstPages
from worker.reading.normalizer import INBOUND_STATUSES, PRIORITIES, STATUSES, normalize
from worker.reading.observations import Circumstances, Observations, Observed
from worker.reading.prepared import Prepared, prepare
from worker.tasks import KindRule, Tasks

KINDS = ("completion", "mirror", "respond")
STAMPS = st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0"))
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=12)
ITEMS = st.lists(
    st.fixed_dictionaries(
        {"status": st.sampled_from([*INBOUND_STATUSES, "odd"]), "quantity": st.integers(-(10**6), 10**6)}
    ),
    max_size=3,
)
RECORDS = st.fixed_dictionaries(
    {
        "id": st.integers(1, 40),
        "customerId": st.integers(0, 3),
        "status": st.sampled_from([*STATUSES, "odd"]),
        "statusInbound": st.sampled_from([*INBOUND_STATUSES, "odd"]),
        "number": TEXT,
        "updatedAt": STAMPS,
    },
    optional={
        "numberExternal": st.none() | TEXT,
        "numberPurchaseOrder": st.none() | st.sampled_from([" ", "PO1", "PO2", "PO|3"]) | TEXT,
        "priority": st.none() | st.sampled_from([*PRIORITIES, "odd"]),
        "createdAt": st.none() | STAMPS,
        "lineItems": st.none() | ITEMS,
        "note": TEXT,
    },
)
PAGES = st.lists(st.lists(RECORDS, max_size=4), min_size=1, max_size=3)
TABLES = (deliveries, events, tasks)


def _log() -> EventLog:
    """One with every kind of subscriber: by order, by subject, and by what the document says."""
    interested = [
        Subscription("completion", lambda about: [key.text for key in about.orders]),
        Subscription("mirror", lambda about: (f"{about.source}|{about.subject}",)),
        Subscription("respond", lambda about: (about.data["delivery"]["number"], str(about.type))),
    ]
    desk = Tasks(rules=dict.fromkeys(KINDS, KindRule(max_attempts=1)), identity=lambda: "0123456789abcdef")
    return EventLog(tasks=desk, subscriptions={EventType.DELIVERY_APPEARED: interested})


def _first(pages: Sequence[Sequence[object]]) -> list[FirstPage] | None:
    """The pages as another process prepares them."""
    made = [prepare(ACCOUNT, orjson.dumps(page)) for page in pages]
    if any(rows is None for rows in made):
        return None
    sent = [marshal.loads(marshal.dumps(rows)) for rows in made]  # noqa: S302 - made above
    return [FirstPage(Prepared(rows), turn, _proof(turn)) for turn, rows in enumerate(sent, 1)]


def _proof(turn: int) -> dict[str, object]:
    return {"kind": "pass", "since": None, "until": "2026-03-02T12:00:00Z", "turn": turn}


def _everything(database: Database) -> list[list[tuple[Any, ...]]]:
    with database.read() as connection:
        return [[tuple(row) for row in connection.execute(sa.select(table))] for table in TABLES]


def _empty(database: Database) -> None:
    with database.write() as connection:
        for table in reversed(TABLES):
            connection.execute(sa.delete(table))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """One database for all examples, emptied before each."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('first')}/w.db", ManualClock())
    upgrade(database)
    Bench(database, ManualClock()).poll()
    return database


@settings(deadline=None, max_examples=150)
@given(pages=PAGES)
def test_pages_are_kept_as_they_would_be_row_by_row(store: Database, pages: list[list[dict[str, object]]]) -> None:
    """The same deliveries, the same events with the same ids, and the same tasks."""
    first = _first(pages)
    if first is None:
        return
    _empty(store)
    with store.write() as connection:
        kept = FirstPages(_log()).record(connection, first, ACCOUNT, NOON)
    fast = _everything(store)
    ids = [raw["id"] for page in pages for raw in page]
    if len(set(ids)) < len(ids):
        assert kept is None
        assert fast == [[], [], []]
        return
    _empty(store)
    observed = [Observed(normalize(raw), turn, _proof(turn)) for turn, page in enumerate(pages, 1) for raw in page]
    with store.write() as connection:
        circumstances = Circumstances(account=ACCOUNT, server_time=NOON, now=NOON)
        recorded = Observations(_log()).record(connection, observed, circumstances)

    assert kept == len(recorded.appeared) == len(ids)
    assert _without_positions(fast) == _without_positions(_everything(store))


def _without_positions(found: list[list[tuple[Any, ...]]]) -> list[list[tuple[Any, ...]]]:
    """The rows that were deleted before have taken theirs; the order is the same."""
    rows, log, duties = found
    return [rows, [row[1:] for row in log], [row[1:] for row in duties]]


def test_pages_are_kept_alike_on_both_databases(database: Database) -> None:
    """Several pages, in their order, with their own turns."""
    Bench(database, ManualClock()).poll()
    page = [{"id": key, **record(f"LS{key}"), "updatedAt": "2026-03-01T00:00:00Z"} for key in (3, 1, 2)]
    other = [{"id": 9, **record("LS9"), "updatedAt": "2026-03-01T00:00:00Z"}]
    first = _first([page, other])
    assert first is not None
    with database.write() as connection:
        assert FirstPages(_log()).record(connection, first, ACCOUNT, NOON) == 4

    with database.read() as connection:
        told = connection.execute(sa.select(events.c.subject, events.c.data).order_by(events.c.position)).all()
        held = connection.execute(sa.select(deliveries.c.id, deliveries.c.turn).order_by(deliveries.c.id)).all()
    assert [(row.subject, row.data["turn"]) for row in told if row.subject != "coverage"] == [
        ("deliveries/3", 1),
        ("deliveries/1", 1),
        ("deliveries/2", 1),
        ("deliveries/9", 2),
    ]
    assert [tuple(row) for row in held] == [(1, 1), (2, 1), (3, 1), (9, 2)]


def _wanted(*keys: int) -> list[FirstPage]:
    page = [{"id": key, **record(f"LS{key}"), "updatedAt": "2026-03-01T00:00:00Z"} for key in keys]
    first = _first([page])
    assert first is not None
    return first


def test_where_one_of_them_is_held_nothing_is_kept(database: Database) -> None:
    """Then every row has to be compared with what is held."""
    Bench(database, ManualClock()).poll()
    pages = FirstPages(_log())
    with database.write() as connection:
        assert pages.record(connection, _wanted(2), ACCOUNT, NOON) == 1
        assert pages.record(connection, _wanted(1, 2, 3), ACCOUNT, NOON) is None

    with database.read() as connection:
        assert connection.execute(sa.select(deliveries.c.id)).scalars().all() == [2]


def test_where_a_record_was_set_aside_about_one_of_them_nothing_is_kept(database: Database) -> None:
    """A record that parses at last closes what was set aside, and frees the orders that it blocked."""
    Bench(database, ManualClock()).poll()
    broken = normalize({"id": 2, **record("LS2"), "customerId": "none", "updatedAt": "2026-03-01T00:00:00Z"})
    circumstances = Circumstances(account=ACCOUNT, server_time=NOON, now=NOON)
    with database.write() as connection:
        assert Observations(_log()).record(connection, [Observed(broken, 1)], circumstances).set_aside == 1
        assert FirstPages(_log()).record(connection, _wanted(1, 2, 3), ACCOUNT, NOON) is None
        assert FirstPages(_log()).record(connection, _wanted(5), ACCOUNT, NOON) == 1


def test_an_empty_page_is_kept_as_nothing(database: Database) -> None:
    """The end of a list tells nothing."""
    Bench(database, ManualClock()).poll()
    with database.write() as connection:
        assert FirstPages(_log()).record(connection, [FirstPage(Prepared([]), 1, {})], ACCOUNT, NOON) == 0
