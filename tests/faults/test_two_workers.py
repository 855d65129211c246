"""Two workers are given the same task at once, again and again: one send each."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import astuple
from pathlib import Path

import pytest

from connectors.simulated.registry_server import RegistryServer
from tests.databases import migrated
from tests.two_workers import READY, Desk, Meetings, Where, Worker, registry_for, working
from worker.runtime.closing import nothing_to_close
from worker.states import FiringState, TaskState

# Firings in `make test`, where all of it may take three quarters of a minute, and in the longer profile.
SOME = 30
EXACTLY_AT_ONCE = 50
MANY = 1000
# Seconds that a firing may take on a busy machine before a test gives up.
PATIENCE = 0.6
ROOT = Path(__file__).parents[2]


@pytest.fixture
def desk(postgres_url: str, redis_url: str) -> Iterator[Desk]:
    """An empty PostgreSQL and an empty Redis."""
    with migrated(postgres_url) as database, closing(Desk(database, redis_url)) as desk:
        yield desk


def wait_until_done(desk: Desk, count: int) -> None:
    """Return once everything is confirmed and every task is closed, or when the patience is over."""
    deadline = time.monotonic() + count * PATIENCE
    while time.monotonic() < deadline:
        if desk.states()[FiringState.CONFIRMED] == count and desk.task_states()[TaskState.DONE] == count:
            return
        time.sleep(0.1)


def assert_one_send_each(desk: Desk, registry: RegistryServer, count: int) -> None:
    """One request arrived for each firing, and one delivery happened."""
    arrived = Counter(told["notes"] for told in registry.truth()["told"])
    happened = Counter(one["notes"] for one in registry.truth()["happened"])
    assert arrived == happened
    assert set(happened.values()) == {1}
    assert len(happened) == count
    assert desk.states() == {FiringState.CONFIRMED: count}
    assert [attempt.outcome for attempt in desk.attempts()] == ["confirmed"] * count


@contextmanager
def two(where: Where, meetings: Meetings) -> Iterator[Sequence[Worker]]:
    """Two workers, not at work yet."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(Worker(where, owner, meetings=meetings))) for owner in ("first", "second")]


@contextmanager
def two_processes(where: Where) -> Iterator[None]:
    """Two workers at work, each in a process of its own."""
    with ExitStack() as stack:
        started = [stack.enter_context(process(where, owner)) for owner in ("first", "second")]
        for one in started:
            assert one.stdout is not None
            assert one.stdout.readline().strip() == READY
        yield


@contextmanager
def process(where: Where, owner: str) -> Iterator["subprocess.Popen[str]"]:
    """One worker; it ends with its input."""
    command = [sys.executable, "-m", "tests.two_workers", *astuple(where), owner]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        yield one


@pytest.mark.parametrize("count", [SOME, pytest.param(MANY, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_a_task_that_is_told_four_times_to_two_workers_is_sent_once(
    desk: Desk, postgres_url: str, redis_url: str, count: int
) -> None:
    """Messages come doubled, as a hint and as a task, through Redis, beside what two relays send."""
    meetings = Meetings()
    with registry_for(count) as registry, two(Where(postgres_url, redis_url, registry.url), meetings) as workers:
        keys = desk.enter(count)
        with working(workers):
            desk.hand_out(keys)
            wait_until_done(desk, count)

        assert_one_send_each(desk, registry, count)
    assert {attempt.owner for attempt in desk.attempts()} == {"first", "second"}
    assert meetings.met >= count


@pytest.mark.parametrize(
    "count", [EXACTLY_AT_ONCE, pytest.param(MANY, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_two_workers_that_look_at_the_same_moment_send_once(
    desk: Desk, postgres_url: str, redis_url: str, count: int
) -> None:
    """Neither begins before the other is there; who comes second finds it done, or looks again."""
    barrier = threading.Barrier(2, timeout=30.0)
    with registry_for(count) as registry, two(Where(postgres_url, redis_url, registry.url), Meetings()) as workers:
        keys = desk.enter(count)

        def look_at_all(worker: Worker) -> None:
            for key in keys:
                barrier.wait()
                worker.look(key, nothing_to_close)

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(look_at_all, workers))

        assert_one_send_each(desk, registry, count)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_two_processes_that_are_told_the_same_tasks_send_each_once(
    desk: Desk, postgres_url: str, redis_url: str
) -> None:
    """The same with nothing in common but PostgreSQL and Redis."""
    with registry_for(MANY) as registry, two_processes(Where(postgres_url, redis_url, registry.url)):
        keys = desk.enter(MANY)
        desk.hand_out(keys)
        wait_until_done(desk, MANY)

        assert_one_send_each(desk, registry, MANY)
    assert {attempt.owner for attempt in desk.attempts()} == {"first", "second"}
