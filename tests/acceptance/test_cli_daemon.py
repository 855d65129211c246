"""Commands beside a running daemon, all of them real processes."""

import json
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli_kit import command_line, plain_environment, prefixed, waybill
from tests.local_server import Action, LocalServer, Seen, reply

ADDRESS = re.compile(r'"address":"(http://[^"]+)"')


def _empty_page(_seen: Seen) -> Action:
    moment = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    return reply(200, [], headers={"Date": moment, "X-Total": "0", "X-PageSize": "250"})


@pytest.fixture
def settings() -> Iterator[dict[str, str]]:
    """A warehouse without deliveries, and a web part on a free port."""
    warehouse = LocalServer(_empty_page)
    yield {
        "LOGISTIC_CLOUD__BASE_URL": f"{warehouse.url}/api",
        "LOGISTIC_CLOUD__API_KEY": "key-of-the-tests",
        "LOGISTIC_CLOUD__REQUESTS_PER_SECOND": "100",
        "LOGISTIC_CLOUD__POLL_SECONDS": "0.5",
        "LOGISTIC_CLOUD__LAG_SECONDS": "0.5",
        "WEB__PORT": "0",
        "LOG__FORMAT": "json",
    }
    warehouse.close()


@pytest.fixture
def daemon(tmp_path: Path, settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A running `waybill run`; its log is daemon.log."""
    with (tmp_path / "daemon.log").open("wb") as log:
        running = subprocess.Popen(
            command_line(["run"]),
            cwd=tmp_path,
            env={**plain_environment(), **prefixed(settings)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        _address(tmp_path, running)
        yield running
    finally:
        running.kill()
        running.wait()


def _address(folder: Path, running: subprocess.Popen[bytes]) -> str:
    """Where the daemon's web part listens, once it does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and running.poll() is None:
        found = ADDRESS.search((folder / "daemon.log").read_text())
        if found is not None:
            return found.group(1)
        time.sleep(0.05)
    raise AssertionError((folder / "daemon.log").read_text()[-2000:])


def _loops(address: str, expected: set[str]) -> set[str]:
    """The loops that the daemon tells of, once they are those expected or time is up."""
    deadline = time.monotonic() + 30
    while True:
        with urllib.request.urlopen(f"{address}/healthz", timeout=10) as answer:  # noqa: S310 - loopback
            loops = set(json.loads(answer.read())["loops"])
        if loops >= expected or time.monotonic() > deadline:
            return loops
        time.sleep(0.05)


def test_a_second_daemon_is_refused_and_the_first_goes_on(
    daemon: subprocess.Popen[bytes], settings: dict[str, str], tmp_path: Path
) -> None:
    """One embedded database has one daemon; the second ends with a sentence that names the folder."""
    second = waybill(tmp_path, "run", settings=settings)

    assert second.status == 2
    assert second.err.splitlines()[-1].startswith(f"Another waybill runs on the state directory {tmp_path}")
    assert daemon.poll() is None


def test_a_job_put_on_the_queue_is_done_by_the_daemon(
    daemon: subprocess.Popen[bytes], settings: dict[str, str], tmp_path: Path
) -> None:
    """`enqueue --wait` beside a daemon prints the id, and what came of it when the daemon has done it."""
    done = waybill(tmp_path, "enqueue", "poll", "--wait", settings=settings)
    status = waybill(tmp_path, "status", "--json", settings=settings)

    assert done.status == 0, done.err
    assert len(done.out.splitlines()[0].split()) == 1
    assert json.loads(status.out)["tasks"]["done"] >= 1


def test_the_daemon_tells_its_health_and_stops_when_asked(daemon: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """Probes see a living process; SIGTERM ends it with 0."""
    address = _address(tmp_path, daemon)
    loops = _loops(address, {"main", "relay", "scheduler"})
    answers = {}
    for path in ("/healthz", "/readyz", "/metrics"):
        with urllib.request.urlopen(address + path, timeout=10) as answer:  # noqa: S310 - loopback
            answers[path] = (answer.status, answer.read().decode())
    daemon.send_signal(signal.SIGTERM)

    assert {status for status, _ in answers.values()} == {200}
    assert loops >= {"main", "relay", "scheduler"}
    assert "waybill_tasks" in answers["/metrics"][1]
    assert daemon.wait(30) == 0
