"""A call of barmate's webhooks: which customer order it is about, and nothing else of what it says.

Source of the facts: vendor's pages ``api/events``, ``api/event-request-delivery`` and ``api/event-cancel-delivery``.
Nothing signs a call, so its data is not believed: the order is read by its id.
"""

from dataclasses import dataclass
from enum import StrEnum

from connectors.exact import exact_value
from connectors.shape import Fields, ShapeError

# Characters. Documented keys are UUIDs and ids are numbers; whatever is longer is neither, and would only fill rows.
LONGEST_TEXT = 200


class CallType(StrEnum):
    """The events that are documented."""

    REQUEST = "request-delivery"
    CANCEL = "cancel-delivery"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that was understood; ``key`` is the same in every repeat of it."""

    type: CallType
    key: str
    order_id: str


@dataclass(frozen=True, slots=True)
class UnknownCall:
    """An event of a type that is not documented, well formed otherwise: there is nothing to be read."""


@dataclass(frozen=True, slots=True)
class BadCall:
    """A body that is none of barmate's calls; ``reason`` names the field and quotes nothing."""

    reason: str


def read_call(body: bytes) -> Call | UnknownCall | BadCall:
    """Return what a body says; never raises for what came from outside."""
    try:
        value = exact_value(body)
    except ValueError:
        return BadCall("the body is not JSON")
    if not isinstance(value, dict):
        return BadCall("the body is not a JSON object")
    try:
        return _call(Fields(value))
    except ShapeError as error:
        return BadCall(str(error))


def _call(fields: Fields) -> Call | UnknownCall:
    key, type_ = _key(fields), fields.text("type")
    if type_ not in set(CallType):
        return UnknownCall()
    data = fields.child("data")
    return Call(type=CallType(type_), key=key, order_id=_plain(data.opaque("id"), "data.id"))


def _key(fields: Fields) -> str:
    key = _plain(fields.text("idempotency_key"), "idempotency_key")
    if not key:
        message = "the field idempotency_key is empty"
        raise ShapeError(message)
    return key


def _plain(text: str, name: str) -> str:
    """The text, if it can be stored and asked for: no control characters, no halves of characters."""
    if len(text) > LONGEST_TEXT or not text.isprintable():
        message = f"the field {name} is longer than {LONGEST_TEXT} characters or has some that cannot be printed"
        raise ShapeError(message)
    return text
