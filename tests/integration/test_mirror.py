"""The mirror: signed events to a receiver over real HTTP, in order, with the published schedule."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
import structlog

from tests.runtime_kit import SECRET, Bench, eventually, receiver
from worker import switches
from worker.db import Database
from worker.db.schema import metadata
from worker.db.tables import events, tasks
from worker.kinds import MIRROR, RULES
from worker.mirror import Mirror
from worker.mirror_again import MirrorAgain

OTHER_SECRET = "whsec_YW5vdGhlciBzZWNyZXQgb2YgMzIgYnl0ZXMgLi4uLi4="


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """A bench with a webhook."""
    bench = Bench(database)
    yield bench
    bench.close()


def _deliver(bench: Bench, mirror: Mirror) -> None:
    """Post what may be posted now, and wait for what comes of it."""
    with bench.couriers(mirror) as couriers:
        couriers.hand(bench.ids(MIRROR))
        assert eventually(lambda: "running" not in bench.states(MIRROR))


def _switch(bench: Bench, *, on: bool) -> None:
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        switches.turn(connection, switches.WEBHOOK, on=on, reason="by hand", now=now)


def test_every_event_arrives_signed_and_its_task_is_done(bench: Bench) -> None:
    """One message of many ids: each event is posted, all are closed."""
    with receiver() as listening:
        appended = bench.changes(10, orders=False)
        _deliver(bench, bench.mirror(listening.url))

    assert sorted(listening.taken) == sorted((event.subject, event.sequence) for event in appended)
    assert listening.valid
    assert bench.states(MIRROR) == {"done": 10}


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


def test_an_event_that_is_not_in_the_log_any_more_is_given_up(bench: Bench) -> None:
    """There is nothing to post."""
    bench.changes(1, orders=False)
    with bench.database.write() as connection:
        connection.execute(sa.delete(events))
    with receiver() as listening:
        _deliver(bench, bench.mirror(listening.url))

    assert bench.states(MIRROR) == {"discarded": 1}


def test_a_receiver_that_is_gone_switches_the_mirror_off_until_a_person_acts(bench: Bench) -> None:
    """410: what was out comes back, nothing more is posted, nothing is lost, and the reason is kept."""
    with receiver(gone=1.0) as listening:
        bench.changes(30, orders=False)
        mirror = bench.mirror(listening.url)
        _deliver(bench, mirror)
        asked = listening.state.truth()["answers"]["gone"]
        _deliver(bench, mirror)
        asked_later = listening.state.truth()["answers"]["gone"]
    with bench.database.read() as connection:
        switch = switches.read(connection, switches.WEBHOOK)

    assert 1 <= asked <= 4, "no more than may be out at the start"
    assert asked_later == asked
    assert switch is not None
    assert not switch.on
    assert "410" in switch.reason
    assert bench.states(MIRROR) == {"waiting": 30}
    assert {bench.task(one).attempts for one in bench.ids(MIRROR)} == {0}


def test_switched_on_again_the_mirror_goes_on(bench: Bench) -> None:
    """What waited is delivered."""
    with receiver() as listening:
        bench.changes(3, orders=False)
        mirror = bench.mirror(listening.url)
        for on in (False, True):
            _switch(bench, on=on)
            _deliver(bench, mirror)

    assert bench.states(MIRROR) == {"done": 3}


def test_events_that_wait_go_to_the_new_address_with_the_new_secret(bench: Bench) -> None:
    """An event is signed when it is posted: nothing of the address or the secrets is kept with it."""
    with receiver(server_error=1.0) as former:
        bench.changes(5, orders=False)
        _deliver(bench, bench.mirror(former.url))
    with receiver() as present:
        present.state.secret = OTHER_SECRET
        _deliver(bench, bench.mirror(present.url, secrets=(OTHER_SECRET,)))

    assert bench.states(MIRROR) == {"done": 5}
    assert (len(present.taken), present.valid) == (5, True)


@pytest.mark.parametrize("knows", [SECRET, OTHER_SECRET])
def test_while_the_secret_changes_receivers_with_either_one_are_served(bench: Bench, knows: str) -> None:
    """Both signatures travel with every event, so neither side has to be first."""
    with receiver() as listening:
        listening.state.secret = knows
        bench.changes(3, orders=False)
        _deliver(bench, bench.mirror(listening.url, secrets=(OTHER_SECRET, SECRET)))

    assert bench.states(MIRROR) == {"done": 3}
    assert listening.valid


def test_secrets_are_kept_nowhere(bench: Bench) -> None:
    """Neither the rows with the reasons of failures nor the log hold them."""
    bench.changes(3, orders=False)
    with receiver(server_error=1.0) as failing, structlog.testing.capture_logs() as lines:
        _deliver(bench, bench.mirror(failing.url))
    with bench.database.read() as connection:
        rows = [str(tuple(row)) for table in metadata.sorted_tables for row in connection.execute(sa.select(table))]
    bare = SECRET.removeprefix("whsec_")

    assert any("HTTP 500" in row for row in rows)
    assert len(lines) == 3
    assert not any(bare in text for text in [*rows, *map(str, lines)])


def test_events_are_mirrored_again_by_hand(bench: Bench) -> None:
    """Each has one mirror task for ever: the old one is opened again, and one that never was is added."""
    with receiver() as listening:
        appended = bench.changes(3, orders=False)
        mirror = bench.mirror(listening.url)
        _deliver(bench, mirror)
        place = sa.select(events.c.position).where(events.c.id == appended[2].id).scalar_subquery()
        with bench.database.write() as connection:
            connection.execute(sa.delete(tasks).where(tasks.c.event_position == place))
        again = MirrorAgain(database=bench.database, tasks=bench.tasks)
        span = timedelta(minutes=1)
        with bench.database.read() as connection:
            now = bench.database.now(connection)
        counts = (again.one(appended[0].id), again.one("evt_unknown"), again.between(now - span, now + span))
        _deliver(bench, mirror)

    assert counts == (1, 0, 3)
    assert bench.states(MIRROR) == {"done": 3}
    assert len(listening.taken) == 6
