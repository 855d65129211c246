"""Real processes end, or are suspended, at every named point of a firing, crossed with every fault of the registry.

A victim fires and meets its signal; a survivor recovers a minute later; who was suspended is woken after that; at the
end the nightly comparison runs. `tests.crash_cases.expected` says which combinations may ask a person.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import COUNTED
from tests.crash_cases import (
    COMMITTED,
    DURABLE,
    INSIDE,
    POST_FAULTS,
    READ_FAULTS,
    REQUEST_OUT,
    Case,
    Effect,
    How,
)
from tests.crash_kit import Course, Stage
from tests.crash_process import Job
from tests.crash_verdict import Verdict
from worker.firing import freezing, recording, resolving, sending, service

# Seconds for hundreds of combinations of the long profile.
_LONG = 1700
_BY_NAME = {fault.name: fault for fault in (*POST_FAULTS, *READ_FAULTS)}

COMBINATIONS = f"{COUNTED}crash combinations"
Record = Callable[[str, object], None]
# In the longer profile a process is suspended under all of them; these differ in what follows.
_OF_EACH_KIND = [
    "none",
    "drop_before_commit",
    "hang_before_commit",
    "foreign_404",
    "commit_then_drop",
    "commit_then_hang",
    "broken_json",
    "fewer_kg_in_body",
    "gateway_twice",
    "commit_late, stamped early",
    "commit_late between the readings, stamped late",
    "commit_late after all looked, stamped early",
    "commit_late just before another request, stamped late",
    "gateway_twice, used batches accepted",
    "fewer kilograms delivered",
    "batches taken by somebody else",
]
# What a process that recovers can come to, and one that sends again.
_SECOND_ENDS = (
    service.TAKEN_OVER,
    resolving.LOOKED,
    resolving.VERDICT_WRITTEN,
    service.LOOK_COMMITTED,
    service.ABSENCE_DECIDED,
    service.LOCKED,
    freezing.INTENT_WRITTEN,
    freezing.INTENT_COMMITTED,
    sending.CONNECTING,
    sending.ANSWERED,
    recording.ANSWER_WRITTEN,
)


def _stage(folder: Path, url: str) -> Iterator[Stage]:
    stage = Stage(folder, url)
    # A request that is lost and sent again goes through nearly every statement.
    stage.begin(Case(fault=_BY_NAME["drop_before_commit"]))
    stage.forge.warm(Job(owner="warm", resend=True, reconcile=True))
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The stage on SQLite, shared by all cases: its warm process takes seconds to start."""
    folder = tmp_path_factory.mktemp("crashes")
    yield from _stage(folder, f"sqlite:///{folder / 'case.db'}")


@pytest.fixture
def postgres_stage(tmp_path: Path, postgres_url: str) -> Iterator[Stage]:
    """The stage on PostgreSQL."""
    yield from _stage(tmp_path, postgres_url)


class Matrix:
    """Runs combinations on a stage, and counts those in which the process met its end."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.count = 0

    def run(self, case: Case) -> list[str]:
        """Run one and judge it; the points that its victim passed, if it was one without an end."""
        course = Course(self._stage, case)
        passed = course.run()
        verdict = Verdict(self._stage, case)
        complaints = verdict.complaints()
        assert not complaints, f"{case}: {complaints}\n{verdict.evidence()}"
        self.count += case.point is None or course.was_hit
        return passed

    def all_of(self, base: Case, how: How, *, every_passing: bool = False) -> None:
        """Run the case without an end, then with one at every point it passed."""
        passed = Counter(self.run(base))
        posts = max(1, passed[sending.CONNECTING])
        passed.update({REQUEST_OUT: posts, COMMITTED: posts})
        for point, times in passed.items():
            if (how is How.SUSPEND and point in INSIDE) or (point in DURABLE and not every_passing):
                continue
            for nth in range(1, (times if every_passing else 1) + 1):
                self.run(_with(base, point, nth, how))


def _with(base: Case, point: str, nth: int, how: How) -> Case:
    return Case(fault=base.fault, resend=base.resend, point=point, nth=nth, how=how, orders=base.orders, seed=base.seed)


@pytest.mark.parametrize("fault", [fault.name for fault in POST_FAULTS])
def test_a_process_killed_anywhere_leaves_at_most_one_delivery_and_a_true_state(
    stage: Stage, fault: str, record_property: Record
) -> None:
    """Whoever recovers finds out what happened; a person is asked only where sending again is not allowed."""
    matrix = Matrix(stage)

    matrix.all_of(Case(fault=_BY_NAME[fault]), How.KILL)

    assert matrix.count > 10
    record_property(COMBINATIONS, matrix.count)


@pytest.mark.parametrize("fault", _OF_EACH_KIND)
def test_a_process_suspended_anywhere_and_woken_later_changes_nothing_any_more(
    stage: Stage, fault: str, record_property: Record
) -> None:
    """Somebody else took over, and sent the same bytes again where that was allowed: one delivery all the same."""
    found = _BY_NAME[fault]
    matrix = Matrix(stage)

    matrix.all_of(Case(fault=found, resend=found.resendable), How.SUSPEND)

    assert matrix.count > 6
    record_property(COMBINATIONS, matrix.count)


def test_the_points_are_all_met(stage: Stage) -> None:
    """No named point of firing is left out, but the one that only a second process passes, which is met below."""
    met = set(Matrix(stage).run(Case(fault=_BY_NAME["drop_before_commit"], resend=True))) - set(DURABLE)

    named = {
        value
        for module in (freezing, recording, resolving, sending, service)
        for value in vars(module).values()
        if isinstance(value, str) and value.startswith("firing: ")
    }

    assert met == named - {service.TAKEN_OVER}


@pytest.mark.parametrize("first", [sending.FROZEN, COMMITTED])
def test_whoever_recovers_may_die_as_well(stage: Stage, first: str, record_property: Record) -> None:
    """The third process finds out what two left behind, and the request that was lost is sent again once."""
    matrix = Matrix(stage)
    fault = _BY_NAME["drop_before_commit"]

    for then in _SECOND_ENDS:
        matrix.run(Case(fault=fault, resend=True, point=first, then=then))

    assert matrix.count == len(_SECOND_ENDS)
    record_property(COMBINATIONS, matrix.count)


@pytest.mark.parametrize("fault", [fault.name for fault in READ_FAULTS])
def test_troubled_readings_delay_and_mislead_nobody(stage: Stage, fault: str, record_property: Record) -> None:
    """Stale, partial, lagging or failing lists: the process dies before its answer, and recovery reads through it."""
    matrix = Matrix(stage)

    for point in (None, COMMITTED):
        matrix.run(Case(fault=_BY_NAME[fault], point=point))

    assert matrix.count == 2
    record_property(COMBINATIONS, matrix.count)


@pytest.mark.long
@pytest.mark.timeout(_LONG)
@pytest.mark.parametrize("resend", [False, True])
@pytest.mark.parametrize("how", list(How))
@pytest.mark.parametrize("fault", [fault.name for fault in POST_FAULTS])
def test_every_passing_of_every_point_and_every_durable_write(
    stage: Stage, fault: str, how: How, *, resend: bool, record_property: Record
) -> None:
    """Not only the first passing, and also before and after each commit, named or not."""
    found = _BY_NAME[fault]
    matrix = Matrix(stage)

    matrix.all_of(Case(fault=found, resend=resend and found.resendable), how, every_passing=True)

    record_property(COMBINATIONS, matrix.count)


@pytest.mark.long
@pytest.mark.timeout(_LONG)
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("how", list(How))
@pytest.mark.parametrize("fault", [fault.name for fault in READ_FAULTS])
def test_every_point_under_troubled_readings(
    stage: Stage, fault: str, how: How, seed: int, record_property: Record
) -> None:
    """With other seeds other readings are troubled."""
    matrix = Matrix(stage)

    for resend in (False, True):
        matrix.all_of(Case(fault=_BY_NAME[fault], resend=resend, seed=seed), how)

    record_property(COMBINATIONS, matrix.count)


@pytest.mark.long
@pytest.mark.timeout(_LONG)
@pytest.mark.parametrize("how", list(How))
@pytest.mark.parametrize("fault", [fault.name for fault in POST_FAULTS])
def test_every_point_with_two_orders_on_one_credit_order_and_one_batch(
    stage: Stage, fault: str, how: How, record_property: Record
) -> None:
    """What becomes of one firing leaves the other's kilograms alone."""
    found = _BY_NAME[fault]
    matrix = Matrix(stage)

    for resend in {False, found.resendable}:
        matrix.all_of(Case(fault=found, resend=resend, orders=2), how)

    record_property(COMBINATIONS, matrix.count)


@pytest.mark.long
@pytest.mark.timeout(_LONG)
@pytest.mark.parametrize("how", list(How))
@pytest.mark.parametrize("fault", [fault.name for fault in POST_FAULTS])
def test_every_point_on_postgresql(postgres_stage: Stage, fault: str, how: How, record_property: Record) -> None:
    """The same promises on the other database."""
    found = _BY_NAME[fault]
    matrix = Matrix(postgres_stage)

    for resend in {False, found.resendable}:
        matrix.all_of(Case(fault=found, resend=resend), how)

    record_property(COMBINATIONS, matrix.count)


@pytest.mark.long
@pytest.mark.timeout(_LONG)
@pytest.mark.parametrize("fault", [fault.name for fault in POST_FAULTS if fault.resendable])
def test_whoever_recovers_may_die_as_well_under_every_fault(stage: Stage, fault: str, record_property: Record) -> None:
    """Two processes die at any two points."""
    found = _BY_NAME[fault]
    matrix = Matrix(stage)

    for first in (sending.BEFORE_FREEZE, sending.FROZEN, REQUEST_OUT, COMMITTED, sending.ANSWERED):
        for then in _SECOND_ENDS:
            matrix.run(Case(fault=found, resend=found.effect is not Effect.REFUSES, point=first, then=then))

    record_property(COMBINATIONS, matrix.count)
