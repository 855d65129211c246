"""Whole pages of deliveries that were never seen: kept as they would be row by row, or not at all."""

import marshal
import uuid
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.answer import Answer
from connectors.logistic_cloud import UnreadPage
from tests.clocks import NOON, ManualClock
from tests.reading_kit import ACCOUNT, Bench, record
from worker.db import Database
from worker.db.tables import deliveries, events, set_aside, tasks
from worker.db.upgrade import upgrade
from worker.event_log import EventLog, Subscription
from worker.events import EventType
from worker.reading.first_pages import FirstPages
from worker.reading.normalizer import INBOUND_STATUSES, PRIORITIES, STATUSES, normalize
from worker.reading.observations import Circumstances, Observations, Observed, Recorded
from worker.reading.prepared import Prepared, prepare
from worker.reading.read_page import Gathered, ReadPage, page_of, prepared_page
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
CIRCUMSTANCES = Circumstances(account=ACCOUNT, server_time=NOON, now=NOON)
PAGE_SIZE = 250


def _log() -> EventLog:
    """One with every kind of subscriber: by order, by subject, and by what the document says."""
    interested = [
        Subscription("completion", lambda about: about.order_subjects),
        Subscription("mirror", lambda about: (f"{about.source}|{about.subject}",)),
        Subscription("respond", lambda about: (about.data["delivery"]["number"], str(about.type))),
    ]
    desk = Tasks(rules=dict.fromkeys(KINDS, KindRule(max_attempts=1)), identity=lambda: uuid.uuid4().hex)
    return EventLog(tasks=desk, subscriptions={EventType.DELIVERY_APPEARED: interested})


def _gathered(pages: Sequence[Sequence[object]], *, prepared: bool = True) -> list[Gathered]:
    """The pages as another process prepares them, those that it can."""
    return [Gathered(_page(page, turn, prepared=prepared), _proof(turn)) for turn, page in enumerate(pages, 1)]


def _page(records: Sequence[object], turn: int, *, prepared: bool) -> ReadPage:
    answer = Answer(status=200, body=orjson.dumps(records), turn=turn)
    unread = UnreadPage(answer=answer, total=None, page_size=None, server_time=NOON, age=0, turn=turn)
    rows = prepare(ACCOUNT, answer.body) if prepared else None
    if rows is None:
        return page_of(unread.read(), PAGE_SIZE)
    return prepared_page(unread, Prepared(*marshal.loads(marshal.dumps(rows))), PAGE_SIZE)  # noqa: S302 - made above


def _proof(turn: int) -> dict[str, object]:
    return {"kind": "pass", "since": None, "until": "2026-03-02T12:00:00Z", "turn": turn}


def _keep(database: Database, gathered: Sequence[Gathered]) -> Recorded:
    """What the recorder does: whole pages, and the others row by row."""
    with database.write() as connection:
        left = FirstPages(_log()).record(connection, gathered, ACCOUNT, NOON)
        observed = [Observed(record, page.turn, proof) for page, proof in left for record in page.records]
        return Observations(_log()).record(connection, observed, CIRCUMSTANCES)


def _everything(database: Database) -> list[list[tuple[Any, ...]]]:
    """Rows, events and tasks, but for the places where they stand: those of whole pages come first."""
    with database.read() as connection:
        rows, log, duties = [connection.execute(sa.select(table)).all() for table in TABLES]
    told = {row.position: row.id for row in log}
    return [
        sorted(map(tuple, rows), key=str),
        sorted((tuple(row[1:]) for row in log), key=str),
        sorted(((told[row.event_position], row.kind, row.subject, *row[5:]) for row in duties), key=str),
    ]


def _empty(database: Database) -> None:
    with database.write() as connection:
        for table in (*TABLES, set_aside):
            connection.execute(sa.delete(table))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """One database for all examples, emptied before each."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('first')}/w.db", ManualClock())
    upgrade(database)
    Bench(database, ManualClock()).poll()
    return database


@settings(deadline=None, max_examples=60)
@given(before=st.lists(RECORDS, max_size=3), pages=PAGES)
def test_pages_are_kept_as_they_would_be_row_by_row(
    store: Database, before: list[dict[str, object]], pages: list[list[dict[str, object]]]
) -> None:
    """The same deliveries, the same events with the same ids, and the same tasks, whatever is held before."""
    known = [Observed(normalize(raw), 0) for raw in before]
    found = []
    for prepared in (True, False):
        _empty(store)
        with store.write() as connection:
            Observations(_log()).record(connection, known, CIRCUMSTANCES)
        recorded = _keep(store, _gathered(pages, prepared=prepared))
        found.append((_everything(store), recorded.suspicious))

    assert found[0] == found[1]


def _delivery(key: int, **changes: object) -> dict[str, object]:
    return {"id": key, **record(f"LS{key}"), "updatedAt": "2026-03-01T00:00:00Z", **changes}


def _record(database: Database, gathered: Sequence[Gathered]) -> list[int]:
    """The turns of the pages that are left to be looked at."""
    with database.write() as connection:
        left = FirstPages(_log()).record(connection, gathered, ACCOUNT, NOON)
    return [page.turn for page, _ in left]


def test_pages_are_kept_in_their_order_with_their_own_turns(database: Database) -> None:
    """On both databases."""
    Bench(database, ManualClock()).poll()
    assert _record(database, _gathered([[_delivery(3), _delivery(1), _delivery(2)], [_delivery(9)]])) == []

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


def test_a_page_with_a_delivery_that_is_held_is_left(database: Database) -> None:
    """It has to be compared with what is held; the page beside it is kept."""
    Bench(database, ManualClock()).poll()
    assert _record(database, _gathered([[_delivery(2)]])) == []
    assert _record(database, _gathered([[_delivery(1), _delivery(2)], [_delivery(4)]])) == [1]

    with database.read() as connection:
        assert connection.execute(sa.select(deliveries.c.id).order_by(deliveries.c.id)).scalars().all() == [2, 4]


def test_pages_that_share_a_delivery_are_left_also_where_one_was_not_prepared(database: Database) -> None:
    """Which of them counts is judged by their turns and stamps together."""
    Bench(database, ManualClock()).poll()
    pages = [[_delivery(1), _delivery(2)], [_delivery(2, customerId="none")], [_delivery(4)]]

    assert _record(database, _gathered(pages)) == [1, 2]


def test_a_page_with_a_delivery_of_which_a_record_was_set_aside_is_left(database: Database) -> None:
    """A record that parses at last closes what was set aside, and frees the orders that it blocked."""
    Bench(database, ManualClock()).poll()
    broken = normalize(_delivery(2, customerId="none"))
    with database.write() as connection:
        assert Observations(_log()).record(connection, [Observed(broken, 1)], CIRCUMSTANCES).set_aside == 1

    assert _record(database, _gathered([[_delivery(1), _delivery(2), _delivery(3)], [_delivery(5)]])) == [1]


def test_an_empty_page_is_kept_as_nothing(database: Database) -> None:
    """The end of a list tells nothing."""
    Bench(database, ManualClock()).poll()

    assert _record(database, _gathered([[]])) == []
