"""The mirror: signed events to a receiver over real HTTP, in order, with the published schedule."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.runtime_kit import Bench, receiver
from worker import switches
from worker.db import Database
from worker.db.tables import events, tasks
from worker.kinds import MIRROR, MIRROR_SCHEDULE, RULES
from worker.mirror import Mirror
from worker.mirror_again import MirrorAgain


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """A bench with a webhook."""
    bench = Bench(database)
    yield bench
    bench.close()


def _deliver(bench: Bench, mirror: Mirror) -> None:
    bench.runner({}).run_batch(bench.ids(MIRROR), mirror.deliver)


def test_every_event_arrives_signed_and_its_task_is_done(bench: Bench) -> None:
    """One message of many ids: each event is posted, all are closed."""
    with receiver() as listening:
        appended = bench.changes(10, orders=False)
        _deliver(bench, bench.mirror(listening.url))

    assert sorted(listening.taken) == sorted((event.subject, event.sequence) for event in appended)
    assert listening.valid
    assert bench.states(MIRROR) == {"done": 10}


def test_a_receiver_that_fails_is_tried_again_by_the_schedule(bench: Bench) -> None:
    """The first wait is the first of the published schedule, and the attempt counts."""
    with receiver(server_error=1.0) as listening:
        bench.changes(1, orders=False)
        _deliver(bench, bench.mirror(listening.url))
    task = bench.task(bench.ids(MIRROR)[0])

    assert (task.state, task.attempts) == ("waiting", 1)
    assert (
        timedelta(seconds=0)
        < task.due_at - task.created_at - timedelta(seconds=MIRROR_SCHEDULE[0])
        < timedelta(seconds=20)
    )


def test_after_the_last_try_the_event_is_a_dead_letter_and_its_subject_goes_on(bench: Bench) -> None:
    """One event that cannot be delivered does not hold up those after it for ever."""
    bench.changes(2, deliveries=1, orders=False)
    first, second = bench.ids(MIRROR)
    with bench.database.write() as connection:
        last = RULES[MIRROR].max_attempts - 1
        connection.execute(sa.update(tasks).where(tasks.c.id == first).values(attempts=last))
    with receiver(server_error=1.0) as failing:
        _deliver(bench, bench.mirror(failing.url))
    with receiver() as listening:
        _deliver(bench, bench.mirror(listening.url))

    assert [bench.task(one).state for one in (first, second)] == ["discarded", "done"]
    assert len(listening.taken) == 1


def test_a_receiver_that_is_gone_switches_the_mirror_off_until_a_person_acts(bench: Bench) -> None:
    """410: nothing more is posted, nothing is lost, and the reason is kept."""
    with receiver(gone=1.0) as listening:
        bench.changes(5, orders=False)
        mirror = bench.mirror(listening.url)
        _deliver(bench, mirror)
        _deliver(bench, mirror)
        asked = listening.state.truth()["answers"]
    with bench.database.read() as connection:
        switch = switches.read(connection, switches.WEBHOOK)

    assert asked == {"gone": 1}
    assert switch is not None
    assert not switch.on
    assert "410" in switch.reason
    assert bench.states(MIRROR) == {"waiting": 5}
    assert {bench.task(one).attempts for one in bench.ids(MIRROR)} == {0}


def test_switched_on_again_the_mirror_goes_on(bench: Bench) -> None:
    """What waited is delivered."""
    with receiver() as listening:
        bench.changes(3, orders=False)
        mirror = bench.mirror(listening.url)
        for on in (False, True):
            with bench.database.write() as connection:
                now = bench.database.now(connection)
                switches.turn(connection, switches.WEBHOOK, on=on, reason="by hand", now=now)
            _deliver(bench, mirror)

    assert bench.states(MIRROR) == {"done": 3}


def test_an_event_that_is_not_in_the_log_any_more_is_given_up(bench: Bench) -> None:
    """There is nothing to post."""
    bench.changes(1, orders=False)
    with bench.database.write() as connection:
        connection.execute(sa.delete(events))
    with receiver() as listening:
        _deliver(bench, bench.mirror(listening.url))

    assert bench.states(MIRROR) == {"discarded": 1}


def test_events_are_mirrored_again_by_hand(bench: Bench) -> None:
    """Each has one mirror task for ever: the old one is opened again, and one that never was is added."""
    with receiver() as listening:
        appended = bench.changes(3, orders=False)
        mirror = bench.mirror(listening.url)
        _deliver(bench, mirror)
        with bench.database.write() as connection:
            connection.execute(sa.delete(tasks).where(tasks.c.event_id == appended[2].id))
        again = MirrorAgain(database=bench.database, tasks=bench.tasks)
        span = timedelta(minutes=1)
        with bench.database.read() as connection:
            now = bench.database.now(connection)
        counts = (again.one(appended[0].id), again.one("evt_unknown"), again.between(now - span, now + span))
        _deliver(bench, mirror)

    assert counts == (1, 0, 3)
    assert bench.states(MIRROR) == {"done": 3}
    assert len(listening.taken) == 6
