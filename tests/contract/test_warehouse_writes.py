"""The warehouse's twin and its writing calls: the vendor's page where it says something, switches where it does not."""

import contextlib
from typing import Any

import httpx
import pytest

from connectors.simulated.systems import Systems
from tests.runtime_kit import eventually
from tests.writing_kit import ITEM, NEW


def created(warehouse: httpx.Client) -> dict[str, Any]:
    """Create a draft and return it."""
    answer = warehouse.post("/deliveries", json=NEW)
    assert answer.status_code == 201
    content: dict[str, Any] = answer.json()
    return content


def test_the_update_example_replaces_head_and_line_items(warehouse: httpx.Client) -> None:
    """As printed, with the other name of the handling unit."""
    key = created(warehouse)["id"]
    item = {**ITEM, "loadNumberExternal": "0033245687899"}
    head = {"numberExternal": "LSEX010328", "numberPurchaseOrder": "PO010328", "priority": "high", "note": None}
    answer = warehouse.put(f"/deliveries/{key}", json={**NEW, **head, "lineItems": [item]})

    assert answer.status_code == 200
    row = answer.json()
    assert {name: row[name] for name in head} == head
    assert [one["handlingUnitNumberExternal"] for one in row["lineItems"]] == ["0033245687899"]


def test_what_an_update_leaves_out_is_cleared_or_kept_as_the_switches_say(
    systems: Systems, warehouse: httpx.Client
) -> None:
    """Neither is documented; a client has to be right under both."""
    key = created(warehouse)["id"]
    least = {"customerId": 1000050, "number": "LS010328", "date": NEW["date"], "lineItems": None}
    panel = systems.warehouse_server.panel
    panel.change({"put_clears_omitted": False})
    kept = warehouse.put(f"/deliveries/{key}", json=least).json()
    panel.change({"put_clears_omitted": True, "null_items_clear_drafts": True})
    cleared = warehouse.put(f"/deliveries/{key}", json=least).json()

    assert (kept["note"], len(kept["lineItems"])) == ("Unload with care!", 1)
    assert (cleared["note"], cleared["lineItems"]) == (None, [])


def test_approving_twice_is_refused_or_nothing_as_the_switch_says(systems: Systems, warehouse: httpx.Client) -> None:
    """Neither is documented; nothing happens either way."""
    key = created(warehouse)["id"]
    first = warehouse.post(f"/deliveries/{key}/approve")
    again = warehouse.post(f"/deliveries/{key}/approve")
    systems.warehouse_server.panel.change({"approve_twice_refused": False})
    lenient = warehouse.post(f"/deliveries/{key}/approve")

    assert (first.status_code, lenient.status_code) == (204, 204)
    assert again.status_code == 400
    assert again.headers["Content-Type"].startswith("application/problem+json")
    assert again.json()["errors"]


@pytest.mark.parametrize(
    ("fault", "effects"),
    [
        ("refuse_before_commit", 0),
        ("drop_before_commit", 0),
        ("throttle_before_commit", 0),
        ("foreign_404", 0),
        ("commit_then_drop", 1),
        ("commit_then_500", 1),
        ("throttle_after_commit", 1),
        ("broken_json", 1),
        ("gateway_twice", 2),
    ],
)
def test_the_ledger_of_writes_says_what_truly_happened(
    systems: Systems, warehouse: httpx.Client, fault: str, effects: int
) -> None:
    """Whatever the client was told."""
    systems.warehouse_server.panel.change({"script": [fault]})
    with contextlib.suppress(httpx.TransportError):
        warehouse.post("/deliveries", json=NEW)
    (call,) = systems.warehouse_server.posts.truth()

    assert (call["fault"], call["effects"], call["refusals"]) == (fault, effects, 0)
    assert len(warehouse.get("/deliveries", params={"number": NEW["number"]}).json()) == effects


def test_a_write_may_take_effect_after_its_client_has_gone(systems: Systems, warehouse: httpx.Client) -> None:
    """The ledger says when nothing more is to come."""
    systems.warehouse_server.panel.change({"script": ["commit_late"], "late_commit_seconds": 0.05})
    with contextlib.suppress(httpx.TransportError):
        warehouse.post("/deliveries", json=NEW)

    assert eventually(lambda: not systems.warehouse_server.posts.pending)
    assert [call["effects"] for call in systems.warehouse_server.posts.truth()] == [1]


def test_a_fault_of_a_write_that_is_not_scripted_is_drawn(systems: Systems, warehouse: httpx.Client) -> None:
    """By its probability, as at the registry and at barmate; the script comes first."""
    systems.warehouse_server.panel.change({"script": ["none"], "post_faults": {"throttle_before_commit": 1.0}})
    first = warehouse.post("/deliveries", json=NEW)
    second = warehouse.post("/deliveries", json=NEW)

    assert (first.status_code, second.status_code) == (201, 429)
    assert [call["fault"] for call in systems.warehouse_server.posts.truth()] == ["none", "throttle_before_commit"]
