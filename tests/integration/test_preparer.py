"""The process that prepares pages: it is used when it is there, and missed by nobody when it is not."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import structlog

from tests.clocks import ManualClock
from tests.vendor_examples import printed_delivery
from worker.reading.prepared import Prepared
from worker.reading.preparer import IDLE_SECONDS, RESTART_SECONDS, Preparer
from worker.reading.preparing_process import PATIENCE_SECONDS, Lost, PreparingProcess

ACCOUNT = "acme.logistic.cloud"
BODY = orjson.dumps([printed_delivery()])
DEADLINE = 20.0
# Starts one, says its number once it is there, and dies without a word.
_ORPHANS = """
import os, signal, time
from worker.reading.preparing_process import PreparingProcess
process = PreparingProcess()
while process.collect() is None:
    time.sleep(0.01)
    process.submit("acme.logistic.cloud", b"[]")
print(process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


class Started:
    """Every process that was started."""

    def __init__(self) -> None:
        self.all: list[PreparingProcess] = []

    def __call__(self) -> PreparingProcess:
        """One more, with little patience."""
        self.all.append(PreparingProcess(patience_seconds=1.0))
        return self.all[-1]


@pytest.fixture
def clock() -> ManualClock:
    """Moved by the tests."""
    return ManualClock()


@pytest.fixture
def started() -> Started:
    """Nothing yet."""
    return Started()


@pytest.fixture
def preparer(clock: ManualClock, started: Started) -> Iterator[Preparer]:
    """One that starts real processes."""
    preparer = Preparer(clock.monotonic, start=started, cores=2)
    yield preparer
    preparer.close()


def _once(preparer: Preparer, body: bytes = BODY) -> Prepared | None:
    with preparer.preparing(ACCOUNT, body) as prepared:
        return prepared()


def _prepared(preparer: Preparer) -> Prepared:
    """What it prepares, once its process is there."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        found = _once(preparer)
        if found is not None:
            return found
        time.sleep(0.01)
    pytest.fail("its process never came")


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_page_is_prepared_by_another_process(preparer: Preparer, started: Started) -> None:
    """The same rows as here, made elsewhere."""
    assert _prepared(preparer).ids == [21001206]
    assert started.all[0].pid != os.getpid()


def test_nobody_waits_for_a_process_that_is_not_there_yet(preparer: Preparer) -> None:
    """Until it has started, pages are read as any other."""
    assert _once(preparer) is None


def test_it_prepares_one_page_at_a_time(preparer: Preparer) -> None:
    """Who comes meanwhile reads as if there were none, and does not wait."""
    others: list[Prepared | None] = []
    _prepared(preparer)
    with preparer.preparing(ACCOUNT, BODY) as prepared:
        thread = threading.Thread(target=lambda: others.append(_once(preparer)))
        thread.start()
        thread.join(DEADLINE)
        found = prepared()

    assert others == [None]
    assert found is not None
    assert _once(preparer) is not None


def test_what_one_reading_left_off_is_not_given_to_the_next(preparer: Preparer) -> None:
    """A reading that breaks off leaves a page behind that nobody wants."""
    _prepared(preparer)
    with pytest.raises(KeyError), preparer.preparing(ACCOUNT, orjson.dumps([{**printed_delivery(), "id": 1}])):
        raise KeyError

    assert _prepared(preparer).ids == [21001206]


def test_a_killed_process_is_done_without_and_replaced_later(
    preparer: Preparer, started: Started, clock: ManualClock
) -> None:
    """Nothing fails; for a while nothing is started, so that what kills it is not fed."""
    _prepared(preparer)
    os.kill(started.all[0].pid, signal.SIGKILL)
    assert _once(preparer) is None
    assert _once(preparer) is None
    assert len(started.all) == 1
    clock.advance(RESTART_SECONDS + 1)

    assert _prepared(preparer).ids == [21001206]
    assert len(started.all) == 2


@pytest.mark.parametrize("rows", [1, 20_000])
def test_a_process_that_hangs_is_given_up(preparer: Preparer, started: Started, rows: int) -> None:
    """A suspended process costs its patience once, and is not left behind, also in the middle of a long message."""
    _prepared(preparer)
    os.kill(started.all[0].pid, signal.SIGSTOP)
    began = time.monotonic()

    assert _once(preparer, orjson.dumps([printed_delivery()] * rows)) is None
    assert time.monotonic() - began < DEADLINE
    assert not _alive(started.all[0].pid)


def test_a_process_that_hangs_in_the_middle_of_its_answer_is_given_up(preparer: Preparer, started: Started) -> None:
    """The patience is for the whole answer, not for its first byte."""
    _prepared(preparer)
    page = orjson.dumps([{**printed_delivery(), "id": key} for key in range(1, 20_000)])
    with preparer.preparing(ACCOUNT, page) as prepared:
        # It cannot write more than the line holds before anybody reads.
        until = time.monotonic() + DEADLINE
        while not started.all[0].says_something and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(started.all[0].pid, signal.SIGSTOP)
        assert prepared() is None

    assert not _alive(started.all[0].pid)


def test_a_process_of_another_program_is_not_believed(preparer: Preparer, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an upgrade under a running worker, a new process may prepare pages differently."""
    monkeypatch.setattr("worker.reading.preparing_process.READY", b"ready as I was when I began")
    until = time.monotonic() + DEADLINE
    warned: list[object] = []
    with structlog.testing.capture_logs() as logs:
        while not warned and time.monotonic() < until:
            assert _once(preparer) is None
            warned = [entry["reason"] for entry in logs]
            time.sleep(0.01)

    assert warned == ["the program was changed since this process began"]


def test_the_program_is_the_one_that_runs_and_not_what_lies_in_the_folder(
    preparer: Preparer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's folder is one that others may write to."""
    (tmp_path / "signal.py").write_text("raise SystemExit(7)", encoding="utf-8")
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker" / "__init__.py").write_text("raise SystemExit(7)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert _prepared(preparer).ids == [21001206]


def test_without_a_file_descriptor_left_it_is_done_without(preparer: Preparer, started: Started) -> None:
    """A worker that has opened all it may still reads."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # As many as are open now, so that not one more can be.
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(int(name) for name in _free_numbers()), hard))
    try:
        preparer.expect()
        found = _once(preparer)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert found is None
    assert started.all == []


def _free_numbers() -> Iterator[str]:
    taken = {int(entry.name) for entry in Path("/proc/self/fd").iterdir()}
    return (str(number) for number in range(3, 4096) if number not in taken)


def test_an_answer_about_another_page_is_not_believed() -> None:
    """What was asked and what came belong together, or nothing that comes does."""
    process = PreparingProcess()
    until = time.monotonic() + DEADLINE
    while process.collect() is None and time.monotonic() < until:
        time.sleep(0.01)
        process.submit(ACCOUNT, BODY)
    process.submit(ACCOUNT, BODY)
    process.submit(ACCOUNT, orjson.dumps([{**printed_delivery(), "id": 1}]))
    with pytest.raises(Lost):
        process.collect()
    process.end()


def test_a_process_that_nobody_uses_is_ended(preparer: Preparer, started: Started, clock: ManualClock) -> None:
    """A worker that has read everything is one process again."""
    _prepared(preparer)
    with preparer.preparing(ACCOUNT, BODY):
        clock.advance(IDLE_SECONDS + 1)
        preparer.rest()
        assert _alive(started.all[0].pid)
    preparer.rest()
    assert _alive(started.all[0].pid)
    clock.advance(IDLE_SECONDS + 1)
    preparer.rest()

    assert not _alive(started.all[0].pid)


def test_a_worker_that_ends_waits_for_no_page_and_warns_of_nothing(clock: ManualClock) -> None:
    """Its own end is no loss, and ends the process under nobody's hands: who waits for a page gives way first."""
    processes: list[PreparingProcess] = []

    def start() -> PreparingProcess:
        # With the patience of every day, which is longer than this test.
        processes.append(PreparingProcess())
        return processes[-1]

    preparer = Preparer(clock.monotonic, start=start, cores=2)
    _prepared(preparer)
    os.kill(processes[0].pid, signal.SIGSTOP)
    found: list[Prepared | None] = []
    waits = threading.Event()

    def wait() -> None:
        with preparer.preparing(ACCOUNT, BODY) as prepared:
            waits.set()
            found.append(prepared())

    with structlog.testing.capture_logs() as logs:
        thread = threading.Thread(target=wait)
        thread.start()
        assert waits.wait(DEADLINE)
        preparer.close()
        thread.join(PATIENCE_SECONDS / 2)

    assert found == [None]
    assert logs == []
    assert not _alive(processes[0].pid)
    assert _once(preparer) is None
    assert len(processes) == 1


def test_it_is_started_before_it_is_taken_where_it_will_be(preparer: Preparer, started: Started) -> None:
    """A list that was counted will be read in a moment."""
    preparer.expect()
    preparer.expect()

    assert len(started.all) == 1


def test_with_one_core_nothing_is_started(clock: ManualClock, started: Started) -> None:
    """There, two processes only get in each other's way."""
    preparer = Preparer(clock.monotonic, start=started, cores=1)
    preparer.expect()

    assert _once(preparer) is None
    assert started.all == []


def test_a_process_that_cannot_be_started_is_done_without(clock: ManualClock) -> None:
    """No room for another process is no reason not to read."""

    def refuse() -> PreparingProcess:
        raise Lost

    assert _once(Preparer(clock.monotonic, start=refuse, cores=2)) is None


def test_it_is_told_no_setting_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not have, it can't tell."""
    monkeypatch.setenv("WAYBILL_LOGISTIC_CLOUD__API_KEY", "the-secret-key")
    monkeypatch.setenv("OTHER_SECRET", "the-secret-key")
    process = PreparingProcess()
    told, until = "", time.monotonic() + DEADLINE
    while not ("PYTHONPATH" in told and "worker.reading.preparing" in told) and time.monotonic() < until:
        told = "".join(Path(f"/proc/{process.pid}/{part}").read_text("latin-1") for part in ("environ", "cmdline"))
    process.end()

    assert "PYTHONPATH" in told
    assert "worker.reading.preparing" in told
    assert "the-secret-key" not in told


def test_it_ends_with_who_started_it_however_that_ends() -> None:
    """A worker that is killed leaves nobody behind."""
    done = subprocess.run([sys.executable, "-c", _ORPHANS], capture_output=True, text=True, check=False)
    pid, until = int(done.stdout), time.monotonic() + DEADLINE
    while _alive(pid) and time.monotonic() < until:
        time.sleep(0.02)

    assert done.returncode == -signal.SIGKILL
    assert not _alive(pid)
