"""The process that prepares pages: it is used when it is there, and missed by nobody when it is not."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.clocks import ManualClock
from tests.vendor_examples import printed_delivery
from worker.reading.prepared import Prepared
from worker.reading.preparer import IDLE_SECONDS, RESTART_SECONDS, Preparer
from worker.reading.preparing_process import Lost, PreparingProcess

ACCOUNT = "acme.logistic.cloud"
BODY = orjson.dumps([printed_delivery()])
DEADLINE = 20.0
# Starts one, says its number, and dies without a word.
_ORPHANS = """
import os, signal
from worker.reading.preparing_process import PreparingProcess
print(PreparingProcess().pid, flush=True)
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


def _prepared(preparer: Preparer) -> Prepared:
    """What it prepares, once its process is there."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        preparer.submit(ACCOUNT, BODY)
        found = preparer.collect()
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
    with preparer.taken() as taken:
        assert taken is preparer
        found = _prepared(preparer)

    assert found.ids == [21001206]
    assert started.all[0].pid != os.getpid()


def test_nobody_waits_for_a_process_that_is_not_there_yet(preparer: Preparer) -> None:
    """Until it has started, pages are read as any other."""
    with preparer.taken():
        preparer.submit(ACCOUNT, BODY)
        assert preparer.collect() is None
        assert preparer.collect() is None


def test_it_is_at_one_reading_at_a_time(preparer: Preparer) -> None:
    """Who comes second reads as if there were none, and does not wait."""
    others: list[Preparer | None] = []

    def take() -> None:
        with preparer.taken() as taken:
            others.append(taken)

    with preparer.taken():
        thread = threading.Thread(target=take)
        thread.start()
        thread.join(DEADLINE)
    with preparer.taken() as again:
        assert again is preparer
    assert others == [None]


def test_what_one_reading_left_off_is_not_given_to_the_next(preparer: Preparer) -> None:
    """A reading that breaks off leaves a page behind that nobody wants."""
    with preparer.taken():
        _prepared(preparer)
        preparer.submit(ACCOUNT, orjson.dumps([{**printed_delivery(), "id": 1}]))
    with preparer.taken():
        assert _prepared(preparer).ids == [21001206]


def test_a_killed_process_is_done_without_and_replaced_later(
    preparer: Preparer, started: Started, clock: ManualClock
) -> None:
    """Nothing fails; for a while nothing is started, so that what kills it is not fed."""
    with preparer.taken():
        _prepared(preparer)
        os.kill(started.all[0].pid, signal.SIGKILL)
        preparer.submit(ACCOUNT, BODY)
        assert preparer.collect() is None
    with preparer.taken() as soon:
        assert soon is None
    clock.advance(RESTART_SECONDS + 1)
    with preparer.taken():
        assert _prepared(preparer).ids == [21001206]
    assert len(started.all) == 2


def test_a_process_that_hangs_is_given_up(preparer: Preparer, started: Started) -> None:
    """A suspended process costs its patience once, and is not left behind."""
    with preparer.taken():
        _prepared(preparer)
        os.kill(started.all[0].pid, signal.SIGSTOP)
        preparer.submit(ACCOUNT, BODY)
        assert preparer.collect() is None

    assert not _alive(started.all[0].pid)


def test_a_process_that_nobody_uses_is_ended(preparer: Preparer, started: Started, clock: ManualClock) -> None:
    """A worker that has read everything is one process again."""
    with preparer.taken():
        _prepared(preparer)
        clock.advance(IDLE_SECONDS + 1)
        preparer.rest()
        assert _alive(started.all[0].pid)
    preparer.rest()
    assert _alive(started.all[0].pid)
    clock.advance(IDLE_SECONDS + 1)
    preparer.rest()

    assert not _alive(started.all[0].pid)


def test_it_is_started_before_it_is_taken_where_it_will_be(preparer: Preparer, started: Started) -> None:
    """A list that was counted will be read in a moment."""
    preparer.expect()
    preparer.expect()

    assert len(started.all) == 1


def test_with_one_core_nothing_is_started(clock: ManualClock, started: Started) -> None:
    """There, two processes only get in each other's way."""
    preparer = Preparer(clock.monotonic, start=started, cores=1)
    preparer.expect()
    with preparer.taken() as taken:
        assert taken is None

    assert started.all == []


def test_a_process_that_cannot_be_started_is_done_without(clock: ManualClock) -> None:
    """No room for another process is no reason not to read."""

    def refuse() -> PreparingProcess:
        raise Lost

    preparer = Preparer(clock.monotonic, start=refuse, cores=2)
    with preparer.taken() as taken:
        assert taken is None


def test_it_is_told_no_setting_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does not have, it can't tell."""
    monkeypatch.setenv("WAYBILL_LOGISTIC_CLOUD__API_KEY", "the-secret-key")
    monkeypatch.setenv("OTHER_SECRET", "the-secret-key")
    process = PreparingProcess()
    told, until = "", time.monotonic() + DEADLINE
    while "worker.reading.preparing" not in told and time.monotonic() < until:
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
