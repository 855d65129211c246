import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa

from tests.cli_kit import Shell
from worker.clock import SystemClock
from worker.db import Database

# Told in half the time of the shortest story that is told by default: the daemon keeps pace, and waits less.
SMALL = ("--deliveries", "60", "--orders", "20", "--story-seconds", "4")
# What the issue asks for: enough that every kind of order occurs many times.
BIG = ("--seed", "1", "--deliveries", "2000", "--orders", "400")
CALM = "Nothing was missed, doubled or forgotten; both ledgers agree."


@dataclass(frozen=True)
class Rehearsed:
    """What a rehearsal ended with."""

    status: int
    said: str
    report: dict[str, Any]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in this process, for what ends before it has begun."""
    return Shell(tmp_path, monkeypatch, capsys)


def rehearse(folder: Path, *words: str) -> Rehearsed:
    """Run `waybill rehearse` to its end."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "worker", "rehearse", "--report", str(report), *words]
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    told = orjson.loads(report.read_bytes()) if report.exists() else {}
    return Rehearsed(status=done.returncode, said=done.stdout + done.stderr, report=told)


def environment() -> dict[str, str]:
    """Our own, with the checkout on the path."""
    root = str(Path(__file__).parents[2])
    return {**os.environ, "PYTHONPATH": root}


def assert_passed(done: Rehearsed) -> None:
    """Everything happened once, and both ledgers say so."""
    ledgers = done.report.get("ledgers", {})
    assert done.status == 0, done.said
    assert CALM in done.said
    assert done.report["findings"] == []
    assert ledgers["due"] == ledgers["happened"] == ledgers["ours"]
    assert ledgers["due"]["deliveries"] > 0


def test_a_rehearsal_on_the_embedded_database_passes(tmp_path: Path) -> None:
    """Every delivery is mirrored, and every linked and completed order is delivered exactly once."""
    done = rehearse(tmp_path, *SMALL)

    assert_passed(done)
    assert done.report["webhook"]["badly_signed"] == 0
    assert done.report["requests"]["throttled"] == 0
    assert done.report["barmate"]["responses"] > 0
    assert done.report["barmate"]["emails"] == done.report["barmate"]["responses"]
    assert done.report["barmate"]["hints"] > 0


def test_a_rehearsal_with_several_processes_passes(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    """Two workers, a scheduler and a web process on PostgreSQL and Redis do what one process does."""
    done = rehearse(tmp_path, *SMALL, "--database-url", postgres_url, "--redis-url", redis_url)

    assert_passed(done)
    assert done.report["store"] == "PostgreSQL and Redis, 2 workers"


def test_a_rehearsal_that_is_interrupted_leaves_no_process(tmp_path: Path) -> None:
    """Whoever stops a rehearsal is left with nothing to clean up."""
    command = [sys.executable, "-m", "worker", "rehearse", *SMALL, "--keep"]
    running = subprocess.Popen(command, cwd=tmp_path, env={**environment(), "TMPDIR": str(tmp_path)})
    (log,) = wait_for(tmp_path, "*/logs/run.log")
    running.send_signal(signal.SIGTERM)
    status = running.wait(60)

    assert status == 130
    assert processes_in(str(log.parent.parent)) == []


def test_a_database_that_is_not_empty_is_refused(shell: Shell, migrated_postgres_url: str) -> None:
    """A rehearsal never works on what somebody keeps."""
    database = Database(migrated_postgres_url, SystemClock())
    done = shell("rehearse", *SMALL, "--database-url", migrated_postgres_url)
    with database.read() as connection:
        events = connection.execute(sa.text("SELECT count(*) FROM events")).scalar_one()
    database.close()

    assert done.status == 2
    assert "--database-url: the database is not empty" in done.err
    assert events == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--faults", "kil"), "--faults: There is no fault 'kil'"),
        (("--deliveries", "0"), "--deliveries is 0; give 1 or more."),
        (("--report", "/nowhere/at/all.json"), "--report: /nowhere/at/all.json cannot be written"),
        (("--redis-url", "redis://127.0.0.1:1/0"), "--redis-url needs --database-url with PostgreSQL"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(shell: Shell, words: tuple[str, ...], sentence: str) -> None:
    """Bad input names the option and the remedy, and starts nothing."""
    done = shell("rehearse", *words)

    assert (done.status, done.out) == (2, "")
    assert sentence in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.long
@pytest.mark.parametrize("faults", ["none", "kill", "lost-database"])
def test_a_big_rehearsal_on_the_embedded_database_passes(tmp_path: Path, faults: str) -> None:
    """Neither kill -9 in the middle nor the loss of the database doubles, misses or forgets anything."""
    assert_passed(rehearse(tmp_path, *BIG, "--faults", faults))


@pytest.mark.long
@pytest.mark.parametrize("faults", ["none", "kill", "lost-database"])
def test_a_big_rehearsal_with_several_processes_passes(
    tmp_path: Path, postgres_url: str, redis_url: str, faults: str
) -> None:
    """The same with two workers, any of which may be killed."""
    urls = ("--database-url", postgres_url, "--redis-url", redis_url)

    assert_passed(rehearse(tmp_path, *BIG, *urls, "--faults", faults))


@pytest.mark.long
@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_a_rehearsal_with_every_fault_passes(tmp_path: Path, seed: str) -> None:
    """Whatever the systems do, and whatever happens to the daemon, at worst a person is asked.

    Customers hear of what was accepted, changed and rejected.
    """
    done = rehearse(tmp_path, "--seed", seed, "--deliveries", "400", "--orders", "80", "--faults", "all")

    assert done.status == 0, done.said
    assert done.report["findings"] == []
    assert done.report["barmate"]["put_off"] > 0
    assert {"ACCEPT", "UPDATE", "REJECT"} <= done.report["barmate"]["emails_by_type"].keys()


@pytest.mark.long
def test_a_rehearsal_with_every_fault_and_several_processes_passes(
    tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    """The same with two workers: what one of them says to a customer, the other one does not say again."""
    urls = ("--database-url", postgres_url, "--redis-url", redis_url)
    done = rehearse(tmp_path, "--seed", "4", "--deliveries", "120", "--orders", "24", *urls, "--faults", "all")

    assert done.status == 0, done.said
    assert done.report["barmate"]["responses"] > 0


def wait_for(folder: Path, pattern: str) -> list[Path]:
    """The files that appear in the folder."""
    deadline = time.monotonic() + 60
    while not (found := list(folder.glob(pattern))):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def processes_in(folder: str) -> list[str]:
    """The command lines of all processes that work in the folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str((entry / "cwd").readlink()) == folder:
                found.append((entry / "cmdline").read_text())
        except OSError:
            continue
    return found
