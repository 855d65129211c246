"""What barmate allows to be said about a delivery, and what becomes of it: pure decisions on JSON.

Source of the facts: vendor's pages ``api/deliveries`` (states) and ``api/post-delivery-response``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final

from connectors.simulated.barmate_words import (
    ACCEPT,
    ACCEPTED,
    BY_KG,
    CANCELLED,
    DELIVERED,
    PALLET,
    REJECT,
    REJECTED,
    REQUESTED,
    RESPONSES,
    UPDATE,
    JsonObject,
)

FINAL: Final = frozenset({CANCELLED, REJECTED, DELIVERED})
_ALLOWED: Final = {ACCEPT: {REQUESTED}, UPDATE: {ACCEPTED}, REJECT: {REQUESTED, ACCEPTED}}
_BECOMES: Final = {ACCEPT: ACCEPTED, REJECT: REJECTED}
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_KEPT: Final = ("reference", "scheduled", "user", "message")


class RefusedError(ValueError):
    """A request that is answered with 400, and the sentence."""


def checked(body: object) -> JsonObject:
    """Return the body of a response; raise :class:`RefusedError` for one of another shape than documented."""
    if not isinstance(body, dict):
        sentence = "The body must be a JSON object."
        raise RefusedError(sentence)
    _expect(body.get("type") in RESPONSES, f"type must be one of {', '.join(RESPONSES)}.")
    _expect("scheduled" not in body or body["type"] != REJECT, "scheduled is not allowed with REJECT.")
    for name in ("reference", "message"):
        _expect(isinstance(body.get(name, ""), str), f"{name} must be a string.")
    if "scheduled" in body:
        _check_scheduled(body["scheduled"])
    items = body.get("items", [])
    _expect(isinstance(items, list), "items must be an array.")
    for item in items:
        _check_item(item)
    return body


def status_after(status: str, type_: str, *, repeated_accept_refused: bool) -> str:
    """Return the status a response leads to; raise :class:`RefusedError` where it is not allowed."""
    is_repeat = type_ == ACCEPT and status == ACCEPTED and not repeated_accept_refused
    _expect(is_repeat or status in _ALLOWED[type_], f"A delivery that is {status} cannot get {type_}.")
    return _BECOMES.get(type_, status)


def response(body: JsonObject, requested: list[JsonObject], *, timestamp: str, shown_as: str) -> JsonObject:
    """Return the response as it is kept; raise :class:`RefusedError` for an item nobody asked for."""
    items = {str(item["id"]): item for item in requested}
    made: JsonObject = {"type": shown_as, "timestamp": timestamp}
    made.update({name: body[name] for name in _KEPT if name in body})
    if "items" in body:
        made["items"] = [_response_item(item, items) for item in body["items"]]
    return made


def vessel_count(count: float, bundle: Mapping[str, object] | None) -> int | float:
    """Return how many vessels ``count`` bundles hold: also on pallets, which hold bundles."""
    total = Decimal(str(count))
    if bundle is not None:
        total *= Decimal(str(bundle["size"]))
        inner = bundle.get("pallet_bundle")
        if bundle.get("type") == PALLET and isinstance(inner, Mapping):
            total *= Decimal(str(inner["size"]))
    return int(total) if total == total.to_integral_value() else float(total)


def _response_item(given: JsonObject, requested: Mapping[str, JsonObject]) -> JsonObject:
    _expect(str(given["id"]) in requested, f"There is no item {given['id']!r} in this delivery.")
    item = requested[str(given["id"])]
    count = (given if "count" in given else item)["count"]
    bundle = given.get("bundle", item.get("bundle"))
    is_whole = not count % 1 or item.get("order_by") == BY_KG
    _expect(is_whole, "count must be a whole number unless the item is ordered by kg.")
    return {
        "id": item["id"],
        "count": count,
        "bundle": bundle,
        "vessel_count": vessel_count(count, bundle),
        "price": given.get("price", item["price"]),
    }


def _check_scheduled(scheduled: object) -> None:
    given = scheduled if isinstance(scheduled, dict) else {}
    _expect(_is_date(given.get("date")), "scheduled.date must look like YYYY-MM-DD.")
    _expect(_TIME.fullmatch(str(given.get("time", "00:00"))) is not None, "scheduled.time must look like HH:mm.")


def _check_item(item: object) -> None:
    given = item if isinstance(item, dict) else {}
    _expect("id" in given, "items must each have an id.")
    count = given.get("count", 0)
    is_number = isinstance(count, int | float) and not isinstance(count, bool)
    _expect(is_number and count >= 0, "count must be a number of 0 or more.")


def _is_date(text: object) -> bool:
    try:
        date.fromisoformat(str(text))
    except ValueError:
        return False
    return True


def _expect(holds: bool, sentence: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise RefusedError(sentence)
