"""barmate's twin and connector against the vendor's pages, field by field."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.barmate_records import CustomerOrder
from connectors.barmate_shapes import customer_order
from connectors.simulated.barmate_hooks import METHODS, target_of
from connectors.simulated.barmate_orders import made_up
from connectors.simulated.barmate_server import BarmateServer
from connectors.simulated.barmate_words import API_PATH, STATUSES
from connectors.simulated.http_server import Request
from tests.barmate_kit import TOKEN, build

EXAMPLE: dict[str, Any] = json.loads((Path(__file__).parent / "barmate-delivery.json").read_text(encoding="utf-8"))
# Whether a field may be left out (after the page `api/get-delivery`), by its path.
OPTIONAL = {
    "cancelled",
    "customer.address.address2",
    "request.address.address2",
    "request.message",
    "request.items.order_by",
    "request.items.price_per",
    "request.items.message",
    "request.items.vessel.id",
    "request.items.bundle.id",
    "request.items.bundle.pallet_bundle",
    "request.scheduled.time",
    "responses.reference",
    "responses.scheduled",
    "responses.scheduled.time",
    "responses.items",
    "responses.items.bundle.id",
    "responses.items.bundle.pallet_bundle",
    "responses.user",
    "responses.message",
}
ADDRESS = {"address1", "address2", "zip", "city", "country"}
PERSON = {"name", "email"}
SCHEDULED = {"date", "time"}
BUNDLE = {"id", "type", "size", "pallet_bundle"}
# Every documented field, by the path of what holds it.
FIELDS: Mapping[str, set[str]] = {
    "": {"id", "type", "status", "customer", "request", "responses", "cancelled"},
    "customer": {"id", "company", "address", "contact"},
    "customer.address": ADDRESS,
    "customer.contact": PERSON,
    "request": {
        "timestamp",
        "company",
        "customer_id",
        "cost_center",
        "address",
        "user",
        "scheduled",
        "items",
        "message",
    },
    "request.address": ADDRESS,
    "request.user": PERSON,
    "request.scheduled": SCHEDULED,
    "request.items": {
        "id",
        "name",
        "order_by",
        "vessel",
        "count",
        "bundle",
        "vessel_count",
        "price",
        "price_per",
        "message",
    },
    "request.items.vessel": {"id", "size", "unit", "type"},
    "request.items.bundle": BUNDLE,
    "request.items.bundle.pallet_bundle": {"type", "size"},
    "responses": {"type", "timestamp", "reference", "scheduled", "items", "user", "message"},
    "responses.scheduled": SCHEDULED,
    "responses.items": {"id", "count", "bundle", "vessel_count", "price"},
    "responses.items.bundle": BUNDLE,
    "responses.items.bundle.pallet_bundle": {"type", "size"},
    "responses.user": PERSON,
    "cancelled": {"timestamp", "user", "message"},
    "cancelled.user": PERSON,
}
SAID = {
    "type": "ACCEPT",
    "reference": "LS000001",
    "scheduled": {"date": "2026-05-26", "time": "14:00"},
    "user": {"name": "Lieferant", "email": "lieferant@lieferant.example"},
    "message": "Gerne!",
}
# A status, what is said, and the status after it; None where the documents do not allow it.
RULES = [
    ("REQUESTED", "ACCEPT", "ACCEPTED"),
    ("REQUESTED", "REJECT", "REJECTED"),
    ("REQUESTED", "UPDATE", None),
    ("ACCEPTED", "UPDATE", "ACCEPTED"),
    ("ACCEPTED", "REJECT", "REJECTED"),
    *(
        (status, said, None)
        for status in ("CANCELLED", "REJECTED", "DELIVERED")
        for said in ("ACCEPT", "UPDATE", "REJECT")
    ),
]


def built() -> BarmateServer:
    """Return the twin, with forty deliveries in it."""
    made = build()
    chance = random.Random(5)  # noqa: S311 - repeatable, not secret
    for _ in range(40):
        made.barmate.place(made_up(chance))
    return made


@pytest.fixture
def server() -> Iterator[BarmateServer]:
    """The twin, served."""
    with built() as served:
        yield served


@pytest.fixture
def barmate(server: BarmateServer) -> Iterator[httpx.Client]:
    """A client with the token."""
    with httpx.Client(base_url=server.url, headers={"Authorization": f"token {TOKEN}"}) as client:
        yield client


def shapes(value: object, path: str = "") -> Iterator[tuple[str, set[str]]]:
    """Yield the path of every object in a delivery, with its fields."""
    if isinstance(value, list):
        for inner in value:
            yield from shapes(inner, path)
    if isinstance(value, dict):
        yield path, set(value)
        for name, inner in value.items():
            yield from shapes(inner, f"{path}.{name}" if path else name)


def check(delivery: dict[str, Any], left_out: frozenset[str] = frozenset()) -> None:
    """Fail unless every field is documented, and every documented one there or optional."""
    for path, names in shapes(delivery):
        needed = {name for name in FIELDS[path] if (f"{path}.{name}" if path else name) not in OPTIONAL | left_out}
        assert needed <= names <= FIELDS[path], path


def respond(server: BarmateServer, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer the newest delivery, and return the status and the delivery as it is then."""
    _place, record = server.barmate.newest_first()[0]
    path = f"{API_PATH}/deliveries/{record['id']}/responses"
    headers = {"authorization": f"token {TOKEN}"}
    reply = server.answer(Request(method="POST", path=path, query=(), headers=headers, body=body))
    if reply.status == 400:
        assert json.loads(reply.body)["message"]
    return reply.status, server.barmate.get(str(record["id"]))


def one(barmate: httpx.Client, key: object) -> dict[str, Any]:
    """Return a delivery."""
    answer = barmate.get(f"/deliveries/{key}")
    assert answer.status_code == 200
    content: dict[str, Any] = answer.json()
    return content


def test_the_connector_reads_the_printed_example() -> None:
    """Every value of the vendor's example is where it belongs."""
    order = customer_order(EXAMPLE)

    assert isinstance(order, CustomerOrder)
    assert (order.id, order.type, order.status, order.unknown) == ("123456789", "DELIVERY", "REQUESTED", ())
    assert (order.customer.id, order.customer.company) == ("12345", "Mein Club AG")
    assert (order.request.company, order.request.customer_id, order.cancelled_at) == (None, None, None)
    assert order.items is not None
    assert [order.items[0].count, order.items[0].vessel_count, order.items[0].price_cents] == [2, 12, 750]
    assert order.items[0].vessel is not None
    assert (order.items[0].vessel.size, order.items[0].vessel.unit) == (Decimal(7), "dl")
    assert order.responses[0].reference == "delivery-123"
    assert order.responses[0].items[0].count == 1
    assert order.personal.requested.by is not None
    assert order.personal.requested.by.name == "Lagerist"


def test_a_delivery_has_the_documented_fields_and_no_others(barmate: httpx.Client, server: BarmateServer) -> None:
    """In every status, with responses and without; the connector reads each of them."""
    keys = [str(row["id"]) for row in barmate.get("/deliveries").json()["deliveries"]]
    for key in keys[:8]:
        barmate.post(f"/deliveries/{key}/responses", json=SAID)
    server.barmate.cancel(keys[0])
    server.barmate.receive(keys[1])
    barmate.post(f"/deliveries/{keys[2]}/responses", json={"type": "REJECT"})

    seen = set()
    for key in keys:
        delivery = one(barmate, key)
        check(delivery)
        order = customer_order(json.loads(json.dumps(delivery), parse_float=Decimal))
        assert isinstance(order, CustomerOrder)
        assert order.unknown == ()
        seen.add(order.status)
    assert seen == set(STATUSES)


def test_a_list_has_neither_items_nor_zips_and_a_cursor_only_when_more_follow(barmate: httpx.Client) -> None:
    """Most recent first, page after page, each delivery once while nothing happens."""
    first = barmate.get("/deliveries").json()
    second = barmate.get("/deliveries", params={"cursor": first["cursor"]}).json()
    rows = first["deliveries"] + second["deliveries"]

    assert (len(first["deliveries"]), len(second["deliveries"]), "cursor" in second) == (20, 20, False)
    assert [row["id"] for row in rows] == sorted((row["id"] for row in rows), reverse=True)
    for row in rows:
        assert "items" not in row["request"]
        check(row, frozenset({"request.items", "customer.address.zip", "request.address.zip"}))
        assert "zip" not in row["customer"]["address"] | row["request"]["address"]


def test_one_status_can_be_asked_for(barmate: httpx.Client, server: BarmateServer) -> None:
    """Only deliveries of that status are listed; a word that is no status is a 400."""
    key = str(barmate.get("/deliveries").json()["deliveries"][3]["id"])
    server.barmate.cancel(key)

    found = barmate.get("/deliveries", params={"status": "CANCELLED"}).json()["deliveries"]
    assert [str(row["id"]) for row in found] == [key]
    assert barmate.get("/deliveries", params={"status": "LOST"}).status_code == 400


@pytest.mark.parametrize(("status", "said", "after"), RULES)
def test_a_response_leads_where_the_page_says(status: str, said: str, after: str | None) -> None:
    """ACCEPT only of a request, UPDATE only after acceptance, nothing once it is final; each e-mails the customer."""
    server = built()
    key = str(server.barmate.newest_first()[0][1]["id"])
    server.barmate.rewrite(key, {"status": status})
    answered, told = respond(server, json.dumps({"type": said}).encode())

    assert answered == (400 if after is None else 200)
    assert told["status"] == (status if after is None else after)
    assert [response["type"] for response in told["responses"]] == ([] if after is None else [said])
    assert server.truth()["emails_by_delivery"] == ({} if after is None else {key: 1})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"{}",
        b'{"type": "SHIP"}',
        b'{"type": "REJECT", "scheduled": {"date": "2026-05-26"}}',
        b'{"type": "ACCEPT", "scheduled": {"date": "26.05.2026"}}',
        b'{"type": "ACCEPT", "scheduled": {"date": "2026-05-26", "time": "25:00"}}',
        b'{"type": "ACCEPT", "items": [{"count": 1}]}',
        b'{"type": "ACCEPT", "items": [{"id": "no such item"}]}',
        b'{"type": "ACCEPT", "items": [{"id": "1", "count": -1}]}',
        b'{"type": "ACCEPT", "reference": 7}',
    ],
)
def test_an_invalid_response_is_a_400_and_changes_nothing(body: bytes) -> None:
    """The body is checked as documented before anything happens."""
    server = built()
    answered, told = respond(server, body)

    assert answered == 400
    assert (told["status"], server.truth()["emails"]) == ("REQUESTED", [])


def test_an_unknown_id_is_a_404_and_a_wrong_token_a_401(barmate: httpx.Client, server: BarmateServer) -> None:
    """Reading and answering alike; the word before the token is part of the credential."""
    assert barmate.get("/deliveries/7").status_code == 404
    assert barmate.post("/deliveries/7/responses", json={"type": "ACCEPT"}).status_code == 404
    for header in (f"Bearer {TOKEN}", "token wrong", TOKEN, ""):
        answer = httpx.get(f"{server.url}/deliveries", headers={"Authorization": header})
        assert answer.status_code == 401
        assert "Unauthorized" in answer.text


def test_a_webhook_is_registered_in_the_vendors_words() -> None:
    """Three methods, headers, and basic as the only authorization."""
    basic = {"type": "basic", "username": "u", "password": "p"}
    targets = [target_of({"url": "http://h/", "method": method, "authorization": basic}) for method in METHODS]

    assert [target.credentials() for target in targets] == [{"Authorization": "Basic dTpw"}] * 3
    with pytest.raises(ValueError, match="method"):
        target_of({"url": "http://h/", "method": "GET"})
    with pytest.raises(ValueError, match="basic"):
        target_of({"url": "http://h/", "authorization": {"type": "bearer"}})
