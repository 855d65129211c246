"""Guards bite: with each guard of firing a story ends well; taken out, the same story ends in harm that is seen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests import guard_removals as without
from tests import guard_stories as stories
from tests.clocks import ManualClock
from tests.firing_kit import Bench, Twin
from tests.guard_kit import Harm, Stage, harms
from worker.db import Database
from worker.states import FiringState

CONFIRMED, HELD, PERSON = FiringState.CONFIRMED, FiringState.HELD, FiringState.NEEDS_PERSON


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard taken out, the story that needs it, how that ends with the guard, and the harm without."""

    taken_out: Callable[[pytest.MonkeyPatch], None]
    story: Callable[[Stage], None]
    ends: frozenset[FiringState]
    harm: Harm


def guard(
    taken_out: Callable[[pytest.MonkeyPatch], None], story: Callable[[Stage], None], *ends: FiringState, harm: Harm
) -> Guard:
    """One row of the table."""
    return Guard(taken_out, story, frozenset(ends), harm)


GUARDS = [
    guard(without.durable_intent, stories.a_process_dies_before_it_records_the_answer, CONFIRMED, harm=Harm.DOUBLE),
    guard(
        without.deadline,
        stories.a_worker_wakes_before_connecting_after_others_sent_again,
        CONFIRMED,
        harm=Harm.DOUBLE,
    ),
    guard(without.marker_look_up, stories.a_database_is_lost_after_its_delivery, CONFIRMED, harm=Harm.DOUBLE),
    guard(without.settle_time, stories.a_delivery_shows_later_than_its_lost_answer, CONFIRMED, harm=Harm.DOUBLE),
    guard(without.three_readings, stories.a_delivery_shows_between_two_readings, CONFIRMED, harm=Harm.DOUBLE),
    guard(without.full_readings, stories.every_list_leaves_rows_out, PERSON, harm=Harm.UNTRUE),
    guard(without.pins, stories.a_person_is_wrong_about_a_lost_answer, PERSON, harm=Harm.DOUBLE),
    guard(without.reservation, stories.two_orders_want_the_same_kilograms, CONFIRMED, HELD, harm=Harm.TOO_MUCH),
    guard(without.account_lock, stories.two_workers_read_at_the_same_time, CONFIRMED, HELD, harm=Harm.TOO_MUCH),
    guard(without.fencing, stories.a_worker_sleeps_between_reading_and_freezing, CONFIRMED, HELD, harm=Harm.TOO_MUCH),
    guard(without.fresh_readings, stories.somebody_delivers_while_the_readings_grow_old, HELD, harm=Harm.TOO_MUCH),
    guard(without.unattributed_holds, stories.somebody_delivered_the_order_by_hand, HELD, harm=Harm.DOUBLE),
    guard(
        without.recheck_in_the_transaction,
        stories.an_order_reopens_between_reading_and_freezing,
        FiringState.WITHDRAWN,
        harm=Harm.UNTRUE,
    ),
    guard(without.kilogram_check, stories.the_registry_takes_less_than_it_was_asked, PERSON, harm=Harm.LOSS),
    guard(without.overdue_recovery, stories.a_process_dies_with_its_request_on_the_way, CONFIRMED, harm=Harm.LOSS),
    guard(
        without.compared_state,
        stories.an_answer_is_recorded_while_its_request_is_found_overdue,
        CONFIRMED,
        harm=Harm.UNTRUE,
    ),
    guard(
        without.absence_before_a_no,
        stories.a_gateway_repeats_the_request_and_tells_of_the_second_answer,
        CONFIRMED,
        harm=Harm.DOUBLE,
    ),
    guard(without.one_request_an_attempt, stories.an_answer_is_lost, CONFIRMED, harm=Harm.DOUBLE),
]


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A registry and two databases."""
    clock = ManualClock()
    twin = Twin(clock)
    databases = [Database(f"sqlite:///{tmp_path / name}.db", clock) for name in ("kept", "empty")]
    kept, empty = (Bench(database, clock, twin, migrate=True) for database in databases)
    yield Stage(bench=kept, empty=empty, monkeypatch=monkeypatch)
    for bench in (kept, empty):
        bench.close()
        bench.database.close()
    twin.server.stop()


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"{guard.story.__name__}")
def test_with_its_guard_a_story_ends_well(stage: Stage, guard: Guard) -> None:
    """Nothing is doubled, lost or untrue, and every firing stands where it should."""
    guard.story(stage)

    assert harms(stage) == set()
    assert stage.states() == guard.ends


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: f"without {guard.taken_out.__name__}")
def test_the_same_story_does_harm(stage: Stage, guard: Guard) -> None:
    """The guard is what prevents it: nothing else would have."""
    guard.taken_out(stage.monkeypatch)

    guard.story(stage)

    assert guard.harm in harms(stage)


def test_the_database_compares_states_too(stage: Stage) -> None:
    """Were our own comparison gone, the table of allowed changes would still stand: nothing is overwritten."""
    without.compared_state_of_ours(stage.monkeypatch)

    with pytest.raises(sa.exc.IntegrityError, match="not allowed"):
        stories.an_answer_is_recorded_while_its_request_is_found_overdue(stage)

    assert harms(stage) == set()
    assert stage.states() == {CONFIRMED}
