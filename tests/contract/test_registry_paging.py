"""The registry's Relay pages as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connectors.simulated.systems import Systems

Params = dict[str, str | int | list[str]]


@pytest.fixture
def batches(systems: Systems) -> str:
    """The path of a list that is long enough for several pages."""
    return f"/organisations/{systems.story.registry.supplier.organisation.id}/credit_batches"


def page(registry: httpx.Client, path: str, **params: str | int) -> dict[str, Any]:
    """Return one page."""
    content: dict[str, Any] = registry.get(path, params=params).json()
    return content


def test_ten_nodes_are_the_default_and_fifty_the_most(registry: httpx.Client, batches: str) -> None:
    """Without a size a page has ten nodes."""
    assert len(page(registry, batches)["nodes"]) == 10
    assert len(page(registry, batches, first=20)["nodes"]) == 20
    assert registry.get(batches, params={"first": 50}).status_code == 200


def test_pages_forwards_hold_every_node_once(registry: httpx.Client, batches: str) -> None:
    """Following ``end_cursor`` until there is no next page reads ``total_count`` different nodes."""
    seen: list[str] = []
    cursor: Params = {}
    while True:
        content = registry.get(batches, params={"first": 7, **cursor}).json()
        seen += [node["id"] for node in content["nodes"]]
        if not content["page_info"]["has_next_page"]:
            break
        cursor = {"after": content["page_info"]["end_cursor"]}

    assert len(seen) == len(set(seen)) == content["total_count"]


def test_pages_backwards_mirror_those_forwards(registry: httpx.Client, batches: str) -> None:
    """``before`` a page's start gives the page in front of it."""
    first = page(registry, batches, first=5)
    second = page(registry, batches, first=5, after=first["page_info"]["end_cursor"])

    back = page(registry, batches, last=5, before=second["page_info"]["start_cursor"])

    assert back["nodes"] == first["nodes"]
    assert back["page_info"]["has_previous_page"] is False
    assert second["page_info"]["has_previous_page"] is True


def test_the_last_page_is_found_from_the_end(registry: httpx.Client, batches: str) -> None:
    """``last`` alone counts from the end of the list."""
    content = page(registry, batches, last=3)

    assert len(content["nodes"]) == 3
    assert content["page_info"]["has_next_page"] is False


def test_an_empty_list_has_no_cursors(registry: httpx.Client, systems: Systems) -> None:
    """A list without nodes says so with null cursors."""
    content = page(registry, f"/orders/{systems.story.registry.orders[0].id}/deliveries")

    assert content == {
        "nodes": [],
        "total_count": 0,
        "page_info": {
            "has_previous_page": False,
            "start_cursor": None,
            "has_next_page": False,
            "end_cursor": None,
        },
    }


def test_batches_come_by_issuance_newest_first_unless_asked_otherwise(registry: httpx.Client, batches: str) -> None:
    """``sort_direction`` is descending by default."""
    down = [node["issued_at"] for node in page(registry, batches, first=50)["nodes"]]
    up = [node["issued_at"] for node in page(registry, batches, first=50, sort_direction="asc")["nodes"]]

    assert down == sorted(down, reverse=True)
    assert up == sorted(up)


def test_filters_of_batches_intersect(registry: httpx.Client, batches: str, systems: Systems) -> None:
    """Every filter narrows, and both bounds of the issuance are strict."""
    batch = systems.story.registry.batches[0]
    same = page(registry, batches, issuance_id=batch.issuance_id, project_id=batch.project_id, first=50)
    none = page(registry, batches, issuance_id=batch.issuance_id, issued_after=batch.issued_at.isoformat())
    before = page(registry, batches, issuance_id=batch.issuance_id, issued_before=batch.issued_at.isoformat())

    assert {node["issuance_id"] for node in same["nodes"]} == {batch.issuance_id}
    assert none["total_count"] == before["total_count"] == 0
    assert page(registry, batches, retirement_id="ret_1FAN3S3WVSBXB842")["total_count"] == 0


def test_deliveries_can_be_asked_for_by_supplier_and_buyer(registry: httpx.Client, systems: Systems) -> None:
    """``GET /deliveries`` knows these two filters only."""
    content = systems.story.registry
    order = content.orders[0]
    quantities = [{"credit_batch_id": content.batches[0].id, "credit_quantity_kg": 1}]
    registry.post("/deliveries", json={"order_id": order.id, "notes": None, "credit_batch_quantities": quantities})

    assert page(registry, "/deliveries", from_supplier_id=content.supplier.id)["total_count"] == 1
    assert page(registry, "/deliveries", to_organisation_id=order.buyer.id)["total_count"] == 1
    assert page(registry, "/deliveries", from_supplier_id="spl_1FAN3S3WVSBXB842")["total_count"] == 0
    assert page(registry, "/deliveries", to_organisation_id=content.supplier.organisation.id)["total_count"] == 0
