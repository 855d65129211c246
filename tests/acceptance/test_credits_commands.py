"""The commands under `credits`, end to end: between them whole runs against the twins of warehouse and registry.

All of them in this process, each from its arguments to its exit status: a new one for each takes seconds.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.simulated.warehouse import Warehouse
from connectors.simulated.warehouse_server import WarehouseServer
from tests.cli_kit import Done, Shell
from tests.clocks import ManualClock
from tests.firing_kit import ORDER, OTHER_ORDER, Twin
from tests.reading_kit import record
from tests.warehouse_kit import KEY, served_warehouse

# (purchase order, credit order, kilograms): PO-4 was delivered by hand, PO-5 is more than one delivery may have.
LINKS = (
    ("PO-1", ORDER, 100),
    ("PO-2", ORDER, 200),
    ("PO-3", ORDER, 50),
    ("PO-4", OTHER_ORDER, 30),
    ("PO-5", ORDER, 450),
)
BEFORE_GOING_LIVE = ("PO-4",)


class World:
    """Both twins and the settings of a waybill in approve mode, in a folder of its own."""

    def __init__(self, shell: Shell, registry: Twin, warehouse: WarehouseServer) -> None:
        self.shell = shell
        self.registry = registry
        now = datetime.now(UTC)
        for number, (purchase_order, _, _) in enumerate(LINKS, start=1):
            days = 5 if purchase_order in BEFORE_GOING_LIVE else 1
            self._complete(warehouse.warehouse, number, purchase_order, now - timedelta(days=days))
        settings = {
            "LOGISTIC_CLOUD__BASE_URL": warehouse.url,
            "LOGISTIC_CLOUD__API_KEY": KEY,
            "LOGISTIC_CLOUD__REQUESTS_PER_SECOND": "1000",
            "LOGISTIC_CLOUD__LAG_SECONDS": "1",
            "ISOMETRIC__BASE_URL": registry.url,
            "ISOMETRIC__ACCESS_TOKEN": "token-of-the-tests",
            "ISOMETRIC__CLIENT_SECRET": "secret-of-the-tests",
            "ISOMETRIC__REQUESTS_PER_SECOND": "1000",
            "CREDITS__MODE": "approve",
            "CREDITS__MARKER_KEY": "a-marker-key-of-the-tests",
            "CREDITS__SINCE": (now - timedelta(days=3)).isoformat(),
            "CREDITS__QUIET_SECONDS": "1",
            "CREDITS__MAX_KG_PER_DELIVERY": "400",
            "WEB__PORT": "0",
        }
        shell.set(**settings)

    def __call__(self, *arguments: str) -> Done:
        """Run a command."""
        return self.shell(*arguments)

    def run(self) -> dict[str, str]:
        """Work until nothing is due; the state of each firing by purchase order, `PO/1` for a supplement."""
        done = self("run", "--until-idle", "--patience", "1")
        assert done.status == 0, done.err[-2000:]
        return self.states()

    def states(self) -> dict[str, str]:
        """As they are listed now."""
        return {
            one["purchase_order"] + (f"/{one['ordinal']}" if one["ordinal"] else ""): one["state"]
            for one in self("credits", "list", "--json").objects
        }

    def link(self, links: Sequence[tuple[str, str, int]]) -> Done:
        """Import links."""
        lines = [f"{purchase_order},{credit_order},{kg},1" for purchase_order, credit_order, kg in links]
        text = "\n".join(["purchase_order,credit_order_id,credit_kg,expected_deliveries", *lines])
        (self.shell.folder / "links.csv").write_text(text + "\n")
        return self("orders", "import", "links.csv")

    def delivered(self) -> list[int]:
        """The kilograms that truly moved, in order."""
        return [one["kg"] for one in self.registry.happened()]

    def _complete(self, warehouse: Warehouse, number: int, purchase_order: str, at: datetime) -> None:
        changes = {"numberPurchaseOrder": purchase_order, "status": "completed", "statusInbound": "booked"}
        warehouse.put(number, {"id": number, **record(f"LS{number}", **changes)}, at=at)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    """Five orders that are complete at the source."""
    registry = Twin(ManualClock())
    with served_warehouse() as server:
        yield World(Shell(tmp_path, monkeypatch, capsys), registry, server)
    registry.server.stop()


def test_a_person_leads_every_firing_to_its_end(world: World) -> None:
    """Approve, change, hold, adopt, pause, supplement: what was not decided by a person is never sent."""
    by_hand = world.registry.deliver_by_hand(30, 3, order=OTHER_ORDER)
    assert world.link(LINKS).status == 0

    planned = world.run()

    assert planned == {"PO-1": "planned", "PO-2": "planned", "PO-3": "planned", "PO-4": "held", "PO-5": "held"}
    assert "credits adopt" in _reason(world, "PO-4")
    assert "400 kg that one delivery may have" in _reason(world, "PO-5")
    assert world.delivered() == [30]

    assert world("credits", "approve", "PO-1").status == 0
    assert world("credits", "approve", "PO-2").status == 0
    assert world.link([("PO-2", ORDER, 201)]).status == 0
    assert world("credits", "hold", "PO-3", "--because", "ask the buyer").status == 0
    assert world("reconcile").status == 1
    assert world("credits", "adopt", "PO-4", by_hand).status == 0
    approved = world.run()

    assert approved == {"PO-1": "confirmed", "PO-2": "planned", "PO-3": "held", "PO-4": "confirmed", "PO-5": "held"}
    assert world.delivered() == [30, 100]

    assert world("credits", "approve", "PO-2").status == 0
    assert world("credits", "pause", "--because", "stocktaking").status == 0
    assert world("credits", "release", "PO-3").status == 0
    assert world("credits", "supplement", "PO-1", "--kg", "7", "--because", "one more pallet").status == 0
    paused = world.run()

    assert set(paused.values()) == {"confirmed", "held"}
    assert "stocktaking" in _reason(world, "PO-2")
    assert world.delivered() == [30, 100]

    assert world("credits", "resume").status == 0
    resumed = world.run()
    assert (resumed["PO-2"], resumed["PO-3"], resumed["PO-1/1"]) == ("confirmed", "planned", "planned")
    for words in (("PO-3",), ("PO-1", "--ordinal", "1")):
        assert world("credits", "approve", *words).status == 0
    ended = world.run()

    assert {name for name, state in ended.items() if state != "confirmed"} == {"PO-5"}
    assert sorted(world.delivered()) == [7, 30, 50, 100, 201]
    _explains_itself(world)
    _ledgers_agree_once_closed(world, by_hand)


def _reason(world: World, purchase_order: str) -> str:
    listed = world("credits", "list", "--json").objects
    return next(str(one["reason"]) for one in listed if one["purchase_order"] == purchase_order)


def _explains_itself(world: World) -> None:
    told = world("orders", "explain", "PO-1", "--json").objects[0]
    shown = world("orders", "explain", "PO-1").out

    first, second = told["firings"]
    assert (first["kg"], second["kg"]) == (100, 7)
    assert second["calculation"]["because"] == "one more pallet"
    assert first["attempts"][0]["request_json"]["order_id"] == ORDER
    assert first["attempts"][0]["answer"]["id"] == first["credit_delivery_id"]
    assert first["credit_deliveries"][0]["attribution"] == "ours"
    assert told["deliveries"][0]["events"][0]["proof"]["kind"]
    assert "order completed" in shown
    assert first["attempts"][0]["request"] in shown


def _ledgers_agree_once_closed(world: World, by_hand: str) -> None:
    """What was found stays a row until a person closes it, also after it was adopted."""
    assert world("reconcile").status == 1
    assert world("reconcile", "close", f"extra:{by_hand}", "--because", "adopted for PO-4").status == 0
    assert world("reconcile", "--supplier").status == 0


def test_ledgers_are_compared_on_the_first_day_without_a_daemon(world: World) -> None:
    """An empty database: everything that the supplier delivered is extra until it is closed with a reason."""
    by_hand = world.registry.deliver_by_hand(30, 3)

    linked, everything = world("reconcile", "--json"), world("reconcile", "--supplier", "--json")
    closed = world("reconcile", "close", f"extra:{by_hand}", "--because", "delivered by hand before waybill")

    assert (linked.status, linked.out) == (0, "")
    assert [(one["kind"], one["subject"]) for one in everything.objects] == [("extra", by_hand)]
    assert everything.status == 1
    assert closed.status == 0
    assert world("reconcile", "--supplier").status == 0
