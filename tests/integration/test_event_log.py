"""The event log: deterministic ids, growing sequences, tasks in the same transaction."""

import itertools
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from tests.clocks import NOON
from tests.databases import to_newest
from worker.clock import SystemClock
from worker.db import Database
from worker.db.tables import events, tasks
from worker.event_log import EventLog, Subscription, load_event
from worker.events import EventDraft, EventType
from worker.tasks import KindRule, Tasks


def _log() -> EventLog:
    numbers = itertools.count(1)
    desk = Tasks(rules={"mirror": KindRule(max_attempts=3)}, identity=lambda: f"id{next(numbers)}")
    mirror = Subscription("mirror", lambda draft: [f"{draft.source}|{draft.subject}"])
    return EventLog(tasks=desk, subscriptions={EventType.DELIVERY_APPEARED: [mirror]})


def _draft(fingerprint: str = "f1", *, subject: str = "deliveries/1", seconds: int = 0) -> EventDraft:
    return EventDraft(
        source="/accounts/acme.logistic.cloud",
        subject=subject,
        type=EventType.DELIVERY_APPEARED,
        time=NOON + timedelta(seconds=seconds),
        fingerprint=fingerprint,
        data={"status": "draft"},
    )


def test_an_event_gets_the_tasks_of_its_subscribers_in_the_same_transaction(database: Database) -> None:
    """A fact and the duties about it become visible together."""
    with database.write() as connection:
        (event,) = _log().append(connection, [_draft()], NOON)

    with database.read() as connection:
        joined = tasks.join(events, events.c.position == tasks.c.event_position)
        rows = connection.execute(sa.select(tasks.c.kind, tasks.c.subject, events.c.id).select_from(joined)).all()
    assert [tuple(row) for row in rows] == [("mirror", "/accounts/acme.logistic.cloud|deliveries/1", event.id)]


def test_sequences_of_a_subject_grow_also_where_stamps_do_not(database: Database) -> None:
    """Equal and older stamps still get a higher sequence, within one append and over several."""
    log = _log()
    with database.write() as connection:
        first = log.append(connection, [_draft("a"), _draft("b")], NOON)
        second = log.append(connection, [_draft("c", seconds=-60)], NOON)

    sequences = [event.sequence for event in [*first, *second]]
    assert sequences == sorted(set(sequences))


def test_the_same_fact_in_another_database_has_the_same_id_and_no_lower_sequence(tmp_path: Path) -> None:
    """A receiver drops what a worker repeats whose database was lost."""
    pair = []
    for name in ("first", "second"):
        database = _scratch(tmp_path / name)
        with database.write() as connection:
            pair.append(_log().append(connection, [_draft()], NOON)[0])
        database.close()

    assert pair[0].id == pair[1].id
    assert pair[0].sequence == pair[1].sequence


def test_a_new_database_goes_on_above_what_a_lost_one_told_in_the_same_second(tmp_path: Path) -> None:
    """Stamps are whole seconds, so the time of recording decides which fact a receiver takes for the newer."""
    lost, fresh = _scratch(tmp_path / "lost"), _scratch(tmp_path / "fresh")
    with lost.write() as connection:
        told = _log().append(connection, [_draft("a"), _draft("b"), _draft("c")], NOON + timedelta(seconds=1))
    with fresh.write() as connection:
        (anew,) = _log().append(connection, [_draft("d")], NOON + timedelta(seconds=2))
    lost.close()
    fresh.close()

    assert anew.sequence > max(event.sequence for event in told)


def test_the_tasks_of_a_kind_are_in_the_order_of_their_facts_whatever_types_those_have(database: Database) -> None:
    """What became of a delivery is told in the order in which it did, also where several types come together."""
    mirror = Subscription("mirror", lambda about: [f"{about.source}|{about.subject}"])
    types = [EventType.DELIVERY_VANISHED, EventType.DELIVERY_CHANGED] * 3
    desk = Tasks(rules={"mirror": KindRule(max_attempts=3)}, identity=lambda: "id1")
    log = EventLog(tasks=desk, subscriptions=dict.fromkeys(types, (mirror,)))
    with database.write() as connection:
        told = log.append(connection, [_draft(str(n))._replace(type=kind) for n, kind in enumerate(types)], NOON)

    with database.read() as connection:
        about = connection.execute(sa.select(tasks.c.event_position).order_by(tasks.c.number)).scalars().all()
        rows = connection.execute(sa.select(events.c.position, events.c.id).order_by(events.c.position)).all()
    assert [row.id for row in rows] == [event.id for event in told]
    assert [row.position for row in rows] == about


def test_a_fact_that_comes_true_again_is_another_event(database: Database) -> None:
    """A delivery that vanishes twice gives two events."""
    log = _log()
    with database.write() as connection:
        ids = {log.append(connection, [_draft()], NOON)[0].id for _ in range(3)}

    assert len(ids) == 3


def test_an_event_is_read_back_as_a_cloud_event(database: Database) -> None:
    """What the log gives out has every required attribute of CloudEvents 1.0."""
    with database.write() as connection:
        (event,) = _log().append(connection, [_draft()], NOON)
    with database.read() as connection:
        found = load_event(connection, event.id)
        missing = load_event(connection, "evt_none")

    assert missing is None
    assert found is not None
    document = found.cloud_event()
    assert document["specversion"] == "1.0"
    assert document["time"] == "2026-03-02T12:00:00.000Z"
    assert document["data"] == {"status": "draft"}


def test_appending_nothing_writes_nothing(database: Database) -> None:
    """An unchanged page costs no row."""
    with database.write() as connection:
        assert _log().append(connection, [], NOON) == []
        assert connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one() == 0


def _scratch(path: Path) -> Database:
    database = Database(f"sqlite:///{path}.db", SystemClock())
    to_newest(database)
    return database


def test_a_first_fact_said_twice_is_refused(database: Database) -> None:
    """Who says wrongly that nothing was told of a subject writes nothing: the database knows better."""
    first = _draft()._replace(first=True)
    with database.write() as connection:
        (event,) = _log().append(connection, [first], NOON)

    with pytest.raises(IntegrityError), database.write() as connection:
        _log().append(connection, [first], NOON)
    with database.read() as connection:
        assert connection.execute(sa.select(events.c.id)).scalars().all() == [event.id]
