"""Everything the registry says no to, in its one documented error shape (``HTTPValidationError``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.simulated.registry_ids import LONGEST, SHORTEST
from connectors.simulated.registry_model import DeliveryRequest, Line

Detail = dict[str, Any]
# Characters of the public note.
LONGEST_NOTE = 256


class TroubleError(ValueError):
    """A request the registry refuses with 422; ``details`` are its entries."""

    def __init__(self, *details: Detail) -> None:
        """Keep the entries."""
        super().__init__("; ".join(str(entry["msg"]) for entry in details))
        self.details = details


class UnknownIdError(LookupError):
    """An id of the right shape that nobody knows."""


def detail(location: tuple[str | int, ...], sentence: str, kind: str = "value_error", given: object = None) -> Detail:
    """Return one entry: where, what, and which kind of error."""
    return {"loc": list(location), "msg": sentence, "type": kind, "input": given}


def parse_delivery_request(body: object) -> DeliveryRequest:
    """Read the body of ``POST /deliveries``; raise :class:`TroubleError` with one entry per mistake."""
    if not isinstance(body, dict):
        raise TroubleError(detail(("body",), "Input should be a valid object", "model_attributes_type", body))
    troubles = [
        detail(("body", name), "Field required", "missing", body)
        for name in ("credit_batch_quantities", "order_id", "notes")
        if name not in body
    ]
    if not troubles:
        troubles = _field_troubles(body)
    if troubles:
        raise TroubleError(*troubles)
    return _request(body)


def _request(body: Mapping[str, Any]) -> DeliveryRequest:
    lines = tuple(
        Line(batch_id=line["credit_batch_id"], kg=line["credit_quantity_kg"])
        for line in body["credit_batch_quantities"]
    )
    return DeliveryRequest(order_id=body["order_id"], notes=body["notes"], lines=lines)


def _field_troubles(body: Mapping[str, Any]) -> list[Detail]:
    troubles = _id_troubles(("body", "order_id"), body["order_id"])
    troubles += _note_troubles(body["notes"])
    lines = body["credit_batch_quantities"]
    where = ("body", "credit_batch_quantities")
    if not isinstance(lines, list):
        return [*troubles, detail(where, "Input should be a valid list", "list_type", lines)]
    if not lines:
        return [*troubles, detail(where, "List should have at least 1 item after validation", "too_short", lines)]
    for index, line in enumerate(lines):
        troubles += _line_troubles((*where, index), line)
    return troubles


def _note_troubles(notes: object) -> list[Detail]:
    if notes is None or (isinstance(notes, str) and len(notes) <= LONGEST_NOTE):
        return []
    if isinstance(notes, str):
        sentence = f"String should have at most {LONGEST_NOTE} characters"
        return [detail(("body", "notes"), sentence, "string_too_long", notes)]
    return [detail(("body", "notes"), "Input should be a valid string", "string_type", notes)]


def _line_troubles(where: tuple[str | int, ...], line: object) -> list[Detail]:
    if not isinstance(line, dict):
        return [detail(where, "Input should be a valid object", "model_attributes_type", line)]
    missing = [name for name in ("credit_batch_id", "credit_quantity_kg") if name not in line]
    if missing:
        return [detail((*where, name), "Field required", "missing", line) for name in missing]
    troubles = _id_troubles((*where, "credit_batch_id"), line["credit_batch_id"])
    return troubles + _quantity_troubles((*where, "credit_quantity_kg"), line["credit_quantity_kg"])


def _quantity_troubles(where: tuple[str | int, ...], quantity: object) -> list[Detail]:
    if type(quantity) is not int:
        return [detail(where, "Input should be a valid integer", "int_type", quantity)]
    if quantity <= 0:
        return [detail(where, "Input should be greater than 0", "greater_than", quantity)]
    return []


def _id_troubles(where: tuple[str | int, ...], value: object) -> list[Detail]:
    if not isinstance(value, str):
        return [detail(where, "Input should be a valid string", "string_type", value)]
    if len(value) < SHORTEST:
        return [detail(where, f"String should have at least {SHORTEST} characters", "string_too_short", value)]
    if len(value) > LONGEST:
        return [detail(where, f"String should have at most {LONGEST} characters", "string_too_long", value)]
    return []
