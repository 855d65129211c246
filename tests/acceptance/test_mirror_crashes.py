"""The mirror as a real process, killed between any two of its steps: at least once, in order, under the same ids."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from tests.cli_kit import plain_environment, run_to_end
from tests.runtime_kit import Bench, Listening, bench_at, receiver
from worker.checkpoints import KILL_AT
from worker.events import Event
from worker.mirror import DELIVERED, POSTING
from worker.runtime.runner import SETTLED, SETTLING

# The steps of an event on its way, in their order.
POINTS = ("relay: sent", "actor: claimed", POSTING, DELIVERED, SETTLING, SETTLED)
# A tenth of the posts each: a 500 and a reset, half of them after the event was taken; and some refusals.
FAULTS = {"server_error": 0.1, "reset": 0.1, "throttled": 0.05, "retry_after_seconds": 0}
EVENTS, SUBJECTS = 120, 12


@pytest.fixture
def bench(sqlite_url: str) -> Iterator[Bench]:
    """A bench with events that wait."""
    with bench_at(sqlite_url) as bench:
        yield bench


def _mirror(bench: Bench, url: str, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.mirror_process", str(bench.database.url), url]
    return run_to_end(command, {**plain_environment(), **more})


def _judge(listening: Listening, appended: Sequence[Event]) -> None:
    """Every event arrived, first arrivals in the order of their subject, all signed, and repeats are the same."""
    truth = listening.state.truth()
    arrived = {(message["id"], subject) for subject, all_of in truth["subjects"].items() for message in all_of}

    assert arrived == {(event.id, event.subject) for event in appended}
    assert (truth["invalid"], truth["out_of_order"]) == ([], [])


def test_a_mirror_that_is_killed_at_every_step_loses_nothing_and_keeps_the_order(bench: Bench) -> None:
    """One process after the other dies, each at another step, while the receiver fails now and then."""
    appended = bench.changes(EVENTS, deliveries=SUBJECTS, orders=False)
    with receiver(**FAULTS) as listening:
        killed = [_mirror(bench, listening.url, **{KILL_AT: f"{point}#2"}) for point in POINTS]
        last = _mirror(bench, listening.url)

    assert [one.returncode for one in killed] == [-signal.SIGKILL] * len(POINTS), [one.stderr[-500:] for one in killed]
    assert last.returncode == 0, last.stderr[-2000:]
    _judge(listening, appended)
    assert bench.states() == {"done": EVENTS}


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
def test_a_mirror_may_be_killed_at_any_passing_of_a_step(bench: Bench, point: str) -> None:
    """The first ten passings of each, one after the other: what kills its worker a dozen times is a dead letter."""
    appended = bench.changes(3 * EVENTS, deliveries=SUBJECTS, orders=False)
    with receiver(**FAULTS) as listening:
        for passing in range(1, 11):
            _mirror(bench, listening.url, **{KILL_AT: f"{point}#{passing}"})
        last = _mirror(bench, listening.url)

    assert last.returncode == 0, last.stderr[-2000:]
    _judge(listening, appended)
