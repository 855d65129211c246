"""`waybill run --until-idle`, as a real process against the simulated systems; the rest in this one."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.simulated.story import as_json
from connectors.simulated.story_words import StoryPlan
from connectors.simulated.switches import WarehouseSwitches
from connectors.simulated.systems import Options, Systems
from tests.cli_kit import Shell, command_line, run_to_end
from worker.rehearsal.options import Options as RehearsalOptions
from worker.rehearsal.options import plan
from worker.rehearsal.scene import Scene, set_up

PREFIX = "WAYBILL_"
# Rows that an idle run must not add to.
_FACTS = ("deliveries", "events", "tasks", "firings", "attempts", "orders")
_STORY_SECONDS = 1.0


@pytest.fixture
def systems() -> Iterator[Systems]:
    """The twins, with a story that has been told to its end."""
    story = StoryPlan(seed=3, deliveries=60, orders=12, seconds=_STORY_SECONDS)
    systems = Systems(Options(plan=story, warehouse=WarehouseSwitches(requests_per_second=0)))
    systems.start()
    deadline = time.monotonic() + 30
    while not systems.player.progress()["done"] and time.monotonic() < deadline:
        time.sleep(0.1)
    yield systems
    systems.stop()


@pytest.fixture
def scene(systems: Systems, tmp_path: Path) -> Scene:
    """The operator's files and settings for these twins."""
    thought = plan(RehearsalOptions(seed=3))
    return set_up(thought, systems.addresses(), as_json(systems.story), tmp_path, datetime.now(UTC))


# Polled as by default: in compressed time another poll begins before the process has looked at the last. What is
# answered to customers has quiet times of its own, longer than the patience here, and reads the warehouse again.
_SETTINGS = {
    "WAYBILL_LOGISTIC_CLOUD__POLL_SECONDS": "5",
    "WAYBILL_BARMATE__RESPOND": "false",
    "WAYBILL_BARMATE__RESPOND_REJECT": "false",
}


def _waybill(scene: Scene, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_to_end(command_line(arguments), {**scene.environment, **_SETTINGS}, scene.directory)


@pytest.fixture
def shell(scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands with the same settings in this process, for what is not the run itself."""
    made = Shell(scene.directory, monkeypatch, capsys)
    settings = {**scene.environment, **_SETTINGS}
    made.set(**{name.removeprefix(PREFIX): text for name, text in settings.items() if name.startswith(PREFIX)})
    return made


def _counts(url: str) -> Mapping[str, int]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        counts = {
            table: connection.execute(sa.select(sa.func.count()).select_from(sa.table(table))).scalar_one()
            for table in _FACTS
        }
    engine.dispose()
    return counts


def test_a_second_run_until_idle_asks_at_most_twice_and_writes_nothing(
    systems: Systems, scene: Scene, shell: Shell
) -> None:
    """Once everything is certified and held, a run costs one request for the server's time and one for the tail."""
    assert shell("orders", "import", str(scene.links)).status == 0
    first = _waybill(scene, "run", "--until-idle", "--patience", "3")
    assert first.returncode == 0, first.stderr[-2000:]
    before, asked = _counts(scene.database_url), systems.warehouse_server.traffic.requests

    second = _waybill(scene, "run", "--until-idle", "--patience", "3")

    assert second.returncode == 0, second.stderr[-2000:]
    assert systems.warehouse_server.traffic.requests - asked <= 2
    assert _counts(scene.database_url) == before
    assert before["firings"] > 0

    checked = shell("coverage", "--check", "--json")
    assert checked.status == 0, checked.out
    assert before["deliveries"] == len(systems.warehouse_server.warehouse.truth()["rows"])
