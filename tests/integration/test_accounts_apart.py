"""Several accounts side by side: one that hangs, refuses, fails or is slow slows no other."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

import settings
from connectors.simulated.clock import SystemClock as WarehouseClock
from connectors.simulated.switches import Panel, WarehouseSwitches
from connectors.simulated.warehouse import Warehouse
from connectors.simulated.warehouse_server import WarehouseServer
from connectors.simulated.warehouse_words import READ_SCOPE
from tests.local_server import Action, LocalServer, Seen, reply
from tests.reading_kit import record
from tests.runtime_kit import eventually
from worker.app import App
from worker.cli.in_words import reading
from worker.db.tables import deliveries
from worker.runtime.status import AccountStatus

KEY = "key-of-the-tests"
# Polls of an account that is well, while the others are not.
_POLLS = 12


@dataclass(slots=True)
class Apart:
    """The app, the account that is well, and the names of the others."""

    app: App
    well: WarehouseServer
    others: dict[str, str]
    hanging: LocalServer

    def status(self, name: str) -> AccountStatus:
        """How an account stands."""
        wanted = self.others.get(name, name)
        return next(found for found in self.app.status().accounts if found.account == wanted)


def _now() -> str:
    return format_datetime(datetime.now(UTC), usegmt=True)


def _after(done: threading.Event, seconds: float, action: Action) -> Action:
    def later(connection: object) -> None:
        done.wait(seconds)
        action(connection)  # type: ignore[arg-type]

    return later


def _empty() -> Action:
    return reply(200, [], headers={"Date": _now(), "X-Total": "0", "X-PageSize": "250"})


def _scripts(done: threading.Event) -> dict[str, Callable[[Seen], Action]]:
    return {
        "hangs": lambda _seen: _after(done, 60, _empty()),
        "slow": lambda _seen: _after(done, 1.0, _empty()),
        "refuses": lambda _seen: reply(401, {"title": "Unauthorized"}, headers={"Date": _now()}),
        "fails": lambda _seen: reply(500, {"title": "oops"}, headers={"Date": _now()}),
    }


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Apart]:
    """A real warehouse that is well, four others, and an address that nobody is at; all polled five times a second."""
    done = threading.Event()
    with ExitStack() as stack:
        chance, panel = Random(1), Panel(WarehouseSwitches(requests_per_second=0))  # noqa: S311
        warehouse = Warehouse(clock=WarehouseClock(), chance=chance, panel=panel)
        warehouse.put(1, {"id": 1, **record("LS1")})
        well = WarehouseServer(warehouse, keys={KEY: [READ_SCOPE]}, chance=chance)
        urls = {"well": well.start()}
        stack.callback(well.stop)
        servers = {name: LocalServer(script) for name, script in _scripts(done).items()}
        for name, server in servers.items():
            urls[name] = f"{server.url}/api"
            stack.callback(server.close)
        stack.callback(done.set)
        urls["mistyped"] = "http://nobody.invalid/api"
        (tmp_path / "waybill.toml").write_text(
            "".join(
                f'[[accounts]]\nbase_url = "{url}"\napi_key = "{KEY if name == "well" else name}"\n'
                "requests_per_second = 100\npoll_seconds = 0.2\nlag_seconds = 0.5\n"
                for name, url in urls.items()
            )
        )
        loaded = settings.load(environ={"WAYBILL_STATE_DIR": str(tmp_path / "state")}, directory=tmp_path)
        app = stack.enter_context(App(loaded, environ={}))
        app.prepare()
        scheduler = app.scheduler()
        scheduler.start()
        stack.callback(scheduler.stop, 5)
        stack.callback(done.set)
        stack.callback(app.stop.request)
        names = {name: urlsplit(url).netloc for name, url in urls.items()}
        yield Apart(app=app, well=well, others=names, hanging=servers["hangs"])


def test_one_broken_account_slows_no_other(apart: Apart) -> None:
    """Polls of the one that is well go on while another one's first answer is waited for; each says what is wrong."""
    hangs = eventually(lambda: len(apart.hanging.seen) == 1)
    polled = eventually(lambda: apart.well.traffic.requests >= _POLLS)
    still_hanging = len(apart.hanging.seen) == 1
    with apart.app.database.read() as connection:
        held = connection.execute(sa.select(sa.func.count()).select_from(deliveries)).scalar_one()
    told = eventually(lambda: all(apart.status(name).trouble for name in ("fails", "mistyped")))
    refused = eventually(lambda: apart.status("refuses").stopped is not None)
    words = reading(apart.status("mistyped"))
    waited = eventually(lambda: apart.status("hangs").waiting_seconds is not None)

    assert hangs
    assert polled
    assert still_hanging
    assert held == 1
    assert told
    assert refused
    assert waited
    assert apart.status("well").waiting_seconds is None
    assert "no connection could be made" in words
    assert "500" in str(apart.status("fails").trouble)
    assert apart.status("well").trouble is None
    assert eventually(lambda: apart.status("slow").lag_seconds is not None)
