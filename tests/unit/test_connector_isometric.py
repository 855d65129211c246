"""The Isometric registry: typed reading, pages, and what is refused to be guessed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import pytest

from connectors.answer import Answer
from connectors.errors import ConnectorError, NotFound, UnexpectedAnswer
from connectors.isometric import BatchFilter, Environment, Isometric, environment_of, parse_delivery
from connectors.isometric_records import CreditDelivery
from tests.client_kit import Kit
from tests.local_server import Action, LocalServer, reply, serving

T = TypeVar("T")

ORDER_ID = "ord_1FAN3S3WVSBXB842"
BUYER = {"id": "org_1GB56M1STSBXGVNA", "name": "Buyer", "domain": None}
OURS = {"id": "org_1CP8EQDNQSBXTMR2", "name": "Ours", "domain": "ours.example"}
SUPPLIER = {
    "id": "spl_1CC712KFSSBXYKPS",
    "short_description": None,
    "long_description": None,
    "organisation": OURS,
    "location": None,
}
ORDER = {
    "id": ORDER_ID,
    "effective_contract_date": "2024-01-01",
    "fulfilled_at": None,
    "buyer_organisation": BUYER,
    "supplier": SUPPLIER,
    "status": "in_progress",
    "credits_ordered": {"credits": 5.0, "credit_kgs": 5000},
    "credits_delivered": {"credits": 1.25, "credit_kgs": 1250},
    "something_new": {"a": 1},
}


def delivery(number: int, **changes: object) -> dict[str, object]:
    """Return a credit delivery as documented."""
    return {
        "id": f"dlv_1C454ZXA6SBX{number:04}",
        "delivered_at": "2024-01-22T11:56:48.520641Z",
        "order_id": ORDER_ID,
        "from_supplier": SUPPLIER,
        "to_organisation": BUYER,
        "credit_batch_size_total": {"credits": 0.25, "credit_kgs": 250},
        "url": "https://registry.example/d",
        "notes": None,
        **changes,
    }


def batch(number: int, **changes: object) -> dict[str, object]:
    """Return a credit batch as documented."""
    return {
        "id": f"ctb_1DRBTYA8QSBX{number:04}",
        "serial_number": "ISO-1",
        "status": "active",
        "size": {"credits": 1.0, "credit_kgs": 1000},
        "issued_at": "2024-01-01T00:00:00Z",
        "retired_at": None,
        "delivered_at": None,
        "sequestered_on": "2023-01-01",
        "country_of_issue": "GBR",
        "supplier_id": SUPPLIER["id"],
        "parent_id": None,
        "left_child_id": None,
        "right_child_id": None,
        "issuance_id": "iss_1EWT8R5FYSBXGFCY",
        "delivery_id": None,
        "beneficiary": None,
        "retirement_id": None,
        "removal_id": "rmv_1EWT8R5FYSBXGFCY",
        "owner": OURS,
        "project_id": "prj_1EWT8R5FYSBXGFCY",
        "carbon_removal_data": None,
        "ccp_approved": False,
        **changes,
    }


def page(nodes: list[dict[str, object]], total: int, *, more: bool = False, cursor: str | None = None) -> Action:
    """Answer with one Relay page."""
    info = {"has_previous_page": False, "start_cursor": None, "has_next_page": more, "end_cursor": cursor}
    return reply(200, {"nodes": nodes, "total_count": total, "page_info": info})


def asking(server: LocalServer, question: Callable[[Isometric], T]) -> T:
    """Return the answer to the question put to the server."""
    headers = {"Authorization": "Bearer some-token-value", "x-client-secret": "client-secret-value"}
    with Kit().client(f"{server.url}/registry/v0", headers=headers) as client:
        return question(Isometric(client))


def test_an_order_is_read_with_its_kilograms() -> None:
    """Kilograms come from the integers; what is new is ignored; both credentials are sent."""
    with serving(reply(200, ORDER)) as server:
        order = asking(server, lambda registry: registry.order(ORDER_ID))

    assert (order.id, order.status, order.ordered_kg, order.delivered_kg) == (ORDER_ID, "in_progress", 5000, 1250)
    assert (order.supplier.organisation.id, order.buyer.id) == (OURS["id"], BUYER["id"])
    assert order.fulfilled_at is None
    assert server.seen[0].path == f"/registry/v0/orders/{ORDER_ID}"
    assert server.seen[0].headers["authorization"] == "Bearer some-token-value"
    assert server.seen[0].headers["x-client-secret"] == "client-secret-value"


def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    """An id with strokes or dots in it stays one part of the path."""
    with serving(reply(404, {"detail": "no"})) as server:
        for hostile in ("../supplier", "..", "a?b#c"):
            with pytest.raises(NotFound):
                asking(server, partial(Isometric.order, order_id=hostile))

    assert [seen.path for seen in server.seen] == [
        "/registry/v0/orders/..%2Fsupplier",
        "/registry/v0/orders/%2E%2E",
        "/registry/v0/orders/a%3Fb%23c",
    ]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": None}, "status should be a string and is NoneType"),
        ({"credits_ordered": {"credits": 5.0}}, "credits_ordered.credit_kgs is missing"),
        ({"credits_ordered": {"credit_kgs": 5000.0}}, "credits_ordered.credit_kgs should be an integer"),
        ({"credits_ordered": {"credit_kgs": True}}, "credits_ordered.credit_kgs should be an integer"),
        ({"credits_ordered": 5000}, "credits_ordered should be a JSON object"),
        ({"supplier": {"id": "x"}}, "supplier.organisation is missing"),
        ({"fulfilled_at": "yesterday"}, "fulfilled_at should be a date-time"),
        ({"fulfilled_at": "2024-01-01T00:00:00"}, "fulfilled_at should be a date-time with a zone"),
    ],
)
def test_an_order_of_another_shape_is_named_by_its_field(changes: dict[str, object], told: str) -> None:
    """A field that is missing or of another type is never guessed."""
    with serving(reply(200, {**ORDER, **changes})) as server, pytest.raises(UnexpectedAnswer) as caught:
        asking(server, lambda registry: registry.order(ORDER_ID))

    assert told in caught.value.sentence


def test_an_unknown_status_is_kept_as_it_came() -> None:
    """A new value of an enumeration is the decider's business."""
    with serving(reply(200, {**ORDER, "status": "pending", "fulfilled_at": "2024-01-22T12:00:00+01:00"})) as server:
        order = asking(server, lambda registry: registry.order(ORDER_ID))

    assert order.status == "pending"
    assert order.fulfilled_at == datetime(2024, 1, 22, 11, tzinfo=UTC)


def test_a_list_is_read_page_by_page_to_its_end() -> None:
    """Pages of 50 follow the cursor; the counts of the first and the last page are kept."""
    first = page([delivery(3), delivery(2)], 3, more=True, cursor="c/1")
    with serving(first, page([delivery(1)], 3)) as server:
        found = asking(server, lambda registry: registry.order_deliveries(ORDER_ID))

    assert [node.id[-1] for node in found.nodes] == ["3", "2", "1"]
    assert (found.complete, found.joined, found.counts_agree, found.turns) == (True, False, True, (1, 2))
    assert [list(seen.params) for seen in server.seen] == [[("first", "50")], [("first", "50"), ("after", "c/1")]]


def test_a_count_that_changed_while_reading_is_told() -> None:
    """Counts that disagree are reported, not hidden."""
    first = page([delivery(3), delivery(2)], 3, more=True, cursor="c1")
    with serving(first, page([delivery(1)], 4)) as server:
        found = asking(server, lambda registry: registry.order_deliveries(ORDER_ID))

    assert (found.first_total_count, found.total_count, found.counts_agree) == (3, 4, False)


def test_a_list_is_read_until_a_known_entry() -> None:
    """The known entry is the last one read, and the list is not called complete."""
    with serving(page([delivery(3), delivery(2), delivery(1)], 9, more=True, cursor="c1")) as server:

        def known(entry: CreditDelivery) -> bool:
            return entry.id.endswith("2")

        found = asking(server, lambda registry: registry.supplier_deliveries("spl_x", until=known))

    assert [node.id[-1] for node in found.nodes] == ["3", "2"]
    assert (found.joined, found.complete, found.total_count, len(server.seen)) == (True, False, 9, 1)


def test_a_known_entry_at_the_very_end_leaves_nothing_unread() -> None:
    """A list joined at its last entry was read completely."""
    with serving(page([delivery(1)], 1)) as server:
        found = asking(server, lambda registry: registry.supplier_deliveries("spl_x", until=lambda _: True))

    assert (found.joined, found.complete) == (True, True)


def test_a_cursor_that_comes_twice_is_a_circle() -> None:
    """A list that leads back to itself ends in an error instead of never."""
    with (
        serving(page([delivery(1)], 9, more=True, cursor="same")) as server,
        pytest.raises(UnexpectedAnswer, match="in a circle"),
    ):
        asking(server, lambda registry: registry.order_deliveries(ORDER_ID))

    assert len(server.seen) == 2


@pytest.mark.parametrize("cursor", [None, ""])
def test_a_next_page_without_a_cursor_leaves_the_list_incomplete(cursor: str | None) -> None:
    """A page that cannot be asked for is not silently left out."""
    with serving(page([delivery(1)], 1, more=True, cursor=cursor)) as server:
        found = asking(server, lambda registry: registry.order_deliveries(ORDER_ID))

    assert (found.complete, found.counts_agree) == (False, False)


def test_a_node_of_another_shape_is_unexpected() -> None:
    """One unreadable entry makes a reading of the ledger worthless, so it ends."""
    with serving(page([delivery(1, notes=3)], 1)) as server, pytest.raises(UnexpectedAnswer, match="notes"):
        asking(server, lambda registry: registry.order_deliveries(ORDER_ID))


@pytest.mark.parametrize(
    "body", [{"nodes": {}, "total_count": 0}, {"nodes": []}, [], {"page_info": {"has_next_page": 1}}]
)
def test_a_page_of_another_shape_is_unexpected(body: object) -> None:
    """A list without its documented envelope is not an empty list."""
    with serving(reply(200, body)) as server, pytest.raises(UnexpectedAnswer):
        asking(server, lambda registry: registry.order_deliveries(ORDER_ID))


def test_batches_are_asked_for_with_their_filters_oldest_first() -> None:
    """Filters go by their documented names, several statuses as repeated keys."""
    filters = BatchFilter(
        project_id="prj_1", issuance_id="iss_1", order_id="ord_1", delivery_id="dlv_1", statuses=("active", "split")
    )
    with serving(page([batch(1)], 1)) as server:
        found = asking(server, lambda registry: registry.organisation_batches("org_1", filters))

    assert [(node.kg, node.owner.id) for node in found.nodes] == [(1000, OURS["id"])]
    assert list(server.seen[0].params) == [
        ("project_id", "prj_1"),
        ("issuance_id", "iss_1"),
        ("order_id", "ord_1"),
        ("delivery_id", "dlv_1"),
        ("status", "active"),
        ("status", "split"),
        ("sort_field", "issued_at"),
        ("sort_direction", "asc"),
        ("first", "50"),
    ]


def test_batches_are_asked_for_without_filters_too() -> None:
    """Without a filter only the order is stated."""
    with serving(page([], 0)) as server:
        found = asking(server, lambda registry: registry.organisation_batches("org_1"))

    assert found.counts_agree
    assert dict(server.seen[0].params) == {"sort_field": "issued_at", "sort_direction": "asc", "first": "50"}


def test_a_split_batch_names_its_children() -> None:
    """A split batch is read with what it was split into."""
    with serving(reply(200, batch(1, status="split", left_child_id="ctb_l", right_child_id="ctb_r"))) as server:
        found = asking(server, lambda registry: registry.batch("ctb_1"))

    assert (found.status, found.left_child_id, found.right_child_id, found.parent_id) == (
        "split",
        "ctb_l",
        "ctb_r",
        None,
    )


def test_the_batches_of_a_delivery_come_in_one_answer() -> None:
    """The unpaged list is read as a whole, with its count."""
    nodes = [batch(1, delivery_id="dlv_1", delivered_at="2024-02-01T00:00:00Z")]
    with serving(reply(200, {"nodes": nodes, "total_count": 2})) as server:
        found = asking(server, lambda registry: registry.delivery_batches("dlv_1"))

    assert (len(found.nodes), found.complete, found.counts_agree) == (1, True, False)
    assert found.nodes[0].delivered_at == datetime(2024, 2, 1, tzinfo=UTC)


def test_who_we_are_is_read() -> None:
    """The organisation, the supplier and one delivery are read by their own paths."""
    with serving(reply(200, OURS), reply(200, SUPPLIER), reply(200, delivery(1, notes="n"))) as server:
        organisation = asking(server, lambda registry: registry.organisation())
        supplier = asking(server, lambda registry: registry.supplier())
        one = asking(server, lambda registry: registry.delivery("dlv_1"))

    assert (organisation.id, supplier.organisation, one.notes) == (OURS["id"], organisation, "n")
    assert [seen.path.removeprefix("/registry/v0") for seen in server.seen] == [
        "/organisation",
        "/supplier",
        "/deliveries/dlv_1",
    ]


@pytest.mark.parametrize(("status", "remedy"), [(401, "access token"), (403, "organisation"), (404, "environment")])
def test_a_refusal_names_the_remedy(status: int, remedy: str) -> None:
    """The sentence says what to check, for single records and for lists."""
    with serving(reply(status, {"message": "no"})) as server:
        for question in (Isometric.supplier, lambda registry: registry.order_deliveries("ord_1")):
            with pytest.raises(ConnectorError) as caught:
                asking(server, question)
            assert remedy in caught.value.sentence


def test_a_delivery_is_created_with_exactly_these_bytes() -> None:
    """The bytes go out once, unchanged, as JSON; the answer comes back as it is and can be read."""
    body = b'{"order_id": "o",  "notes":null}'
    with serving(reply(200, delivery(1))) as server:
        answer = asking(
            server, lambda registry: registry.create_delivery(body, deadline_seconds=5.0, before_connect=lambda: None)
        )
        seen = server.seen[0]

    assert (seen.method, seen.path, seen.body) == ("POST", "/registry/v0/deliveries", body)
    assert seen.headers["content-type"] == "application/json"
    assert parse_delivery(answer).kg == 250


@pytest.mark.parametrize("body", [b"", b"[]", b'{"id":"dlv_1"}', json.dumps(delivery(1))[:-2].encode()])
def test_an_answer_that_is_no_delivery_is_not_read_as_one(body: bytes) -> None:
    """Only a whole delivery of the documented shape is one."""
    with pytest.raises(UnexpectedAnswer):
        parse_delivery(Answer(status=200, body=body))


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("ord_1FAN3S3WV1S0B842", Environment.PRODUCTION),
        ("ctb_1CA2D3S73SBXYN70", Environment.SANDBOX),
        ("ctb_1CA2D3S73QQQYN70", Environment.UNKNOWN),
        ("SBX", Environment.UNKNOWN),
        ("api.sandbox.isometric.com", Environment.SANDBOX),
        ("api.isometric.com", Environment.PRODUCTION),
        ("127.0.0.1", Environment.UNKNOWN),
        ("", Environment.UNKNOWN),
    ],
)
def test_the_environment_shows_in_ids_and_hosts(text: str, environment: Environment) -> None:
    """Characters 10 to 12 after the underscore tell sandbox from production, as far as anything does."""
    assert environment_of(text) is environment
