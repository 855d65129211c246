"""How barmate shows a delivery: whole, or as a row of a list, which has no items and no zip."""

from __future__ import annotations

from connectors.simulated.barmate_switches import BarmateSwitches
from connectors.simulated.barmate_words import PACKAGING_WORDS, JsonObject


def whole(record: JsonObject, switches: BarmateSwitches) -> JsonObject:
    """Return all there is about a delivery."""
    shown = {**record, "id": _id(record["id"], switches)}
    if not switches.packaging_words:
        return shown
    request = {**record["request"], "items": _worded(record["request"]["items"])}
    answers = [
        {**answer, "items": _worded(answer["items"])} if "items" in answer else answer for answer in record["responses"]
    ]
    return {**shown, "request": request, "responses": answers}


def row(record: JsonObject, switches: BarmateSwitches) -> JsonObject:
    """Return what a list tells about a delivery."""
    customer = {**record["customer"], "address": _without_zip(record["customer"]["address"])}
    if not switches.list_customer_id:
        customer["id"] = None
    request = {name: value for name, value in record["request"].items() if name != "items"}
    request["address"] = _without_zip(request["address"])
    answers = [_without(answer, "items") for answer in record["responses"]]
    shown = {**record, "customer": customer, "request": request, "responses": answers}
    return {**shown, "id": _id(record["id"], switches)}


def _id(given: object, switches: BarmateSwitches) -> object:
    return str(given) if switches.id_as_text else given


def _without_zip(address: JsonObject) -> JsonObject:
    return _without(address, "zip")


def _without(record: JsonObject, name: str) -> JsonObject:
    return {key: value for key, value in record.items() if key != name}


def _worded(items: list[JsonObject]) -> list[JsonObject]:
    return [{**item, "bundle": _bundle(item.get("bundle"))} for item in items]


def _bundle(bundle: JsonObject | None) -> JsonObject | None:
    if bundle is None:
        return None
    shown = {**bundle, "type": PACKAGING_WORDS.get(bundle["type"], bundle["type"])}
    return {**shown, "pallet_bundle": _bundle(bundle["pallet_bundle"])} if "pallet_bundle" in bundle else shown
