"""Couriers: many subjects side by side, each in order; a receiver that fails for some delays no other. Counted."""

import threading
from collections import Counter
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.runtime_kit import Bench, Listening, bench_at, eventually, receiver
from worker.clock import SystemClock
from worker.db.tables import events, tasks
from worker.dead_letters import DeadLetters
from worker.errors import DatabaseUnavailable
from worker.kinds import COMPLETION, MIRROR
from worker.letters import Which
from worker.pace import REFUSALS
from worker.reading.observations import Observations
from worker.runtime.engine import Part
from worker.runtime.relay import limits_of
from worker.runtime.runner import SETTLING
from worker.runtime.slots import Places
from worker.states import TaskState

# Of every subject that is well, so many events.
EACH = 4
SUBJECTS = 60


DATABASE = "sqlite"
# Threads for claims and for everything else.
ONE_THREAD = Part(threads=1, relays=True, shared=False)


class FailingSettling:
    """The database is away at the end of so many transactions that settle."""

    def __init__(self, failures: int) -> None:
        self.left = failures

    def __call__(self, name: str) -> None:
        """Pass a point."""
        if name == SETTLING and self.left:
            self.left -= 1
            raise DatabaseUnavailable(DATABASE, "away")


@pytest.fixture
def bench(sqlite_url: str) -> Iterator[Bench]:
    """A bench with a webhook."""
    with bench_at(sqlite_url) as bench:
        yield bench


def _answered(listening: Listening, fault: str) -> int:
    return int(listening.state.truth()["answers"].get(fault, 0))


@pytest.mark.parametrize("fault", ["hang", "server_error", "reset", "throttled"])
def test_subjects_that_are_well_get_everything_while_others_fail(bench: Bench, fault: str) -> None:
    """A fifth of the subjects fail for as long as the test lasts; the others are told all of theirs meanwhile.

    The receiver hangs longer than the test waits, so nobody who is well can have waited for one who hangs.
    """
    switches = {fault: 1.0, "subjects": 0.2, "hang_seconds": 300.0, "retry_after_seconds": 3600}
    with receiver(**switches) as listening:
        appended = bench.changes(SUBJECTS * EACH, deliveries=SUBJECTS, orders=False)
        failing = {event.subject for event in appended if listening.meets_faults(event.subject)}
        well = sorted((event.subject, event.sequence) for event in appended if event.subject not in failing)
        mirror = bench.mirror(listening.url, seconds=120.0)
        with bench.engine(mirror=mirror):
            done = eventually(lambda: bench.states(MIRROR).get("done", 0) >= len(well))
            truth = listening.state.truth()
            taken = [one for one in listening.taken if one[0] not in failing]
            listening.stop()

    assert 4 < len(failing) < SUBJECTS / 2
    assert done
    assert sorted(set(taken)) == well
    assert truth["out_of_order"] == []


def test_more_subjects_hang_than_there_are_prompt_places(bench: Bench) -> None:
    """What hangs gives its prompt place away after a second, so the number of hanging ones does not matter."""
    switches = {"hang": 1.0, "subjects": 0.6, "hang_seconds": 300.0}
    with receiver(**switches) as listening:
        appended = bench.changes(90, orders=False)
        well = [event for event in appended if not listening.meets_faults(event.subject)]
        with bench.engine(mirror=bench.mirror(listening.url, seconds=120.0)):
            done = eventually(lambda: bench.states(MIRROR).get("done", 0) == len(well))
            hanging = _answered(listening, "hang")
            listening.stop()

    assert done
    assert hanging > 2 * Places().prompt


def test_what_failed_before_takes_no_place_of_what_did_not(bench: Bench) -> None:
    """More subjects hang at their second try than there are places for those: first tries go on."""
    places = Places()
    with receiver(hang=1.0, subjects=0.8, hang_seconds=300.0) as listening:
        appended = bench.changes(400, orders=False)
        hanging = [event.id for event in appended if listening.meets_faults(event.subject)]
        hung = sa.select(events.c.position).where(events.c.id.in_(hanging))
        with bench.database.write() as connection:
            connection.execute(sa.update(tasks).where(tasks.c.event_position.in_(hung)).values(attempts=1))
        with bench.engine(mirror=bench.mirror(listening.url, seconds=120.0)):
            done = eventually(lambda: bench.states(MIRROR).get("done", 0) == 400 - len(hanging))
            out = _answered(listening, "hang")
            listening.stop()

    assert len(hanging) > limits_of(1)["mirror"] + places.again
    assert done
    assert 0 < out <= places.again


def test_one_event_of_a_subject_is_out_at_a_time(bench: Bench) -> None:
    """Also while its first one hangs, and whatever else is due."""
    with receiver(hang=1.0, hang_seconds=300.0) as listening:
        bench.changes(20, deliveries=5, orders=False)
        with bench.engine(mirror=bench.mirror(listening.url, seconds=120.0)):
            out = eventually(lambda: _answered(listening, "hang") == 5)
            # Many looks of the relay later there are no more.
            nothing_more = not threading.Event().wait(1.0)
            taken = Counter(subject for subject, _ in listening.taken)
            listening.stop()

    assert out
    assert nothing_more
    assert set(taken.values()) == {1}


def test_other_work_goes_on_while_every_post_hangs(bench: Bench) -> None:
    """Posts have threads of their own: one thread is enough for all the orders."""
    decided: list[str] = []
    with receiver(hang=1.0, hang_seconds=300.0) as listening:
        bench.changes(100)
        mirror = bench.mirror(listening.url, seconds=120.0)
        with bench.engine(services={COMPLETION: bench.closing(decided)}, mirror=mirror, part=ONE_THREAD):
            done = eventually(lambda: len(decided) == 100)
            listening.stop()

    assert done


def test_a_receiver_that_refuses_everybody_is_left_alone(bench: Bench) -> None:
    """429 from the receiver as a whole: those that were out are refused, and nobody else is sent until it says so."""
    with receiver(throttled=1.0, retry_after_seconds=3600) as listening:
        bench.changes(300, orders=False)
        with bench.engine(mirror=bench.mirror(listening.url)):
            refused = eventually(lambda: _answered(listening, "throttled") >= REFUSALS)
            threading.Event().wait(1.0)
            asked = _answered(listening, "throttled")

    assert refused
    assert asked <= REFUSALS + 4, "those that settle it, and those that were out"
    assert bench.states(MIRROR) == {"waiting": 300}


def test_what_waits_for_a_place_is_given_back_when_the_process_stops(bench: Bench) -> None:
    """Uncounted, and due at once, so the next process takes it up."""
    places = Places(prompt=1, slow=0, again=1)
    with receiver(hang=1.0, hang_seconds=300.0) as listening:
        bench.changes(10, orders=False)
        with bench.couriers(bench.mirror(listening.url, seconds=1.0), places=places) as couriers:
            couriers.hand(bench.ids(MIRROR))
            assert eventually(lambda: _answered(listening, "hang") == 1)
            couriers.stop(10.0)
    attempts = Counter(bench.task(one).attempts for one in bench.ids(MIRROR))

    assert bench.states(MIRROR) == {"waiting": 10}
    assert attempts == {0: 9, 1: 1}


def test_dead_letters_that_are_tried_again_go_in_their_order_before_what_waits(bench: Bench) -> None:
    """The subject goes on by sequence, whatever was given up in between."""
    appended = bench.changes(5, deliveries=1, orders=False)
    given_up = {"state": TaskState.DISCARDED, "ended_at": SystemClock().now(), "attempts": 12}
    with bench.database.write() as connection:
        for identity in bench.ids(MIRROR)[:3]:
            connection.execute(sa.update(tasks).where(tasks.c.id == identity).values(**given_up))
        again = DeadLetters(tasks=bench.tasks, observations=Observations(bench.log))
        retried = again.retry(connection, Which(kind=MIRROR), bench.database.now(connection))
    with receiver() as listening, bench.engine(mirror=bench.mirror(listening.url)):
        done = eventually(lambda: bench.states() == {"done": 5})

    assert done
    assert retried.tasks == 3
    assert [sequence for _, sequence in listening.taken] == [event.sequence for event in appended]


def test_outcomes_wait_for_a_database_that_is_away(bench: Bench) -> None:
    """What was delivered is not posted again because the closing failed for a while."""
    with receiver() as listening:
        bench.changes(5, orders=False)
        failures = FailingSettling(2)
        with bench.couriers(bench.mirror(listening.url), checkpoint=failures) as couriers:
            couriers.hand(bench.ids(MIRROR))
            done = eventually(lambda: bench.states(MIRROR) == {"done": 5})

    assert done
    assert failures.left == 0
    assert len(listening.taken) == 5
