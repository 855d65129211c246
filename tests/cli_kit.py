"""The command line in the tests: in this process, and as the real command."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from settings.log import WaybillHandler
from tests.databases import migrated
from tests.order_store import OrderStore
from worker.__main__ import main
from worker.db import Database

# Seconds that a command may take on a busy machine.
PATIENCE = 90.0
DATABASE_FILE = "waybill.db"


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        """Its output as JSON, an object a line."""
        assert self.status in (0, 1), self.err
        return [json.loads(line) for line in self.out.splitlines()]


class Shell:
    """Runs commands in this process, in a folder of the test's own, without any setting of this machine."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._monkeypatch = monkeypatch
        self._capture = capture
        monkeypatch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("WAYBILL_")]:
            monkeypatch.delenv(name)

    def set(self, **settings: str) -> None:
        """Set settings by their names without the prefix."""
        for name, value in settings.items():
            self._monkeypatch.setenv(f"WAYBILL_{name}", value)

    def know_registry(self, url: str) -> None:
        """Have credentials for the registry at `url`."""
        self.set(
            ISOMETRIC__BASE_URL=url,
            ISOMETRIC__ACCESS_TOKEN="token-of-the-tests",
            ISOMETRIC__CLIENT_SECRET="secret-of-the-tests",
            ISOMETRIC__REQUESTS_PER_SECOND="1000",
        )

    def unset(self, *names: str) -> None:
        """Take settings back."""
        for name in names:
            self._monkeypatch.delenv(f"WAYBILL_{name}", raising=False)

    def __call__(self, *arguments: str) -> Done:
        """Run one command line."""
        self._capture.readouterr()
        with _logging_as_before():
            status = main(arguments)
        out, err = self._capture.readouterr()
        return Done(status, out, err)

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The database that the commands use, migrated."""
        state = self.folder / ".waybill"
        state.mkdir(exist_ok=True)
        with migrated(f"sqlite:///{state / DATABASE_FILE}") as database:
            yield database

    @contextmanager
    def store(self) -> Iterator[OrderStore]:
        """The same, with rows of orders to be put in."""
        with self.database() as database:
            yield OrderStore(database)


@contextmanager
def _logging_as_before() -> Iterator[None]:
    """A command sets up the log of its process, and this process has further tests to run."""
    root = logging.getLogger()
    level = root.level
    try:
        yield
    finally:
        for handler in [handler for handler in root.handlers if isinstance(handler, WaybillHandler)]:
            root.removeHandler(handler)
        root.setLevel(level)
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()


def plain_environment() -> dict[str, str]:
    """What a real command inherits here: nothing of a waybill set up on this machine, but what the coverage needs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WAYBILL_")}
    root = str(Path(__file__).parent.parent)
    known = kept.get("PYTHONPATH")
    return {**kept, "PYTHONPATH": root if known is None else os.pathsep.join((root, known))}


def command_line(arguments: Sequence[str]) -> list[str]:
    """The real command."""
    return [sys.executable, "-m", "worker", *arguments]


def waybill(folder: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> Done:
    """Run the real command in a folder and wait for its end."""
    done = run_to_end(command_line(arguments), {**plain_environment(), **prefixed(settings)}, folder)
    return Done(done.returncode, done.stdout, done.stderr)


def run_to_end(
    command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a process that nobody types to, and wait for its end."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def prefixed(settings: Mapping[str, str] | None) -> dict[str, str]:
    """Settings as variables of the environment."""
    return {} if settings is None else {f"WAYBILL_{name}": value for name, value in settings.items()}
