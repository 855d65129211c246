"""A first reading at one request a second, in real time and over a real socket: no 429, and no time lost."""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Thread
from time import monotonic, sleep

import pytest
import sqlalchemy as sa

import settings
from connectors.simulated.clock import SystemClock
from connectors.simulated.switches import Panel, WarehouseSwitches
from connectors.simulated.warehouse import Warehouse
from connectors.simulated.warehouse_server import WarehouseServer
from connectors.simulated.warehouse_words import READ_SCOPE
from tests.reading_kit import record
from tests.runtime_kit import eventually
from worker.app import App
from worker.db.tables import deliveries
from worker.runtime.stopping import Stopped

KEY = "key-of-the-tests"
PAGE = 50
# So many full pages, and what the count, the tails and the server's time cost besides.
PAGES = 60
# Seconds that the test may take in all: a minute by the limit, and a machine that starts slowly.
PATIENCE = 150.0


@pytest.mark.long
@pytest.mark.timeout(PATIENCE + 60)
def test_sixty_pages_at_one_request_a_second_take_as_long_as_the_limit_says(tmp_path: Path) -> None:
    """The twin would refuse the second request of a second; it refuses none, and is asked nearly as often as may be."""
    chance, panel, clock = Random(1), Panel(WarehouseSwitches(requests_per_second=1)), SystemClock()  # noqa: S311
    warehouse = Warehouse(clock=clock, chance=chance, panel=panel)
    for key in range(1, PAGES * PAGE + 1):
        warehouse.put(key, {"id": key, **record(f"LS{key}")}, at=clock.now() - timedelta(seconds=60 + 20 * key))
    twin = WarehouseServer(warehouse, keys={KEY: [READ_SCOPE]}, chance=chance)
    (tmp_path / "waybill.toml").write_text(
        f'[logistic_cloud]\nbase_url = "{twin.start()}"\napi_key = "{KEY}"\npage_size = {PAGE}\nlag_seconds = 1\n'
    )
    loaded = settings.load(environ={"WAYBILL_STATE_DIR": str(tmp_path / "state")}, directory=tmp_path)
    with App(loaded, environ={}) as app:
        app.prepare()
        (name,) = app.accounts.names()
        reading = Thread(target=lambda: _read(app, name), daemon=True)
        reading.start()
        eventually(lambda: twin.traffic.requests >= 1)
        began, before = monotonic(), twin.traffic.requests
        while _held(app) < PAGES * PAGE and monotonic() < began + PATIENCE:
            sleep(0.05)
        everything = _held(app)
        seconds, requests = monotonic() - began, twin.traffic.requests - before
        app.stop.request()
        reading.join()
    twin.stop()

    assert everything == PAGES * PAGE
    assert twin.traffic.throttled == 0
    assert requests >= PAGES
    assert seconds <= 1.1 * requests


def _read(app: App, name: str) -> None:
    with suppress(Stopped):
        while True:
            app.accounts.poll(name)


def _held(app: App) -> int:
    with app.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar_one())
