"""The warehouse's twin against the vendor's page on deliveries, field by field."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from connectors.simulated import warehouse_words as words
from connectors.simulated.story_words import Kind
from connectors.simulated.systems import NO_SCOPE_KEY, READ_ONLY_KEY, Systems

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
TEXT_OR_NULL = (str, type(None))
HEAD_TYPES: dict[str, tuple[type, ...]] = {
    "id": (int,),
    "customerId": (int,),
    "status": (str,),
    "statusInbound": (str,),
    "number": (str,),
    "numberExternal": TEXT_OR_NULL,
    "numberPurchaseOrder": TEXT_OR_NULL,
    "date": (str,),
    "priority": (str,),
    "note": TEXT_OR_NULL,
    "attributes": (dict,),
    "lineItems": (list,),
    "createdAt": (str,),
    "updatedAt": (str,),
}
ITEM_TYPES: dict[str, tuple[type, ...]] = {
    "id": (int,),
    "status": (str,),
    "articleId": (int,),
    "articleNumber": (str,),
    "articleUnit": (str,),
    "quantity": (int,),
    "serialNumber": TEXT_OR_NULL,
    "batchNumber": TEXT_OR_NULL,
    "bestBeforeDate": TEXT_OR_NULL,
    "handlingUnitNumberExternal": TEXT_OR_NULL,
    "note": TEXT_OR_NULL,
    "createdAt": (str,),
    "updatedAt": (str,),
}
CREATE = {
    "customerId": 1000050,
    "number": "LS010328",
    "numberExternal": None,
    "numberPurchaseOrder": "PO010328",
    "date": "2024-05-13T09:30:00Z",
    "note": "Unload with care!",
    "attributes": {"areaId": "1000175", "placeId": "1145046"},
    "lineItems": [
        {
            "articleId": 71035893,
            "quantity": 5000,
            "serialNumber": None,
            "batchNumber": None,
            "bestBeforeDate": None,
            "handlingUnitNumberExternal": None,
            "note": "Please carry out a random check on 5% of the articles.",
        }
    ],
}
MINIMUM = {key: CREATE[key] for key in ("customerId", "number", "date", "attributes")}


def all_rows(warehouse: httpx.Client) -> list[dict[str, Any]]:
    """Return every delivery."""
    rows: list[dict[str, Any]] = warehouse.get("/deliveries", params={"pageSize": 250}).json()
    return rows


def created(warehouse: httpx.Client, **changes: object) -> dict[str, Any]:
    """Create a draft and return it."""
    answer = warehouse.post("/deliveries", json={**CREATE, **changes})
    assert answer.status_code == 201
    content: dict[str, Any] = answer.json()
    return content


def is_problem(answer: httpx.Response, status: int) -> None:
    """Fail unless the answer is problem details with this status."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    assert {"type", "title", "status", "detail"} <= answer.json().keys()
    assert answer.json()["status"] == status


def test_a_row_has_the_fields_of_the_example_in_its_order(warehouse: httpx.Client, example: dict[str, Any]) -> None:
    """Names and order of the head, its attributes and its line items are those of the printed resource."""
    for row in all_rows(warehouse):
        assert list(row) == list(example) == list(HEAD_TYPES)
        assert list(row["attributes"]) == list(example["attributes"])
        for item in row["lineItems"]:
            assert list(item) == list(example["lineItems"][0]) == list(ITEM_TYPES)


def test_every_value_has_the_documented_type(warehouse: httpx.Client) -> None:
    """Types, lengths, enumerations and whole-second UTC stamps hold for every row."""
    for row in all_rows(warehouse):
        assert all(type(row[name]) in types for name, types in HEAD_TYPES.items())
        assert all(len(row[name] or "") <= longest for name, longest in words.HEAD_LENGTHS.items())
        assert row["status"] in words.STATUSES
        assert row["statusInbound"] in words.INBOUND_STATUSES
        assert row["priority"] in words.PRIORITIES
        assert all(STAMP.fullmatch(row[name]) for name in ("createdAt", "updatedAt"))
        for item in row["lineItems"]:
            assert all(type(item[name]) in types for name, types in ITEM_TYPES.items())
            assert item["status"] in words.INBOUND_STATUSES


def test_the_example_can_be_created_as_it_is_printed(warehouse: httpx.Client, example: dict[str, Any]) -> None:
    """The vendor's create example yields the vendor's resource, but for ids and stamps."""
    row = created(warehouse)

    given = ("id", "createdAt", "updatedAt", "lineItems")
    assert {k: v for k, v in row.items() if k not in given} == {k: v for k, v in example.items() if k not in given}
    item, printed = row["lineItems"][0], example["lineItems"][0]
    assert {k: v for k, v in item.items() if k not in given} == {k: v for k, v in printed.items() if k not in given}


def test_pages_have_fifty_rows_by_default_and_say_so_in_headers(warehouse: httpx.Client) -> None:
    """``X-Page``, ``X-PageSize``, ``X-Total`` and ``Date`` are headers; the body is a bare array."""
    answer = warehouse.get("/deliveries")

    assert isinstance(answer.json(), list)
    assert len(answer.json()) == 50
    assert [answer.headers[name] for name in ("X-Page", "X-PageSize", "X-Total")] == ["0", "50", "60"]
    assert answer.headers["Date"].endswith(" GMT")


def test_pages_count_from_zero_and_hold_every_row_once(warehouse: httpx.Client) -> None:
    """Page 1 continues page 0, and the page behind the last one is empty."""
    pages = [warehouse.get("/deliveries", params={"page": page, "pageSize": 25}).json() for page in range(4)]

    assert [len(page) for page in pages] == [25, 25, 10, 0]
    assert len({row["id"] for page in pages for row in page}) == 60


@pytest.mark.parametrize(
    "query",
    [
        {"pageSize": "0"},
        {"pageSize": "251"},
        {"page": "-1"},
        {"page": "one"},
        {"status": "lost"},
        {"statusInbound": "lost"},
        {"priority": "urgent"},
        {"ids": "a,b"},
        {"updatedAtMin": "yesterday"},
    ],
)
def test_a_value_outside_the_page_is_a_400_with_problem_details(query: dict[str, str], warehouse: httpx.Client) -> None:
    """The answer names the parameter."""
    answer = warehouse.get("/deliveries", params=query)

    is_problem(answer, 400)
    assert list(answer.json()["errors"]) == list(query)


def test_exact_filters_find_exactly_their_rows(warehouse: httpx.Client) -> None:
    """Each documented filter keeps the rows that carry its value, whatever characters it holds."""
    rows = all_rows(warehouse)
    for name in ("status", "statusInbound", "number", "numberExternal", "numberPurchaseOrder", "priority"):
        for value in {row[name] for row in rows if row[name]}:
            found = warehouse.get("/deliveries", params={name: value, "pageSize": 250}).json()
            assert [row["id"] for row in found] == [row["id"] for row in rows if row[name] == value]


def test_ids_are_a_comma_separated_list(warehouse: httpx.Client) -> None:
    """Unknown ids among them are simply not found."""
    some = [row["id"] for row in all_rows(warehouse)][:3]

    found = warehouse.get("/deliveries", params={"ids": ",".join(map(str, [*some, 1]))}).json()

    assert [row["id"] for row in found] == some


def test_time_filters_take_an_offset_when_it_is_encoded(warehouse: httpx.Client, systems: Systems) -> None:
    """``updatedAt`` and ``createdAt`` can be bounded; times are compared as instants."""
    rows = all_rows(warehouse)
    oldest = min(row["updatedAt"] for row in rows)
    shifted = f"{oldest[:-1]}+00:00"

    old = warehouse.get("/deliveries", params={"updatedAtMax": shifted}).json()
    none = warehouse.get("/deliveries", params={"createdAtMax": "2020-01-01T00:00:00"}).json()
    every = warehouse.get("/deliveries", params={"createdAtMin": "2020-01-01T02:00:00+02:00", "pageSize": 250}).json()

    assert {row["updatedAt"] for row in old} == {oldest}
    assert none == []
    assert len(every) == len(rows)


def test_one_delivery_is_read_by_id_and_an_unknown_one_is_a_404(warehouse: httpx.Client) -> None:
    """The resource is the row of the list."""
    row = all_rows(warehouse)[0]

    assert warehouse.get(f"/deliveries/{row['id']}").json() == row
    is_problem(warehouse.get("/deliveries/1"), 404)


def test_keys_are_needed_with_their_scopes(warehouse: httpx.Client) -> None:
    """No key or a wrong one is 401, a missing scope 403; reading is allowed to readers and writers."""
    del warehouse.headers["X-Api-Key"]

    is_problem(warehouse.get("/deliveries"), 401)
    is_problem(warehouse.get("/deliveries", headers={"X-API-KEY": "wrong"}), 401)
    is_problem(warehouse.get("/deliveries", headers={"x-api-key": NO_SCOPE_KEY}), 403)
    is_problem(warehouse.post("/deliveries", json=CREATE, headers={"X-Api-Key": READ_ONLY_KEY}), 403)
    assert warehouse.get("/deliveries", headers={"X-Api-Key": READ_ONLY_KEY}).status_code == 200


def test_another_version_looks_like_a_missing_record(warehouse: httpx.Client, systems: Systems) -> None:
    """An unsupported version is a 404, and so is a resource nobody documented."""
    other = systems.warehouse_server.url.replace("v1-beta", "v2")

    is_problem(warehouse.get(f"{other}/deliveries"), 404)
    is_problem(warehouse.get("/shipments"), 404)


def test_a_draft_with_the_minimum_is_accepted(warehouse: httpx.Client) -> None:
    """Only customer, number and date are needed; what is left out is null, the priority normal."""
    row = warehouse.post("/deliveries", json=MINIMUM).json()

    assert (row["status"], row["statusInbound"], row["priority"]) == ("draft", "new", "normal")
    assert row["lineItems"] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", None),
        ("number", "x" * 51),
        ("date", None),
        ("date", "soon"),
        ("priority", "urgent"),
        ("note", "x" * 501),
        ("customerId", None),
        ("lineItems", "none"),
        ("lineItems", [{"articleId": 1, "quantity": 5}]),
        ("lineItems", [{"articleId": 71035893, "quantity": "5"}]),
        ("lineItems", [{"articleId": 71035893, "quantity": 0}]),
        ("lineItems", [{"articleId": 71035893, "quantity": 5, "note": "x" * 251}]),
    ],
)
def test_a_bad_draft_is_a_400_that_names_the_field(field: str, value: object, warehouse: httpx.Client) -> None:
    """Required fields, lengths and types are checked."""
    answer = warehouse.post("/deliveries", json={**CREATE, field: value})

    is_problem(answer, 400)
    assert all(name.startswith(field) for name in answer.json()["errors"])


def test_a_body_must_be_a_json_object_and_say_so(warehouse: httpx.Client) -> None:
    """``Content-Type: application/json`` is mandatory, and so is valid JSON."""
    is_problem(warehouse.post("/deliveries", content=b"{}"), 400)
    is_problem(warehouse.post("/deliveries", content=b"{", headers={"Content-Type": "application/json"}), 400)
    is_problem(warehouse.post("/deliveries", json=[]), 400)


def test_a_draft_can_be_replaced_with_its_line_items(warehouse: httpx.Client) -> None:
    """Three new line items replace one; a head field left out is cleared; both names of the handling unit are taken."""
    row = created(warehouse)
    items = [{"articleId": 71035893, "quantity": 5500, "loadNumberExternal": "0033245687899"}] * 3

    answer = warehouse.put(f"/deliveries/{row['id']}", json={**MINIMUM, "priority": "high", "lineItems": items})

    assert answer.status_code == 200
    changed = answer.json()
    assert [item["quantity"] for item in changed["lineItems"]] == [5500] * 3
    assert changed["lineItems"][0]["handlingUnitNumberExternal"] == "0033245687899"
    assert (changed["priority"], changed["note"], changed["numberPurchaseOrder"]) == ("high", None, None)


def test_an_approved_delivery_keeps_its_line_items(warehouse: httpx.Client) -> None:
    """After approval ``lineItems`` must be null; the head can still be changed."""
    row = created(warehouse)
    approved = warehouse.post(f"/deliveries/{row['id']}/approve")

    assert (approved.status_code, approved.content) == (204, b"")
    is_problem(warehouse.put(f"/deliveries/{row['id']}", json=CREATE), 400)
    changed = warehouse.put(f"/deliveries/{row['id']}", json={**CREATE, "priority": "low", "lineItems": None}).json()
    assert (changed["status"], changed["priority"], len(changed["lineItems"])) == ("approved", "low", 1)
    assert changed["lineItems"][0]["status"] == "approved"


def test_only_a_draft_can_be_approved(warehouse: httpx.Client) -> None:
    """A second approval and an unknown id are 400: the page lists no other answer."""
    row = created(warehouse)
    warehouse.post(f"/deliveries/{row['id']}/approve")

    is_problem(warehouse.post(f"/deliveries/{row['id']}/approve"), 400)
    is_problem(warehouse.post("/deliveries/1/approve"), 400)


def test_a_final_delivery_cannot_be_updated(warehouse: httpx.Client) -> None:
    """Once completed the head is closed too; an unknown id is a 404."""
    final = warehouse.get("/deliveries", params={"status": "completed", "pageSize": 1}).json()[0]

    is_problem(warehouse.put(f"/deliveries/{final['id']}", json={**CREATE, "lineItems": None}), 400)
    is_problem(warehouse.put("/deliveries/1", json=CREATE), 404)


def test_a_duplicate_number_is_accepted_or_refused_by_a_switch(warehouse: httpx.Client, systems: Systems) -> None:
    """The vendor calls the number unique and does not say what happens to a second one."""
    row = created(warehouse)
    created(warehouse)
    systems.warehouse_server.panel.change({"duplicate_numbers_refused": True})

    is_problem(warehouse.post("/deliveries", json=CREATE), 400)
    is_problem(warehouse.put(f"/deliveries/{row['id']}", json=CREATE), 400)


def test_the_story_moves_through_documented_values_only(systems: Systems) -> None:
    """Every status a story uses is printed on the vendor's page."""
    moves = {(step.status, step.inbound) for step in systems.story.steps if step.kind is Kind.MOVE}

    assert {status for status, _inbound in moves} <= set(words.STATUSES)
    assert {inbound for _status, inbound in moves} <= set(words.INBOUND_STATUSES)
