"""Responses in a whole process: events wake them, the daemon says them, a rejection reads the warehouse first."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import settings
from connectors.barmate_records import ResponseType
from connectors.simulated.switches import PostFault
from connectors.simulated.warehouse_server import WarehouseServer
from tests.barmate_kit import TOKEN, Stage, staged
from tests.cli_kit import prefixed
from tests.reading_kit import record
from tests.warehouse_kit import KEY, served_warehouse
from worker import daemon
from worker.app import App
from worker.responding import reply_rows
from worker.responding.words import Words
from worker.runtime.progress import LogProgress
from worker.states import ResponseState


@pytest.fixture
def stage() -> Iterator[Stage]:
    """Barmate's twin."""
    with staged() as made:
        yield made


@pytest.fixture
def warehouse() -> Iterator[WarehouseServer]:
    """The warehouse's twin."""
    with served_warehouse() as server:
        yield server


def test_what_another_process_is_sending_is_taken_up_only_where_there_can_be_no_other(
    tmp_path: Path, stage: Stage, database_url: str
) -> None:
    """SQLite has one process, by a lock; on PostgreSQL others may be sending, and their end is waited for."""
    given = {
        "STATE_DIR": str(tmp_path / "state"),
        "DATABASE_URL": database_url,
        "BARMATE__BASE_URL": stage.server.url,
        "BARMATE__TOKEN": TOKEN,
    }
    with App(settings.load(environ=prefixed(given), directory=tmp_path), environ={}) as app:
        app.prepare()
        assert app.customers.host is not None
        with app.database.write() as connection:
            now = app.database.now(connection)
            words = Words(type=ResponseType.ACCEPT, reference="LS1")
            made = reply_rows.insert(connection, words, host=app.customers.host, order_id="1", about=None, now=now)
            end = now + timedelta(minutes=1)
            sending = replace(made, state=ResponseState.SENDING, sends=1, deadline=end, settled_at=end)
            reply_rows.change(connection, made, sending, now)
        app.take_over()
        with app.database.read() as connection:
            found = reply_rows.counts(connection)

    alone = database_url.startswith("sqlite")
    assert (found["sending"], found["unknown"]) == ((0, 1) if alone else (1, 0))


def _run(folder: Path, warehouse: WarehouseServer, stage: Stage, **more: str) -> int:
    given = {
        "STATE_DIR": str(folder / "state"),
        "WEB__PORT": "0",
        "LOGISTIC_CLOUD__BASE_URL": warehouse.url,
        "LOGISTIC_CLOUD__API_KEY": KEY,
        "LOGISTIC_CLOUD__REQUESTS_PER_SECOND": "200",
        "LOGISTIC_CLOUD__POLL_SECONDS": "0.3",
        "LOGISTIC_CLOUD__LAG_SECONDS": "0.3",
        "BARMATE__BASE_URL": stage.server.url,
        "BARMATE__TOKEN": TOKEN,
        "BARMATE__REQUESTS_PER_SECOND": "200",
        "BARMATE__POLL_SECONDS": "0.5",
        "BARMATE__RESPOND": "true",
        "BARMATE__RESPOND_REJECT": "true",
        "BARMATE__TIME_ZONE": "Europe/Zurich",
        "BARMATE__QUIET_SECONDS": "0.3",
        **more,
    }
    options = daemon.RunOptions(threads=2, until_idle=True, patience_seconds=10)
    with App(settings.load(environ=prefixed(given), directory=folder), environ={}) as app:
        return daemon.run(app, options, LogProgress(app.clock))


def test_the_daemon_tells_what_changed_and_what_was_cancelled(
    tmp_path: Path, warehouse: WarehouseServer, stage: Stage
) -> None:
    """One ACCEPT and one UPDATE for two changes; a REJECT once the deliveries were read again at the warehouse."""
    changed, cancelled, silent = stage.place(3)
    for number, key in enumerate((changed, cancelled, silent), 1):
        ship = record(f"LS{number}", numberExternal=key, numberPurchaseOrder=None)
        warehouse.warehouse.put(number, {"id": number, **ship})
    first = _run(tmp_path, warehouse, stage)
    for date in ("2027-01-01T12:00:00Z", "2027-01-02T12:00:00Z"):
        _rewrite(warehouse, 1, date=date)
    _rewrite(warehouse, 2, status="cancelled")
    second = _run(tmp_path, warehouse, stage)

    assert (first, second) == (0, 0)
    assert [stage.emails(key) for key in (changed, cancelled, silent)] == [2, 2, 1]
    assert [response.type for response in stage.order(changed).responses] == ["ACCEPT", "UPDATE"]
    assert stage.order(cancelled).status == "REJECTED"


def test_a_run_that_leaves_a_response_to_a_person_says_so_and_ends_with_1(
    tmp_path: Path, warehouse: WarehouseServer, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """The acceptance was lost, and nobody but a person can know what became of it."""
    (key,) = stage.place()
    warehouse.warehouse.put(1, {"id": 1, **record("LS1", numberExternal=key, numberPurchaseOrder=None)})
    stage.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})

    assert _run(tmp_path, warehouse, stage, BARMATE__SETTLE_SECONDS="1") == 1
    assert stage.emails(key) == 0
    assert "responses that are needs_person: 1; `barmate responses` lists them" in capsys.readouterr().out


def _rewrite(warehouse: WarehouseServer, number: int, **fields: str) -> None:
    warehouse.warehouse.change(number, lambda kept: kept.update(fields))
