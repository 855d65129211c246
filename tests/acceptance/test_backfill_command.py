"""`waybill enqueue backfill --wait` as a real process: watched, left off, killed, and gone on with.

What nobody disturbs is done in this process, which is much quicker.
"""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.simulated.warehouse_server import WarehouseServer
from tests.cli_kit import PATIENCE, Shell, command_line, plain_environment, prefixed, waybill
from tests.reading_kit import record
from tests.warehouse_kit import KEY, served_warehouse

ROWS = 4000
PAGE_SIZE = 20
# Pages that hold everything.
LEAST = ROWS // PAGE_SIZE
# Requests after which a command is disturbed: the first windows are certified by then.
DISTURBED = 60


@pytest.fixture
def warehouse() -> Iterator[WarehouseServer]:
    """A delivery every minute, the newest two hours old; answers take a while, so that there is a middle."""
    now = datetime.now(UTC)
    with served_warehouse(slow=1.0, slow_seconds=0.01) as server:
        for key in range(1, ROWS + 1):
            server.warehouse.put(key, {"id": key, **record(f"LS{key}")}, at=now - timedelta(minutes=120 + key))
        yield server


@pytest.fixture
def shell(
    warehouse: WarehouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    """Commands in this process."""
    made = Shell(tmp_path, monkeypatch, capsys)
    made.set(**settings_for(warehouse))
    return made


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """Tests that were started in the background ignore interrupts, and what they start would do the same."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def settings_for(warehouse: WarehouseServer) -> dict[str, str]:
    """An account that may be asked as fast as it answers."""
    return {
        "LOGISTIC_CLOUD__BASE_URL": warehouse.url,
        "LOGISTIC_CLOUD__API_KEY": KEY,
        "LOGISTIC_CLOUD__PAGE_SIZE": str(PAGE_SIZE),
        "LOGISTIC_CLOUD__REQUESTS_PER_SECOND": "1000",
    }


def span() -> list[str]:
    """The last three days."""
    now = datetime.now(UTC).replace(microsecond=0)
    return ["--since", (now - timedelta(days=3)).isoformat(), "--until", (now - timedelta(hours=1)).isoformat()]


def started(folder: Path, warehouse: WarehouseServer, arguments: list[str]) -> subprocess.Popen[str]:
    """The command, once it has made some of its requests."""
    before = warehouse.traffic.requests
    process = subprocess.Popen(
        command_line(arguments),
        cwd=folder,
        env={**plain_environment(), **prefixed(settings_for(warehouse))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE
    while warehouse.traffic.requests - before < DISTURBED and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    return process


def test_a_backfill_that_is_left_off_and_killed_reads_only_what_is_not_certified(
    warehouse: WarehouseServer, tmp_path: Path, shell: Shell
) -> None:
    """Ctrl-C puts the job back, a kill loses at most the window under way, and the end says what was read."""
    command = ["enqueue", "backfill", *span(), "--wait"]
    process = started(tmp_path, warehouse, command)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    identity = out.splitlines()[0]

    assert process.returncode == 130
    assert err.splitlines()[-1].startswith(f"Job {identity} stays on the queue; a daemon, or the same command again,")
    assert " requests · " in err.splitlines()[0]

    process = started(tmp_path, warehouse, command)
    process.kill()
    process.communicate(timeout=PATIENCE)
    done = waybill(tmp_path, *command, "--json", settings=settings_for(warehouse))
    lines = [json.loads(line) for line in done.out.splitlines()]
    (result,) = lines[-1]["result"].values()

    assert done.status == 0, done.err
    assert {line["task"] for line in lines} == {identity}
    assert (result["holes"], result["until"][:4]) == (0, str(datetime.now(UTC).year))
    assert all(0.0 <= line["share"] <= 1.0 for line in lines[1:-1])
    # Each disturbance costs a beginning and the window under way, not what was certified before.
    assert warehouse.traffic.requests < LEAST + 1.5 * DISTURBED

    asked = warehouse.traffic.requests
    again = shell(*command)

    assert again.status == 0, again.err
    assert warehouse.traffic.requests - asked == 1
    assert "is certified: 0 rows in 1 request, 0 new, 0 changed." in again.out


def test_a_hole_is_told_with_its_reason_and_exit_1(warehouse: WarehouseServer, shell: Shell) -> None:
    """A count that lies is no proof: the command says how much is left open, and where to see why."""
    warehouse.panel.change({"x_total_off": 1})
    now = datetime.now(UTC).replace(microsecond=0)
    ends = [now - timedelta(minutes=130), now - timedelta(minutes=125)]
    command = ["enqueue", "backfill", "--since", ends[0].isoformat(), "--until", ends[1].isoformat(), "--wait"]
    done = shell(*command)
    shown = shell("coverage", "--check")

    assert done.status == 1
    assert "301 seconds of it could not be proved" in done.out
    assert shown.status == 1
    assert "X-Total says" in shown.out
    assert "1 hole of 5 min 1 s; tried again from" in shown.out
