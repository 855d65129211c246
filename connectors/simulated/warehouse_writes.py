"""The three writing calls of the warehouse: create a draft, update, approve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from connectors.simulated.articles import ARTICLES, Article
from connectors.simulated.warehouse import Warehouse
from connectors.simulated.warehouse_words import HEAD_LENGTHS, ITEM_LENGTHS, PRIORITIES, JsonObject

Errors = dict[str, list[str]]


class RefusedError(ValueError):
    """A write the warehouse refuses; ``errors`` lists the sentences per field."""

    def __init__(self, errors: Errors) -> None:
        """Keep the errors."""
        super().__init__("; ".join(sentence for sentences in errors.values() for sentence in sentences))
        self.errors = errors


class AbsentError(LookupError):
    """The delivery does not exist or is not accessible."""


def create(warehouse: Warehouse, body: Mapping[str, object]) -> bytes:
    """Create a draft from ``body`` and return its JSON; raise :class:`RefusedError`."""
    errors = {**_head_errors(body), **_item_errors(body.get("lineItems"))}
    if not isinstance(body.get("customerId"), int):
        errors["customerId"] = ["The customerId field is required."]
    if _number_taken(warehouse, body, None):
        errors["number"] = ["The number is already used by another delivery."]
    _refuse(errors)
    key = warehouse.reserve_id()

    def fill(record: JsonObject) -> None:
        record.update(id=key, customerId=body["customerId"], status="draft", statusInbound="new")
        record.update(_head(body))
        record["lineItems"] = _items(warehouse, body.get("lineItems"))

    return warehouse.change(key, fill)


def replace(warehouse: Warehouse, key: int, body: Mapping[str, object]) -> bytes:
    """Update the delivery ``key`` and return its JSON; raise :class:`AbsentError` or :class:`RefusedError`.

    Line items can be replaced while it is a draft, the head until it is completed; the switches say what becomes of
    what is left out.
    """
    present = _present(warehouse, key)
    errors = {**_head_errors(body), **_state_errors(present, body)}
    if present["status"] == "draft":
        errors |= _item_errors(body.get("lineItems"))
    if _number_taken(warehouse, body, key):
        errors["number"] = ["The number is already used by another delivery."]
    _refuse(errors)

    def fill(record: JsonObject) -> None:
        record.update(_new_head(warehouse, body))
        if body.get("lineItems") is not None:
            record["lineItems"] = _items(warehouse, body["lineItems"])
        elif present["status"] == "draft" and warehouse.panel.now.null_items_clear_drafts:
            record["lineItems"] = []

    return warehouse.change(key, fill)


def approve(warehouse: Warehouse, key: int) -> None:
    """Approve the draft ``key``; raise :class:`RefusedError`, also if it is unknown (no 404 is documented here)."""
    present = warehouse.latest(key)
    if present is not None and present["status"] == "draft":
        warehouse.change(key, lambda record: set_status(record, "approved", "approved"))
    elif present is None or warehouse.panel.now.approve_twice_refused:
        raise RefusedError({"id": ["Only a delivery in status draft can be approved."]})


def set_status(record: JsonObject, status: str, inbound: str) -> None:
    """Move the head and, with it, every line item that was not cancelled by itself."""
    record["status"] = status
    record["statusInbound"] = inbound
    for item in record["lineItems"]:
        if item["status"] != "cancelled":
            item["status"] = inbound


def _present(warehouse: Warehouse, key: int) -> JsonObject:
    present = warehouse.latest(key)
    if present is None or warehouse.get(key) is None:
        raise AbsentError(key)
    return present


def _refuse(errors: Errors) -> None:
    if errors:
        raise RefusedError(errors)


def _number_taken(warehouse: Warehouse, body: Mapping[str, object], key: int | None) -> bool:
    number = body.get("number")
    refused = warehouse.panel.now.duplicate_numbers_refused
    return refused and isinstance(number, str) and warehouse.number_used(number, other_than=key)


def _state_errors(present: JsonObject, body: Mapping[str, object]) -> Errors:
    if present["status"] in {"completed", "cancelled"}:
        return {"status": ["The delivery cannot be updated any more."]}
    if present["status"] != "draft" and body.get("lineItems") is not None:
        return {"lineItems": ["The line items cannot be updated after approval; they must be null."]}
    return {}


def _head_errors(body: Mapping[str, object]) -> Errors:
    errors: Errors = {}
    for name in ("number", "date"):
        if not isinstance(body.get(name), str) or not body[name]:
            errors[name] = [f"The {name} field is required."]
    if "date" not in errors and not _is_date(body["date"]):
        errors["date"] = ["The date field is not an ISO 8601 date."]
    if body.get("priority") is not None and body["priority"] not in PRIORITIES:
        errors["priority"] = ["The priority must be low, normal or high."]
    return errors | _length_errors(body, HEAD_LENGTHS, "")


def _item_errors(items: object) -> Errors:
    if items is None:
        return {}
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return {"lineItems": ["The lineItems field must be a list of objects."]}
    errors: Errors = {}
    for index, item in enumerate(items):
        errors |= _one_item_errors(item, f"lineItems[{index}].")
    return errors


def _one_item_errors(item: Mapping[str, object], where: str) -> Errors:
    errors = _length_errors(item, ITEM_LENGTHS, where)
    if item.get("articleId") not in ARTICLES:
        errors[f"{where}articleId"] = ["The article does not exist."]
    if type(item.get("quantity")) is not int or int(str(item["quantity"])) <= 0:
        errors[f"{where}quantity"] = ["The quantity must be a whole number above 0."]
    return errors


def _length_errors(body: Mapping[str, object], lengths: Mapping[str, int], where: str) -> Errors:
    errors: Errors = {}
    for name, longest in lengths.items():
        value = body.get(name)
        if value is not None and (not isinstance(value, str) or len(value) > longest):
            errors[f"{where}{name}"] = [f"The field {name} must be a string with a maximum length of {longest}."]
    return errors


def _is_date(value: object) -> bool:
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return True


def _head(body: Mapping[str, object]) -> JsonObject:
    attributes = body.get("attributes")
    given = attributes if isinstance(attributes, dict) else {}
    return {
        "number": body["number"],
        "numberExternal": body.get("numberExternal"),
        "numberPurchaseOrder": body.get("numberPurchaseOrder"),
        "date": body["date"],
        "priority": "normal" if body.get("priority") is None else body["priority"],
        "note": body.get("note"),
        "attributes": {"areaId": given.get("areaId"), "placeId": given.get("placeId")},
    }


def _new_head(warehouse: Warehouse, body: Mapping[str, object]) -> JsonObject:
    head = _head(body)
    if warehouse.panel.now.put_clears_omitted:
        return head
    return {name: value for name, value in head.items() if name in body}


def _items(warehouse: Warehouse, items: object) -> list[JsonObject]:
    given: Iterable[Mapping[str, object]] = items if isinstance(items, list) else ()
    return [_item(warehouse.reserve_item_id(), item) for item in given]


def _item(item_id: int, item: Mapping[str, object]) -> JsonObject:
    # The vendor's PUT example calls the handling unit ``loadNumberExternal``; both names are taken.
    unit = item.get("handlingUnitNumberExternal", item.get("loadNumberExternal"))
    filled = line_item(item_id, ARTICLES[int(str(item["articleId"]))], int(str(item["quantity"])))
    filled.update(
        serialNumber=item.get("serialNumber"),
        batchNumber=item.get("batchNumber"),
        bestBeforeDate=item.get("bestBeforeDate"),
        handlingUnitNumberExternal=unit,
        note=item.get("note"),
    )
    return filled


def line_item(item_id: int, article: Article, quantity: int) -> JsonObject:
    """Return a new line item of ``quantity`` units, field by field as the vendor's example."""
    return {
        "id": item_id,
        "status": "new",
        "articleId": article.id,
        "articleNumber": article.number,
        "articleUnit": article.unit,
        "quantity": quantity,
        "serialNumber": None,
        "batchNumber": None,
        "bestBeforeDate": None,
        "handlingUnitNumberExternal": None,
        "note": None,
    }
