"""The normalizer: one raw record of logistic.cloud becomes a typed delivery, or is set aside with the reason. Pure.

Source of every field: logistic.cloud developer docs, resources/deliveries.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from worker.standing import LineItem

# The values that the vendor documents; anything else is kept as it came, flagged, and never final.
STATUSES = ("unknown", "error", "cancelled", "draft", "approved", "processing", "completed")
INBOUND_STATUSES = (
    "unknown",
    "error",
    "cancelled",
    "onHold",
    "new",
    "approved",
    "handlingUnitsCreated",
    "unloading",
    "booked",
)
PRIORITIES = ("low", "normal", "high")

# The widest integer that both databases keep.
_WIDEST = 2**63 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
# Levels that are kept of a record nested deeper than can be written.
_KEPT_LEVELS = 100
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?([Zz]|[+-]\d{2}(:?\d{2})?)?")


def _storable(text: str) -> str:
    if "\x00" in text:
        sentence = "holds a NUL character, which no database keeps as text"
        raise ValueError(sentence)
    if not is_unicode(text):
        sentence = "holds characters that are no Unicode"
        raise ValueError(sentence)
    return text


def is_unicode(text: str) -> bool:
    """Whether it can be written: half a surrogate pair, or a byte of another encoding, can not."""
    return text.isascii() or not _SURROGATE.search(text)


def _stamp(text: str) -> datetime:
    if _STAMP.fullmatch(text) is None:
        sentence = "is not an ISO 8601 instant"
        raise ValueError(sentence)
    try:
        moment = datetime.fromisoformat(text.upper())
        # The vendor returns UTC always, so a stamp without an offset is UTC too.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        sentence = "is not an ISO 8601 instant"
        raise ValueError(sentence) from error


_Text = Annotated[str, AfterValidator(_storable)]
_Number = Annotated[int, Field(ge=-_WIDEST, le=_WIDEST)]
_StampText = Annotated[str, AfterValidator(lambda text: _stamp(text) and text)]


class _WireItem(BaseModel):
    model_config = ConfigDict(strict=True)

    id: _Number | None = None
    status: _Text
    articleNumber: _Text | None = None  # noqa: N815 - the wire's own name
    articleUnit: _Text | None = None  # noqa: N815
    quantity: _Number


class _WireDelivery(BaseModel):
    model_config = ConfigDict(strict=True)

    id: Annotated[int, Field(ge=1, le=_WIDEST)]
    customerId: _Number  # noqa: N815
    status: _Text
    statusInbound: _Text  # noqa: N815
    number: _Text
    numberExternal: _Text | None = None  # noqa: N815
    numberPurchaseOrder: _Text | None = None  # noqa: N815
    priority: _Text | None = None
    lineItems: list[_WireItem] | None = None  # noqa: N815
    createdAt: _StampText | None = None  # noqa: N815
    updatedAt: _StampText  # noqa: N815


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """A delivery as it was read; `raw` is its canonical JSON and `content_hash` the SHA-256 of that."""

    id: int
    customer_id: int
    status: str
    status_inbound: str
    number: str
    number_external: str | None
    purchase_order: str | None
    updated_at: datetime
    created_at: datetime | None
    line_items: tuple[LineItem, ...] | None
    unrecognised: tuple[str, ...]
    content_hash: str
    raw: str

    @property
    def identity(self) -> str:
        """What makes it one record of a page."""
        return str(self.id)

    @property
    def stamp(self) -> datetime | None:
        """Its `updatedAt`."""
        return self.updated_at


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A record that could not be understood: why, its payload, and what could still be read of it."""

    reason: str
    payload: str
    payload_hash: str
    delivery_id: int | None
    customer_id: int | None
    purchase_order: str | None
    stamp: datetime | None

    @property
    def identity(self) -> str:
        """What makes it one record of a page: its id, else its payload."""
        return self.payload_hash if self.delivery_id is None else str(self.delivery_id)


def normalize(raw: object) -> DeliveryRecord | SetAside:
    """The delivery in `raw` (parsed JSON), or the reason why there is none.

    Extra fields and missing optional ones are tolerated; a value of another type than documented is not.
    """
    payload = _canonical(raw)
    digest = hashlib.sha256(payload).hexdigest()
    if not isinstance(raw, dict):
        return _set_aside({}, "The record is not a JSON object.", payload, digest)
    try:
        wire = _WireDelivery.model_validate(raw)
    except ValidationError as error:
        return _set_aside(raw, _reason(error), payload, digest)
    return _record(wire, payload, digest)


def _canonical(raw: object) -> bytes:
    try:
        return orjson.dumps(raw, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # It writes less deeply nested values than it reads, and nothing that is no Unicode.
        return _written(raw).encode("utf-8", "replace")


def _written(raw: object) -> str:
    try:
        return json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except RecursionError:
        return json.dumps(_pruned(raw, _KEPT_LEVELS), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _pruned(value: object, levels: int) -> object:
    """The value with what lies deeper left out: it has no meaning that anybody knows of."""
    if not isinstance(value, dict | list):
        return value
    if not levels:
        return "nested too deeply"
    if isinstance(value, dict):
        return {key: _pruned(item, levels - 1) for key, item in value.items()}
    return [_pruned(item, levels - 1) for item in value]


def _record(wire: _WireDelivery, payload: bytes, digest: str) -> DeliveryRecord:
    return DeliveryRecord(
        id=wire.id,
        customer_id=wire.customerId,
        status=wire.status,
        status_inbound=wire.statusInbound,
        number=wire.number,
        number_external=wire.numberExternal,
        purchase_order=wire.numberPurchaseOrder,
        updated_at=_stamp(wire.updatedAt),
        created_at=None if wire.createdAt is None else _stamp(wire.createdAt),
        line_items=None if wire.lineItems is None else tuple(_line_item(item) for item in wire.lineItems),
        unrecognised=_unrecognised(wire),
        content_hash=digest,
        raw=payload.decode(),
    )


def _line_item(item: _WireItem) -> LineItem:
    return LineItem(
        id=item.id,
        status=item.status,
        article_number=item.articleNumber,
        unit=item.articleUnit,
        quantity=Decimal(item.quantity),
    )


def _unrecognised(wire: _WireDelivery) -> tuple[str, ...]:
    found = []
    if wire.status not in STATUSES:
        found.append(f"status={wire.status}")
    if wire.statusInbound not in INBOUND_STATUSES:
        found.append(f"statusInbound={wire.statusInbound}")
    if wire.priority is not None and wire.priority not in PRIORITIES:
        found.append(f"priority={wire.priority}")
    for index, item in enumerate(wire.lineItems or ()):
        if item.status not in INBOUND_STATUSES:
            found.append(f"lineItems[{index}].status={item.status}")
    return tuple(found)


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    field = ""
    for part in first["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else part
    if first["type"] == "missing":
        return f"The field {field} is missing."
    message = first["msg"].removeprefix("Value error, ")
    return f"The field {field} cannot be understood: {message[0].lower()}{message[1:]}."


def _set_aside(raw: Mapping[str, object], reason: str, payload: bytes, digest: str) -> SetAside:
    return SetAside(
        reason=reason,
        payload=payload.decode(),
        payload_hash=digest,
        delivery_id=_whole(raw.get("id")),
        customer_id=_whole(raw.get("customerId")),
        purchase_order=_readable(raw.get("numberPurchaseOrder")),
        stamp=_moment(raw.get("updatedAt")),
    )


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _WIDEST else None


def _readable(value: object) -> str | None:
    return value if isinstance(value, str) and "\x00" not in value and is_unicode(value) else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return _stamp(value)
    except ValueError:
        return None
