"""The receiver of docs/receiver.md, exactly as it is printed there, against the mirror."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.local_server import closed_port
from tests.runtime_kit import SECRET, Bench, bench_at, eventually
from worker.kinds import MIRROR
from worker.mirror_again import MirrorAgain

PAGE = Path(__file__).parents[2] / "docs" / "receiver.md"


@pytest.fixture
def bench(sqlite_url: str) -> Iterator[Bench]:
    """A bench with a webhook."""
    with bench_at(sqlite_url) as bench:
        yield bench


@contextmanager
def _printed_receiver(folder: Path) -> Iterator[tuple[str, Path]]:
    """Its address, and the file in which its lines appear."""
    script, said = folder / "receiver.py", folder / "said.txt"
    script.write_text("\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)))
    port = closed_port()
    environment = {**os.environ, "WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    with (
        said.open("w") as output,
        subprocess.Popen(
            [sys.executable, str(script)], env=environment, stdout=output, stderr=subprocess.DEVNULL
        ) as process,
    ):
        url = f"http://127.0.0.1:{port}/hook"
        try:
            assert eventually(lambda: _answers(url))
            yield url, said
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


def _deliver(bench: Bench, url: str) -> None:
    with bench.couriers(bench.mirror(url, seconds=15.0)) as couriers:
        couriers.hand(bench.ids(MIRROR))
        assert eventually(lambda: bench.states(MIRROR) == {"done": 5})


def test_the_receiver_of_the_documentation_verifies_and_drops_repeats(bench: Bench, tmp_path: Path) -> None:
    """Each event is worked on once, though all are posted twice."""
    with _printed_receiver(tmp_path) as (url, said):
        appended = bench.changes(5, orders=False)
        _deliver(bench, url)
        again = MirrorAgain(database=bench.database, tasks=bench.tasks)
        posted_again = sum(again.one(event.id) for event in appended)
        _deliver(bench, url)
        lines = said.read_text().splitlines()

    assert posted_again == 5
    assert sorted(lines) == sorted(
        f"{event.subject} {event.cloud_event()['sequence']} {event.type}" for event in appended
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-id": "m", "webhook-timestamp": "1778673600", "webhook-signature": "v1,bm9uZQ=="},
        {"webhook-id": "m", "webhook-timestamp": "1778673600", "webhook-signature": "nonsense"},
        {"webhook-id": "m", "webhook-timestamp": "soon", "webhook-signature": "v1,bm9uZQ=="},
    ],
    ids=["unsigned", "old", "malformed", "no time"],
)
def test_the_receiver_of_the_documentation_refuses_the_rest(headers: dict[str, str], tmp_path: Path) -> None:
    """Whatever is not signed as it should be is a 401, and nothing is done about it."""
    with _printed_receiver(tmp_path) as (url, said):
        answer = httpx.post(url, content=b"{}", headers=headers)
        lines = said.read_text()

    assert (answer.status_code, lines) == (401, "")


def test_the_receiver_has_ten_lines_besides_its_imports() -> None:
    """What the page says."""
    first = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    lines = [line for line in first.splitlines() if line.strip() and not re.match(r"import |from ", line)]

    assert len(lines) == 10
