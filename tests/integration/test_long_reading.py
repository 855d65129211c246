"""A long first reading over HTTP with a process of its own for its pages, from the settings down."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import settings
from connectors.simulated.warehouse_server import WarehouseServer
from tests.reading_kit import record
from tests.warehouse_kit import served_warehouse
from worker.app import App
from worker.reading import preparer

ROWS = 600
PAGE = 10
PREPARED = "worker.reading.preparing"


@pytest.fixture
def warehouse() -> Iterator[WarehouseServer]:
    """One with rows of the last two days, older than any lag."""
    with served_warehouse() as server:
        now = datetime.now(UTC)
        for number in range(ROWS):
            moment = now - timedelta(hours=48) + timedelta(minutes=4 * number)
            server.warehouse.put(1000 + number, {"id": 1000 + number, **record(f"LS{number}")}, at=moment)
        yield server


def _app(server: WarehouseServer, folder: Path, per_second: int) -> App:
    (key,) = server.keys
    environment = {
        "STATE_DIR": str(folder / "state"),
        "LOGISTIC_CLOUD__BASE_URL": server.url,
        "LOGISTIC_CLOUD__API_KEY": key,
        "LOGISTIC_CLOUD__REQUESTS_PER_SECOND": str(per_second),
        "LOGISTIC_CLOUD__PAGE_SIZE": str(PAGE),
    }
    loaded = settings.load(environ={f"WAYBILL_{name}": text for name, text in environment.items()}, directory=folder)
    app = App(loaded, environ={})
    app.prepare()
    return app


def _helpers() -> list[int]:
    """Children of this process that prepare pages."""
    children = [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
    return [int(pid) for pid in children if PREPARED in (Path("/proc") / pid / "cmdline").read_text("latin-1")]


def _read(app: App) -> int:
    """Poll until nothing that can be read is pending; how many rows are held."""
    (account,) = app.accounts.names()
    for _ in range(40):
        if not app.accounts.poll(account)["pending"]:
            break
    with app.database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM deliveries").scalar_one())


def test_a_long_reading_has_a_helper_that_leaves_with_the_worker(warehouse: WarehouseServer, tmp_path: Path) -> None:
    """It is there while a long list is read, and gone when the worker has closed."""
    with _app(warehouse, tmp_path, 1000) as app:
        assert _read(app) == ROWS
        assert len(_helpers()) == 1

    assert _helpers() == []


def test_a_helper_that_nobody_uses_leaves_by_itself(
    warehouse: WarehouseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next poll sends it away."""
    monkeypatch.setattr(preparer, "IDLE_SECONDS", 0.0)
    with _app(warehouse, tmp_path, 1000) as app:
        assert _read(app) == ROWS
        (account,) = app.accounts.names()
        app.accounts.poll(account)

        assert _helpers() == []


def test_where_turns_are_scarce_there_is_no_helper(warehouse: WarehouseServer, tmp_path: Path) -> None:
    """Below five requests a second the turns take longer than the rows."""
    with _app(warehouse, tmp_path, 4) as slow:
        source = slow.clients.source(slow.settings.accounts[0])

    assert source is not None
    assert source.long_lists is None
