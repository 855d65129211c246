"""Writes with everything that can happen to their answers, and a process that dies between any two steps."""

from collections.abc import Callable

import pytest

from connectors.simulated.switches import PostFault
from tests.conftest import COUNTED
from tests.writing_kit import ITEM, Desk, DieAt, desk, ended
from worker.states import WriteAction, WriteState
from worker.writing.finishing import RECORDED
from worker.writing.intents import Queued
from worker.writing.service import FROZEN, LOOKED, SENT

STEPS = ((None, 1), (LOOKED, 1), (FROZEN, 1), (SENT, 1), (LOOKED, 2), (RECORDED, 1))
FAULTS = (
    PostFault.NONE,
    PostFault.REFUSE_BEFORE_COMMIT,
    PostFault.DROP_BEFORE_COMMIT,
    PostFault.HANG_BEFORE_COMMIT,
    PostFault.COMMIT_THEN_DROP,
    PostFault.COMMIT_THEN_500,
    PostFault.COMMIT_THEN_HANG,
    PostFault.COMMIT_LATE,
    PostFault.THROTTLE_BEFORE_COMMIT,
    PostFault.THROTTLE_AFTER_COMMIT,
    PostFault.BROKEN_JSON,
    PostFault.FOREIGN_404,
)
# One of each nature; the longer profile takes them all, with every place to die.
FEW = (
    PostFault.REFUSE_BEFORE_COMMIT,
    PostFault.COMMIT_THEN_DROP,
    PostFault.COMMIT_LATE,
    PostFault.BROKEN_JSON,
    PostFault.FOREIGN_404,
)


def _ask(at: Desk, action: WriteAction, number: str) -> Queued:
    if action is WriteAction.CREATE:
        return at.create(number=number)
    known = at.draft(number)
    wanted = {"note": "Mind the step.", "lineItems": [{**ITEM, "quantity": 7}]} if action is WriteAction.UPDATE else {}
    return at.ask(action, wanted, known)


def _is_done(at: Desk, action: WriteAction, number: str) -> bool:
    rows = at.rows(number=number)
    if action is WriteAction.UPDATE:
        return [(row["note"], row["lineItems"][0]["quantity"]) for row in rows] == [("Mind the step.", 7)]
    return [row["status"] for row in rows] == ["draft" if action is WriteAction.CREATE else "approved"]


@pytest.mark.parametrize("action", list(WriteAction))
def test_a_write_takes_effect_once_wherever_its_process_dies(sqlite_url: str, action: WriteAction) -> None:
    """Between any two steps, with an answer and without one."""
    with desk(sqlite_url) as at:
        for step, nth in STEPS:
            _survives(at, action, PostFault.NONE, step, nth)
        _survives(at, action, PostFault.COMMIT_THEN_DROP, LOOKED, 2)


@pytest.mark.parametrize("action", list(WriteAction))
def test_a_write_takes_effect_once_whatever_happens_to_its_answer(sqlite_url: str, action: WriteAction) -> None:
    """Lost before the commit, after it, long after it, or by somebody else's page in its place."""
    with desk(sqlite_url) as at:
        for fault in FEW:
            _survives(at, action, fault, None, 1)


@pytest.mark.long
@pytest.mark.parametrize("action", list(WriteAction))
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_meets_every_place_to_die(
    sqlite_url: str, action: WriteAction, fault: PostFault, record_property: Callable[[str, object], None]
) -> None:
    """The whole matrix."""
    with desk(sqlite_url) as at:
        for step, nth in STEPS:
            _survives(at, action, fault, step, nth)
    record_property(f"{COUNTED}writes killed and disturbed", len(STEPS))


def _survives(at: Desk, action: WriteAction, fault: PostFault, step: str | None, nth: int) -> None:
    case = f"{fault.value} {step} {nth}"
    queued = _ask(at, action, case)
    before = at.effects
    at.script(fault)

    outcome = at.work(queued, DieAt(step, nth))

    assert ended(outcome) == "done", case
    assert at.effects - before == 1, (case, at.calls[-3:])
    assert _is_done(at, action, case), case
    assert at.write(queued).state is WriteState.DONE, case
