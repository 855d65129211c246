"""The daemon as a real process, killed with SIGKILL at dangerous moments and started again: latency, never work."""

import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from connectors.simulated.story import as_json
from connectors.simulated.story_words import StoryPlan
from connectors.simulated.switches import WarehouseSwitches
from connectors.simulated.systems import Options, Systems
from tests.cli_kit import command_line, run_to_end
from tests.runtime_kit import eventually
from worker.checkpoints import KILL_AT
from worker.clock import SystemClock
from worker.db import Database
from worker.db.tables import events, tasks
from worker.rehearsal.options import Options as RehearsalOptions
from worker.rehearsal.options import plan
from worker.rehearsal.scene import Scene, set_up

# Each is passed several times; after a # stands at which passing the daemon dies.
# The others have short tests of their own, in which a part of the daemon dies.
POINTS = (
    "poller: page recorded",
    "completion: decided#2",
    pytest.param("relay: sent#2", marks=pytest.mark.long),
    pytest.param("actor: claimed#5", marks=pytest.mark.long),
    pytest.param("mirror: delivered#3", marks=pytest.mark.long),
)


@pytest.fixture
def systems() -> Iterator[Systems]:
    """The twins, with a story that has been told to its end."""
    story = StoryPlan(seed=5, deliveries=40, orders=8, seconds=1.0)
    systems = Systems(Options(plan=story, warehouse=WarehouseSwitches(requests_per_second=0)))
    systems.start()
    assert eventually(lambda: bool(systems.player.progress()["done"]))
    yield systems
    systems.stop()


@pytest.fixture
def scene(systems: Systems, tmp_path: Path) -> Scene:
    """The operator's files and settings for these twins, the links imported."""
    thought = plan(RehearsalOptions(seed=5))
    scene = set_up(thought, systems.addresses(), as_json(systems.story), tmp_path, datetime.now(UTC))
    assert _waybill(scene, "orders", "import", str(scene.links)).returncode == 0
    return scene


def _waybill(scene: Scene, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return run_to_end(command_line(arguments), {**scene.environment, **more}, scene.directory)


def _run(scene: Scene, **more: str) -> subprocess.CompletedProcess[str]:
    return _waybill(scene, "run", "--until-idle", "--patience", "8", **more)


@pytest.mark.parametrize("point", POINTS)
def test_a_daemon_that_was_killed_goes_on_where_it_was(systems: Systems, scene: Scene, point: str) -> None:
    """Every event reaches the receiver in order, every linked order is delivered once, and nothing is left over.

    A daemon that died between the receiver's answer and the closing posts again under the same id.
    """
    killed = _run(scene, **{KILL_AT: point})
    again = _run(scene)
    receiver = systems.receiver_server.receiver.truth()
    repeats = set(receiver["duplicates"].values())

    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert again.returncode == 0, again.stderr[-2000:]
    assert {message["id"] for messages in receiver["subjects"].values() for message in messages} == _events(scene)
    assert (receiver["invalid"], receiver["out_of_order"]) == ([], [])
    assert repeats == {2} if point.startswith("mirror") else repeats <= {2}
    assert len(systems.registry_server.truth()["happened"]) == sum(
        order.should_deliver for order in systems.story.expected
    )
    assert _task_states(scene) == {"done"}


def _events(scene: Scene) -> set[str]:
    return _column(scene, sa.select(events.c.id))


def _task_states(scene: Scene) -> set[str]:
    return _column(scene, sa.select(tasks.c.state))


def _column(scene: Scene, statement: sa.Select[str]) -> set[str]:
    database = Database(scene.database_url, SystemClock())
    with database.read() as connection:
        found = set(connection.execute(statement).scalars())
    database.close()
    return found
