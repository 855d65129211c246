"""The scheduler, leadership, renewal and the lock on the state directory: who acts, and that it goes on."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import NotConnected
from tests.clocks import ManualClock
from tests.runtime_kit import Bench, eventually
from worker.clock import SystemClock
from worker.db import Database
from worker.errors import DatabaseUnavailable, NotReady
from worker.leases import Leases
from worker.runtime.leadership import Leadership
from worker.runtime.renewal import Renewal
from worker.runtime.scheduler import ClockWatch, Scheduler, Tick
from worker.runtime.set_back import SetBack
from worker.runtime.state_lock import state_lock
from worker.runtime.stopping import Stop, Stopped
from worker.runtime.supervision import Supervisor


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    """A bench without a webhook."""
    bench = Bench(database, webhook=False)
    yield bench
    bench.close()


def _leadership(database: Database, holder: str, clock: ManualClock | SystemClock) -> Leadership:
    return Leadership(leases=Leases(database, holder=holder), name="scheduler", clock=clock)


def _scheduler(database: Database, ticks: list[Tick], beats: list[str], holder: str = "a") -> Scheduler:
    leadership = _leadership(database, holder, SystemClock())
    return Scheduler(
        ticks=ticks, leadership=leadership, beat=beats.append, clock=SystemClock(), set_back=SetBack(database).by
    )


def test_one_process_acts_and_the_next_one_when_it_resigns(database: Database) -> None:
    """A lease with a term says who."""
    first = _leadership(database, "a", ManualClock())
    clock = ManualClock()
    second = _leadership(database, "b", clock)
    before = (first.acts(), second.acts())
    first.resign()
    clock.advance(5)

    assert before == (True, False)
    assert (second.acts(), first.acts()) == (True, False)


def test_a_leader_asks_the_database_only_now_and_then(database: Database) -> None:
    """It is sure of its term for a while; then it asks again."""
    clock = ManualClock()
    first, second = _leadership(database, "a", clock), _leadership(database, "b", ManualClock())
    second.acts()
    before = first.acts()
    second.resign()
    meanwhile = first.acts()
    clock.advance(4)

    assert (before, meanwhile, first.acts()) == (False, False, True)


def test_a_tick_goes_on_whatever_happened_to_the_last_one(database: Database) -> None:
    """A remote system that fails, a mistake of ours, a process that stops: the next tick comes."""
    errors = [
        NotConnected("logistic.cloud", "list deliveries", "refused"),
        ZeroDivisionError(),
        Stopped(),
        DatabaseUnavailable("db", "gone"),
    ]
    ran = threading.Event()

    def act() -> None:
        if errors:
            raise errors.pop()
        ran.set()

    beats: list[str] = []
    scheduler = _scheduler(database, [Tick(name="poll", action=act, seconds=0.05)], beats)
    scheduler.start()
    done = ran.wait(10)
    scheduler.stop(5)

    assert done
    assert "scheduler" in beats


def test_a_tick_is_not_started_again_while_it_runs(database: Database) -> None:
    """Polls of one account follow each other."""
    running, most, count = [0], [0], [0]

    def act() -> None:
        running[0] += 1
        most[0], count[0] = max(most[0], running[0]), count[0] + 1
        time.sleep(0.1)
        running[0] -= 1

    scheduler = _scheduler(database, [Tick(name="poll", action=act, seconds=0.02)], [])
    scheduler.start()
    done = eventually(lambda: count[0] >= 3)
    scheduler.stop(5)

    assert done
    assert (most[0], running[0]) == (1, 0)


def test_a_tick_that_wants_to_come_again_soon_does(database: Database) -> None:
    """Until it has no wish any more; then its interval counts."""
    done: list[int] = []

    def act() -> float | None:
        done.append(1)
        return 0.0 if len(done) % 3 else None

    scheduler = _scheduler(database, [Tick(name="poll", action=act, seconds=3600)], [])
    scheduler.start()
    eventually(lambda: len(done) >= 3)
    time.sleep(0.1)
    before = len(done)
    scheduler.plan()
    again = eventually(lambda: len(done) >= 6)
    scheduler.stop(5)

    assert before == 3
    assert again


def test_only_the_leader_acts(database: Database) -> None:
    """The other one ticks and does nothing."""
    leader = _leadership(database, "leader", SystemClock())
    leader.acts()
    acted: list[str] = []
    beats: list[str] = []
    tick = Tick(name="poll", action=lambda: acted.append("poll"), seconds=0.02)
    scheduler = _scheduler(database, [tick], beats, holder="other")
    scheduler.start()
    done = eventually(lambda: len(beats) >= 3)
    scheduler.stop(5)

    assert done
    assert not acted


def test_leases_that_cannot_be_renewed_now_are_renewed_later(bench: Bench) -> None:
    """The thread goes on; what nobody works on is left alone."""
    bench.changes(1)
    (identity,) = bench.ids("completion")
    renewal = Renewal(database=bench.database, tasks=bench.tasks, lease_seconds=0.3)
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        (claim,) = bench.tasks.claim(connection, [identity], owner="w", now=now, lease_seconds=0.3)
    until = bench.task(identity).lease_until
    renewal.start()
    with renewal.holding(claim.token):
        renewed = eventually(lambda: bench.task(identity).lease_until > until)
        busy = renewal.busy
    renewal.stop()

    assert renewed
    assert (busy, renewal.busy) == (1, 0)


def test_a_state_directory_is_one_process_s_only(tmp_path: Path) -> None:
    """The lock is the operating system's and ends with its holder; the sentence says what to do."""
    with (
        state_lock(tmp_path / "state"),
        pytest.raises(NotReady, match="WAYBILL_STATE_DIR"),
        state_lock(tmp_path / "state"),
    ):
        pass
    with state_lock(tmp_path / "state"):
        pass

    assert (tmp_path / "state").is_dir()


def test_a_state_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    """It names the folder and the setting."""
    (tmp_path / "file").write_text("")

    with pytest.raises(NotReady, match="set WAYBILL_STATE_DIR"), state_lock(tmp_path / "file" / "state"):
        pass


def test_a_sleep_ends_with_the_process() -> None:
    """Whoever waits for a turn stops waiting."""
    stop = Stop()
    stop.sleep(0)
    stop.request()

    assert stop.requested
    with pytest.raises(Stopped):
        stop.sleep(60)


def test_a_worker_process_that_dies_is_started_again_and_all_are_stopped(tmp_path: Path) -> None:
    """Each leaves a file when it starts; the first one dies at once."""
    program = (
        "import os, pathlib, sys, time\n"
        f"place = pathlib.Path({str(tmp_path)!r})\n"
        "first = not any(place.iterdir())\n"
        "(place / str(os.getpid())).write_text('')\n"
        "sys.exit(3) if first else time.sleep(60)\n"
    )
    stop = Stop()
    supervisor = Supervisor(command=[sys.executable, "-c", program], count=1, clock=SystemClock(), stop=stop)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    again = eventually(lambda: len(list(tmp_path.iterdir())) == 2)
    stop.request()
    thread.join(10)

    assert again
    assert not any(_lives(int(path.name)) for path in tmp_path.iterdir())


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_clock_that_was_set_back_is_noticed_once() -> None:
    """Time that passes is no step, nor is a clock that is put forward; a step back is told at the next look."""
    clock = ManualClock()
    watch = ClockWatch(clock)
    clock.advance(3600)
    passed = watch.set_back_by()
    clock.step(3600)
    forward = watch.set_back_by()
    clock.step(-3600)

    assert (passed, forward) == (0, 0)
    assert (watch.set_back_by(), watch.set_back_by()) == (3600, 0)


def test_ticks_planned_anew_come_at_once(database: Database) -> None:
    """After the clock was set back, a tick does not wait until the hour has come again."""
    done: list[float] = []
    scheduler = _scheduler(database, [Tick(name="t", action=lambda: done.append(1), seconds=3600)], [])
    scheduler.start()
    eventually(lambda: len(done) == 1)
    scheduler.plan()
    eventually(lambda: len(done) == 2)
    scheduler.stop(5)

    assert len(done) == 2
