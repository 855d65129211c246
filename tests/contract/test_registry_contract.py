"""The registry's twin against the OpenAPI document: every answer of every implemented path."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry as Documents
from referencing.jsonschema import DRAFT202012

from connectors.simulated.systems import Systems

URN = "urn:registry"
IMPLEMENTED = (
    "/organisation",
    "/organisations/{id}",
    "/organisations/{id}/credit_batches",
    "/supplier",
    "/suppliers/{id}",
    "/suppliers/{id}/deliveries",
    "/suppliers/{id}/orders",
    "/orders/{id}",
    "/orders/{id}/deliveries",
    "/deliveries",
    "/deliveries/{id}",
    "/deliveries/{id}/credit_batches",
    "/credit_batches/{id}",
)
FORMATS = FormatChecker()


@FORMATS.checks("date-time", raises=ValueError)
def _has_zone(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


def conforms(openapi: dict[str, Any], method: str, path: str, answer: httpx.Response) -> None:
    """Fail unless the document knows the status and the body fits its schema."""
    responses = openapi["paths"][path][method]["responses"]
    assert str(answer.status_code) in responses, answer.text
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in ("paths", path, method, "responses"))
    schema = {"$ref": f"{URN}#/{pointer}/{answer.status_code}/content/application~1json/schema"}
    documents = Documents().with_resource(URN, DRAFT202012.create_resource(openapi))
    Draft202012Validator(schema, registry=documents, format_checker=FORMATS).validate(answer.json())


@pytest.fixture
def ids(systems: Systems, registry: httpx.Client) -> dict[str, str]:
    """An id of each kind, after one delivery that split a batch."""
    content = systems.story.registry
    delivered = deliver(registry, content.orders[0].id, content.batches[0].id, 10).json()
    return {
        "/organisations": content.supplier.organisation.id,
        "/suppliers": content.supplier.id,
        "/orders": content.orders[0].id,
        "/deliveries": delivered["id"],
        "/credit_batches": content.batches[0].id,
    }


def deliver(registry: httpx.Client, order_id: str, batch_id: str, kg: int) -> httpx.Response:
    """Post one delivery of one batch."""
    quantities = [{"credit_batch_id": batch_id, "credit_quantity_kg": kg}]
    return registry.post("/deliveries", json={"order_id": order_id, "notes": "", "credit_batch_quantities": quantities})


@pytest.mark.parametrize("path", IMPLEMENTED)
def test_every_read_answers_as_the_document_describes(
    path: str, openapi: dict[str, Any], registry: httpx.Client, ids: dict[str, str]
) -> None:
    """A read of something that exists is a 200 whose body fits the schema, formats included."""
    answer = registry.get(path.replace("{id}", ids.get(path.partition("/{")[0], "")))

    assert answer.status_code == 200
    conforms(openapi, "get", path, answer)


def test_a_delivery_answers_as_the_document_describes(
    openapi: dict[str, Any], registry: httpx.Client, systems: Systems
) -> None:
    """A created delivery is a 200, not a 201, with every field the document requires."""
    content = systems.story.registry

    answer = deliver(registry, content.orders[0].id, content.batches[0].id, 1)

    assert answer.status_code == 200
    conforms(openapi, "post", "/deliveries", answer)


@pytest.mark.parametrize("path", [path for path in IMPLEMENTED if "{id}" in path])
def test_an_id_of_the_wrong_length_is_a_documented_422(
    path: str, openapi: dict[str, Any], registry: httpx.Client
) -> None:
    """Ids have 20 to 37 characters; others are refused in the document's error shape."""
    answer = registry.get(path.replace("{id}", "ord_short"))

    assert answer.status_code == 422
    conforms(openapi, "get", path, answer)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"order_id": 1, "notes": 1, "credit_batch_quantities": {}},
        {"order_id": "ord_short", "notes": "x" * 257, "credit_batch_quantities": []},
        {"order_id": "ord_" + "x" * 40, "notes": None, "credit_batch_quantities": [1, {}, {"credit_batch_id": 5}]},
        {
            "order_id": "ord_1FAN3S3WVSBXB842",
            "notes": None,
            "credit_batch_quantities": [
                {"credit_batch_id": "ctb_1FAN3S3WVSBXB842", "credit_quantity_kg": 0},
                {"credit_batch_id": "ctb_1FAN3S3WVSBXB842", "credit_quantity_kg": 1.5},
            ],
        },
        {
            "order_id": "ord_1FAN3S3WVSBXB842",
            "notes": None,
            "credit_batch_quantities": [{"credit_batch_id": "ctb_1FAN3S3WVSBXB842", "credit_quantity_kg": 1}],
        },
    ],
)
def test_a_refused_body_is_a_documented_422(body: object, openapi: dict[str, Any], registry: httpx.Client) -> None:
    """Whatever is wrong with a body, the answer has the document's only error shape."""
    answer = registry.post("/deliveries", json=body)

    assert answer.status_code == 422
    assert answer.json()["detail"]
    conforms(openapi, "post", "/deliveries", answer)


def test_a_body_that_is_not_json_is_a_documented_422(openapi: dict[str, Any], registry: httpx.Client) -> None:
    """Broken JSON is refused like any other bad body."""
    answer = registry.post("/deliveries", content=b"{", headers={"Content-Type": "application/json"})

    conforms(openapi, "post", "/deliveries", answer)


@pytest.mark.parametrize(
    "query",
    [
        {"first": "0"},
        {"first": "51"},
        {"last": "51"},
        {"first": "ten"},
        {"after": "%%%"},
        {"after": "a"},
        {"after": "bm9kZTpub2JvZHk="},
        {"status": "sold"},
        {"status": ["active", "active"]},
        {"sort_field": "size"},
        {"sort_direction": "up"},
        {"issued_after": "yesterday"},
        {"issued_before": "2024-01-01T00:00:00"},
    ],
)
def test_a_query_outside_the_document_is_a_422(
    query: dict[str, str | list[str]], openapi: dict[str, Any], registry: httpx.Client, systems: Systems
) -> None:
    """Sizes beyond 50, foreign cursors and unknown filter values are refused, naming the parameter."""
    owner = systems.story.registry.supplier.organisation.id

    answer = registry.get(f"/organisations/{owner}/credit_batches", params=query)

    assert answer.status_code == 422
    assert next(iter(query)) in answer.json()["detail"][0]["loc"]
    conforms(openapi, "get", "/organisations/{id}/credit_batches", answer)


@pytest.mark.parametrize("path", IMPLEMENTED)
def test_every_documented_parameter_of_an_implemented_path_is_known(path: str, openapi: dict[str, Any]) -> None:
    """The document's parameters are those the twin was written for; a new one shows here first."""
    known = {"id", "first", "after", "last", "before", "x-client-secret"}
    known |= {"from_supplier_id", "to_organisation_id"} if path == "/deliveries" else set()
    if path.endswith("credit_batches") and path.startswith("/organisations"):
        filters = ("supplier_id", "project_id", "issuance_id", "delivery_id", "order_id", "retirement_id", "status")
        known |= {*filters, "issued_after", "issued_before", "sort_field", "sort_direction"}

    documented = {item["name"] for item in openapi["paths"][path]["get"]["parameters"]}

    assert documented <= known


@pytest.mark.parametrize("header", ["Authorization", "x-client-secret"])
def test_both_credentials_are_needed(header: str, registry: httpx.Client) -> None:
    """Either header missing is a 401 of a shape the document does not describe."""
    del registry.headers[header]

    answer = registry.get("/supplier")

    assert answer.status_code == 401
    assert answer.json() == {"message": "Unauthorized"}


def test_an_unknown_id_of_the_right_shape_is_a_404(registry: httpx.Client) -> None:
    """The document lists no answer for it; the twin's is a switch, 404 unless changed."""
    answers = [registry.get(f"/{path}/xxx_1FAN3S3WVSBXB842") for path in ("orders", "deliveries", "credit_batches")]

    assert {answer.status_code for answer in answers} == {404}


def test_an_unknown_supplier_is_null(openapi: dict[str, Any], registry: httpx.Client) -> None:
    """The document allows null for this path alone."""
    answer = registry.get("/suppliers/spl_1FAN3S3WVSBXB842")

    assert answer.json() is None
    conforms(openapi, "get", "/suppliers/{id}", answer)


def test_other_paths_and_methods_are_refused(registry: httpx.Client, systems: Systems) -> None:
    """What is not implemented never looks like an empty answer."""
    outside = systems.registry_server.url.replace("/v0", "/v9")

    statuses = [
        registry.get("/projects").status_code,
        registry.get("/orders/ord_1FAN3S3WVSBXB842/refunds").status_code,
        registry.get("/refunds/ref_1FAN3S3WVSBXB842").status_code,
        registry.delete("/deliveries").status_code,
        registry.get(f"{outside}/supplier").status_code,
    ]

    assert statuses == [404, 404, 404, 405, 404]
