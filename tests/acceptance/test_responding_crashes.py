"""Responses by a real process that is killed between any two of its steps, while answers get lost after the commit."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from connectors.simulated.switches import PostFault
from connectors.simulated.warehouse_server import WarehouseServer
from tests.barmate_kit import TOKEN, Stage, staged
from tests.cli_kit import command_line, plain_environment, prefixed, run_to_end
from tests.reading_kit import record
from tests.warehouse_kit import KEY, served_warehouse
from worker.checkpoints import KILL_AT
from worker.clock import SystemClock as Ours
from worker.db import Database
from worker.responding import reply_rows
from worker.responding.service import FROZEN, LEAVING, LOOKED, RECORDED, SENT

# The steps of a response on its way, in their order.
POINTS = (LOOKED, FROZEN, LEAVING, SENT, RECORDED)
ORDERS = 10
# Half of the answers get lost after the commit, in one way or another.
FAULTS = (PostFault.COMMIT_THEN_DROP, PostFault.NONE, PostFault.THROTTLE_AFTER_COMMIT, PostFault.NONE)


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A barmate that takes an ACCEPT as often as it comes, and writes an e-mail for each."""
    with staged(repeated_accept_refused=False, script=FAULTS * ORDERS) as made:
        yield made


@pytest.fixture
def warehouse() -> Iterator[WarehouseServer]:
    """The warehouse's twin."""
    with served_warehouse() as server:
        yield server


def _run(folder: Path, settings: Mapping[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    command = command_line(("run", "--until-idle", "--patience", "10"))
    return run_to_end(command, {**plain_environment(), **prefixed(settings), **more}, folder)


def _settings(folder: Path, warehouse: WarehouseServer, stage: Stage, **more: str) -> dict[str, str]:
    return {
        "STATE_DIR": str(folder / "state"),
        "WEB__PORT": "0",
        "LOGISTIC_CLOUD__BASE_URL": warehouse.url,
        "LOGISTIC_CLOUD__API_KEY": KEY,
        "LOGISTIC_CLOUD__REQUESTS_PER_SECOND": "200",
        "LOGISTIC_CLOUD__POLL_SECONDS": "0.5",
        "LOGISTIC_CLOUD__LAG_SECONDS": "0.5",
        "BARMATE__BASE_URL": stage.server.url,
        "BARMATE__TOKEN": TOKEN,
        "BARMATE__REQUESTS_PER_SECOND": "200",
        "BARMATE__POLL_SECONDS": "1",
        "BARMATE__RESPOND": "true",
        "BARMATE__TIME_ZONE": "Europe/Zurich",
        "BARMATE__SETTLE_SECONDS": "1",
        "BARMATE__QUIET_SECONDS": "0.5",
        **more,
    }


def _responses(folder: Path) -> Mapping[str, int]:
    database = Database(f"sqlite:///{folder / 'state' / 'waybill.db'}", Ours())
    with database.read() as connection:
        found = reply_rows.counts(connection)
    database.close()
    return found


def _shipped(warehouse: WarehouseServer, keys: list[str]) -> None:
    for number, key in enumerate(keys, 1):
        ship = record(f"LS{number}", numberExternal=key, numberPurchaseOrder=None)
        warehouse.warehouse.put(number, {"id": number, **ship})


@pytest.mark.parametrize(
    ("points", "resend"),
    [
        ((SENT,), True),
        pytest.param(POINTS, True, marks=[pytest.mark.long, pytest.mark.timeout(600)]),
        pytest.param(POINTS, False, marks=[pytest.mark.long, pytest.mark.timeout(600)]),
    ],
)
def test_a_process_that_is_killed_at_every_step_answers_each_customer_once(
    tmp_path: Path,
    warehouse: WarehouseServer,
    stage: Stage,
    points: Sequence[str],
    resend: bool,  # noqa: FBT001 - a parameter
) -> None:
    """One process after the other dies, each at another step; where nobody can know, a person is asked."""
    keys = stage.place(ORDERS)
    _shipped(warehouse, keys)
    settings = _settings(tmp_path, warehouse, stage, BARMATE__RESEND_AFTER_ABSENCE=str(resend))
    killed = [_run(tmp_path, settings, **{KILL_AT: f"{point}#2"}) for point in points]
    last = _run(tmp_path, settings)
    told = [stage.emails(key) for key in keys]
    responses = _responses(tmp_path)

    assert [one.returncode for one in killed] == [-signal.SIGKILL] * len(points), [one.stderr[-500:] for one in killed]
    # 1: what a person has to look at is left.
    assert last.returncode == told.count(0), last.stderr[-2000:]
    assert max(told) == 1
    # Killed between the last word and the connection: only then nothing arrived, and nobody can know.
    assert told.count(0) == (0 if resend else 1)
    assert (responses["sent"], responses["needs_person"]) == (told.count(1), told.count(0))
