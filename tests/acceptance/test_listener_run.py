"""barmate's webhooks, from its twin to the event: repeated, in any order, and `waybill run` killed on the way."""

import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.simulated.barmate_hooks import Target
from tests.barmate_kit import TOKEN, Stage, staged
from tests.cli_kit import command_line, plain_environment, prefixed
from tests.listener_kit import HEADER, LOGIN, free_port
from tests.local_server import Action, LocalServer, Seen, reply
from worker.checkpoints import KILL_AT
from worker.clock import SystemClock
from worker.customers.hearing import HINT_KEPT
from worker.db import Database
from worker.db.tables import customer_hints, customer_orders, events

# Longer than the test: whatever is seen after the first poll was seen because of a call.
POLL_SECONDS = "3600"
# Seconds that a machine with much else to do may take for a start, or for a handful of calls.
PATIENCE = 60.0
# Once a hint is durable and the caller has no answer yet; while its order is being read; and once it was read.
POINTS = (f"{HINT_KEPT}#3", "customers: order read#2", "customers: order recorded#2")


def _empty_page(_seen: Seen) -> Action:
    moment = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    return reply(200, [], headers={"Date": moment, "X-Total": "0", "X-PageSize": "250"})


@pytest.fixture
def stage() -> Iterator[Stage]:
    """barmate, whose webhooks come twice now and then and in any order."""
    with staged(page_size=100, hook_repeated=0.3, hooks_shuffled=True, hook_retry_seconds=0.1) as made:
        yield made


@pytest.fixture
def settings(tmp_path: Path, stage: Stage) -> Iterator[dict[str, str]]:
    """A warehouse without deliveries, barmate, and the listener."""
    warehouse = LocalServer(_empty_page)
    yield {
        "STATE_DIR": str(tmp_path / "state"),
        "LOG__FORMAT": "json",
        "WEB__PORT": "0",
        "LOGISTIC_CLOUD__BASE_URL": f"{warehouse.url}/api",
        "LOGISTIC_CLOUD__API_KEY": "key-of-the-tests",
        "BARMATE__BASE_URL": stage.server.url,
        "BARMATE__TOKEN": TOKEN,
        "BARMATE__REQUESTS_PER_SECOND": "100",
        "BARMATE__POLL_SECONDS": POLL_SECONDS,
        "BARMATE__LISTEN_PORT": str(free_port()),
        "BARMATE__WEBHOOK_HEADER": HEADER.name,
        "BARMATE__WEBHOOK_SECRET": HEADER.secret,
        "BARMATE__WEBHOOK_USER": LOGIN.user,
        "BARMATE__WEBHOOK_PASSWORD": LOGIN.password,
    }
    warehouse.close()


@contextmanager
def daemon(folder: Path, settings: dict[str, str], **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running `waybill run`."""
    with (folder / "daemon.log").open("ab") as log:
        running = subprocess.Popen(
            command_line(["run"]),
            cwd=folder,
            env={**plain_environment(), **prefixed(settings), **more},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def until(done: Callable[[], bool], folder: Path) -> None:
    """Wait until it came true."""
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, (folder / "daemon.log").read_text()[-3000:]
        time.sleep(0.05)


def target(settings: dict[str, str], secret: str = HEADER.secret) -> Target:
    """What barmate is told to call."""
    url = f"http://127.0.0.1:{settings['BARMATE__LISTEN_PORT']}/barmate"
    return Target(url=url, headers={HEADER.name: secret}, username=LOGIN.user, password=LOGIN.password)


class Kept:
    """What waybill has, read beside it."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'state' / 'waybill.db'}", SystemClock())

    def rows(self, statement: sa.Select[Any]) -> list[sa.Row[Any]]:
        """Every row."""
        with self.database.read() as connection:
            return list(connection.execute(statement))

    def statuses(self) -> dict[str, str]:
        """Customer orders by id."""
        orders = customer_orders.c
        return {row.id: row.status for row in self.rows(sa.select(orders.id, orders.status, orders.content_hash != ""))}

    def open_hints(self) -> int:
        """Hints whose order was not read since."""
        return len(self.rows(sa.select(customer_hints).where(customer_hints.c.done_at.is_(None))))

    def told(self, order_id: str) -> list[str]:
        """What was told about an order."""
        about = events.c.subject == f"customer_orders/{order_id}"
        return [row.type for row in self.rows(sa.select(events).where(about).order_by(events.c.position))]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    """What waybill has, once it has begun."""
    found = Kept(tmp_path)
    yield found
    found.database.close()


def _walked(stage: Stage) -> int:
    reads: int = stage.server.truth()["reads"].get("list", 0)
    return reads


def _truth(stage: Stage) -> dict[str, str]:
    return {str(record["id"]): record["status"] for _place, record in stage.twin.newest_first()}


@pytest.mark.parametrize("points", [POINTS[:1], pytest.param(POINTS, marks=pytest.mark.long)])
def test_every_call_ends_as_an_event_whatever_is_killed_on_the_way(
    tmp_path: Path, stage: Stage, settings: dict[str, str], kept: Kept, points: Sequence[str]
) -> None:
    """A durable hint is read by the next process; a call that got no answer comes again and changes nothing."""
    stage.server.hooks.register(target(settings))
    ended = []
    for point in points:
        keys = stage.place(4)
        with daemon(tmp_path, settings, **{KILL_AT: point}) as running:
            ended.append(running.wait(PATIENCE))
        stage.twin.cancel(keys[0])
    # Each process walks once, unless it is killed before it gets to it.
    walks = _walked(stage) + 1
    with daemon(tmp_path, settings):
        until(lambda: _walked(stage) == walks, tmp_path)
        (new,) = stage.place(1)
        until(lambda: kept.statuses() == _truth(stage) and kept.open_hints() == 0, tmp_path)
        stage.twin.cancel(new)
        until(lambda: kept.statuses() == _truth(stage) and kept.open_hints() == 0, tmp_path)

    assert ended == [-signal.SIGKILL] * len(points)
    assert _walked(stage) == walks <= len(points) + 1
    assert kept.told(new) == ["waybill.customer_order.appeared", "waybill.customer_order.changed"]
    assert stage.server.truth()["hooks"]["lost"] == []


def test_a_call_with_another_secret_is_heard_once_the_secret_is_right(
    tmp_path: Path, stage: Stage, settings: dict[str, str], kept: Kept
) -> None:
    """It leaves nothing but a count; barmate repeats it, and with the right secret it is taken."""

    def attempts(status: int) -> int:
        return sum(one["status"] == status for one in stage.server.truth()["hooks"]["attempts"])

    stage.server.hooks.register(target(settings, "not the secret"))
    with daemon(tmp_path, settings):
        until(lambda: _walked(stage) == 1, tmp_path)
        (key,) = stage.place(1)
        until(lambda: attempts(401) >= 2, tmp_path)
        nothing = (kept.statuses(), kept.open_hints())
        counts = _counts(tmp_path)
        stage.server.hooks.register(target(settings))
        until(lambda: kept.statuses() == {key: "REQUESTED"}, tmp_path)

    assert nothing == ({}, 0)
    assert counts["unauthorized"] >= 2
    assert counts["taken"] == 0
    assert HEADER.secret not in (tmp_path / "daemon.log").read_text()


def _counts(folder: Path) -> dict[str, int]:
    """Calls by what they came to, as a monitor sees them at the board."""
    lines = [json.loads(line) for line in (folder / "daemon.log").read_text().splitlines() if line.startswith("{")]
    (board,) = [line["address"] for line in lines if line.get("event") == "web listens"]
    with urllib.request.urlopen(f"{board}/metrics", timeout=10) as answer:  # noqa: S310 - loopback
        text = answer.read().decode()
    beginning = 'waybill_barmate_calls_total{outcome="'
    told = [line.removeprefix(beginning) for line in text.splitlines() if line.startswith(beginning)]
    return {line.split('"')[0]: int(float(line.split()[-1])) for line in told}
