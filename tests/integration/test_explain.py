"""The explanation of an order: from the credit delivery back to the readings, from stored rows alone."""

import hashlib
import json
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.simulated.switches import PostFault
from tests.cli_kit import Shell
from tests.clocks import ManualClock
from tests.firing_kit import KEY, Bench
from tests.order_kit import LINKED, NOON, UNLINKED
from tests.order_store import OrderStore
from tests.reading_kit import Bench as ReadingBench
from worker.cli.story import story
from worker.db import Database
from worker.db.tables import credit_deliveries, firings
from worker.events import OrderKey
from worker.explain import explain
from worker.states import FiringState


def explained(bench: Bench) -> dict[str, Any]:
    """The explanation of the bench's order."""
    with bench.database.read() as connection:
        return explain(connection, KEY, LINKED)


def the_delivery(database: Database, key: OrderKey) -> dict[str, Any]:
    """The only delivery in an order's explanation."""
    with database.read() as connection:
        told: Any = explain(connection, key, UNLINKED)["deliveries"]
    (delivery,) = told
    return dict(delivery)


def test_every_attempt_is_told_with_its_own_bytes_and_its_answer(bench: Bench) -> None:
    """After a no about the batches the second attempt asks for others: both requests are kept byte for byte."""
    bench.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})
    resending = bench.again(resend_after_absence=True)
    resending.complete(kg=300)
    assert resending.settle().state is FiringState.CONFIRMED

    (firing,) = explained(bench)["firings"]

    first, second = firing["attempts"]
    assert first["request_json"] == json.loads(first["request"])
    assert hashlib.sha256(second["request"].encode()).hexdigest() == second["request_sha256"]
    assert (first["outcome"], second["outcome"]) == ("unknown", "confirmed")
    assert second["answer"]["id"] == firing["credit_delivery_id"]
    assert [one["verdict"] for one in firing["readings"]][-3:] == ["none"] * 3
    assert firing["calculation"]["kg"] == 300


def test_what_the_registry_recorded_is_told_beside_what_nobody_claims(bench: Bench) -> None:
    """Our delivery with its public notes; and one made by hand, which holds the next firing there."""
    bench.complete(kg=300)
    bench.advance()
    by_hand = bench.twin.deliver_by_hand(10, 2, notes="by hand")
    bench.reconciler.run()

    (firing,) = explained(bench)["firings"]

    (ours,) = firing["credit_deliveries"]
    assert (ours["id"], ours["kg"]) == (firing["credit_delivery_id"], 300)
    assert firing["marker"] in ours["notes"]
    assert [(one["id"], one["kg"]) for one in firing["unattributed"]] == [(by_hand, 10)]


def test_a_delivery_is_told_with_the_reading_and_the_certificate_behind_it(database: Database) -> None:
    """Which window was asked, by which request, and how the second of its newest change is covered."""
    reading = ReadingBench(database, ManualClock())
    reading.put(1)
    reading.poll(times=3, seconds=120)
    key = OrderKey(reading.source.name, 1000050, "PO1")

    delivery = the_delivery(database, key)

    (appeared,) = delivery["events"]
    assert appeared["type"] == "waybill.delivery.appeared"
    assert appeared["raw_hash"] == delivery["content_hash"]
    assert {"kind", "since", "until", "turn", "server_time"} <= set(appeared["proof"])
    assert delivery["coverage"]["state"] == "certified"


def test_a_delivery_that_was_counted_and_left_is_still_told(database: Database) -> None:
    """The order was paid for with it, wherever it belongs now."""
    store = OrderStore(database)
    store.deliver()
    store.link()
    store.look()
    store.fire("confirmed", store.contents())
    store.deliver(purchase_order="PO-2")

    delivery = the_delivery(database, KEY)

    assert (delivery["id"], delivery["left_for"]) == (1, "PO-2")


def test_the_story_tells_the_same_to_a_person(bench: Bench) -> None:
    """Nothing of the chain is missing, and no line holds what could steer a terminal."""
    bench.twin.panel.change({"script": [PostFault.COMMIT_THEN_DROP]})
    bench.complete(kg=300)
    bench.settle()
    firing = bench.firing()
    with bench.database.write() as connection:
        connection.execute(sa.update(credit_deliveries).values(notes="\x1b[2J"))
        connection.execute(
            sa.update(firings).values(
                calculation={
                    "kg": 300,
                    "fixed": False,
                    "lines": [
                        {
                            "delivery_id": 1,
                            "line_item_id": 7,
                            "article_number": "A",
                            "unit": "ST",
                            "quantity": "4",
                            "kg_per_unit": "75.2",
                            "kg": "300.8",
                        }
                    ],
                }
            )
        )

    told = "\n".join(story(explained(bench)))

    assert firing.request is not None
    assert firing.request.decode() in told
    assert "delivery 1, line item 7: A, 4 ST at 75.2 kg = 300.8 kg" in told
    assert "300 kg, the sum, rounded down" in told
    assert "ambiguous → confirmed" in told
    assert f"credit delivery id: {firing.credit_delivery_id}" in told
    assert "\x1b" not in told


def test_an_order_with_trouble_is_told_with_its_trouble(
    tmp_path: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not visible, unknown values, a record set aside, an ambiguous link: each is a line."""
    shell = Shell(tmp_path, monkeypatch, capsys)
    with shell.store() as store:
        store.deliver(1, visible=False)
        store.deliver(2, unrecognised=["status=melted"], status="melted")
        store.deliver(3, customer_id=8)
        store.put_aside(customer_id=None, first_seen_at=NOON)
        store.link()
        store.look()

    told = shell("orders", "explain", "PO-1", "--customer", "7").out

    for words in (
        "no longer visible at the source",
        "values that this version does not know: status=melted",
        "The field id is missing.",
        "does not say",
        "order blocked",
        "firings: none",
    ):
        assert words in told
