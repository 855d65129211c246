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
    INSIDE,
    POST_FAULTS,
    READ_FAULTS,
    REQUEST_OUT,
    Case,
    How,
)
from tests.crash_kit import Course, Stage
from tests.crash_process import COMMITTING, WRITTEN, Job
from tests.crash_verdict import Verdict
from worker.firing import freezing, recording, resolving, sending, service

# Every named point of worker.firing, and the two on the registry's side.
POINTS = frozenset(
    {
        service.SETTLED,
        service.LOCKED,
        sending.BEFORE_FREEZE,
        freezing.INTENT_WRITTEN,
        freezing.INTENT_COMMITTED,
        sending.FROZEN,
        sending.CONNECTING,
        REQUEST_OUT,
        COMMITTED,
        sending.ANSWERED,
        recording.ANSWER_WRITTEN,
        sending.RECORDED,
        resolving.LOOKED,
        resolving.VERDICT_WRITTEN,
        service.LOOK_COMMITTED,
        service.ABSENCE_DECIDED,
        service.CLOSING,
    }
)
_DURABLE = frozenset({COMMITTING, WRITTEN})
# Seconds for hundreds of combinations of the long profile.
_LONG = 1700
_BY_NAME = {fault.name: fault for fault in (*POST_FAULTS, *READ_FAULTS)}

Combination = Callable[[Case], "Course"]


def _stage(folder: Path, url: str) -> Iterator[Stage]:
    stage = Stage(folder, url)
    stage.begin(Case(fault=POST_FAULTS[0]))
    stage.forge.warm(Job(owner="warm"))
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

    def all_of(self, base: Case, how: How, *, every_passing: bool) -> None:
        """Run the case without an end, then with one at every point it passed."""
        passed = Counter(self.run(base))
        posts = max(1, passed[sending.CONNECTING])
        passed.update({REQUEST_OUT: posts, COMMITTED: posts})
        for point, times in passed.items():
            if (how is How.SUSPEND and point in INSIDE) or (point in _DURABLE and not every_passing):
                continue
            for nth in range(1, (times if every_passing else 1) + 1):
                self.run(_with(base, point, nth, how))


def _with(base: Case, point: str, nth: int, how: How) -> Case:
    return Case(fault=base.fault, resend=base.resend, point=point, nth=nth, how=how, orders=base.orders, seed=base.seed)


@pytest.mark.parametrize("fault", [fault.name for fault in POST_FAULTS])
def test_a_process_killed_anywhere_leaves_at_most_one_delivery_and_a_true_state(
    stage: Stage, fault: str, record_property: Callable[[str, object], None]
) -> None:
    """Whoever recovers finds out what happened; a person is asked only where sending again is not allowed."""
    matrix = Matrix(stage)

    matrix.all_of(Case(fault=_BY_NAME[fault]), How.KILL, every_passing=False)

    assert matrix.count > 10
    record_property(f"{COUNTED}crash combinations", matrix.count)


@pytest.mark.parametrize("fault", [fault.name for fault in POST_FAULTS])
def test_a_process_suspended_anywhere_and_woken_later_changes_nothing_any_more(
    stage: Stage, fault: str, record_property: Callable[[str, object], None]
) -> None:
    """Somebody else took over, and sent the same bytes again where that was allowed: one delivery all the same."""
    found = _BY_NAME[fault]
    matrix = Matrix(stage)

    matrix.all_of(Case(fault=found, resend=found.resendable), How.SUSPEND, every_passing=False)

    assert matrix.count > 6
    record_property(f"{COUNTED}crash combinations", matrix.count)
