"""The normalizer: one raw record of logistic.cloud becomes a typed delivery, or is set aside with the reason. Pure.

Source of every field: logistic.cloud developer docs, resources/deliveries.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from worker.clock import instant_text
from worker.reading.plain import is_plain
from worker.reading.wire_values import WIDEST, instant, is_unicode
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

# Levels that are kept of a record nested deeper than can be written.
_KEPT_LEVELS = 100

# What is known of a status, as a set; the tuples above are in the vendor's order.
_STATUSES, _INBOUND_STATUSES = frozenset(STATUSES), frozenset(INBOUND_STATUSES)
# A delivery may have no priority.
_PRIORITIES = frozenset({None, *PRIORITIES})
_status = itemgetter("status")


class DeliveryRecord(NamedTuple):
    """A delivery as it was read; `payload` is its canonical JSON in UTF-8 and `content_hash` the SHA-256 of that.

    `wire_items` are its line items as they came, checked. A tuple, since a million of them are made at a time.
    """

    id: int
    customer_id: int
    status: str
    status_inbound: str
    number: str
    number_external: str | None
    purchase_order: str | None
    updated_at: datetime
    created_at: datetime | None
    # Both as events tell them: ISO 8601 in UTC with `Z`.
    updated_text: str
    created_text: str | None
    wire_items: Sequence[Mapping[str, Any]] | None
    unrecognised: tuple[str, ...]
    content_hash: str
    payload: bytes

    @property
    def raw(self) -> str:
        """Its canonical JSON."""
        return self.payload.decode()

    @property
    def line_items(self) -> tuple[LineItem, ...] | None:
        """Its line items; None where the source gave none."""
        return line_items_of(self.wire_items)

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
    try:
        payload, is_json = orjson.dumps(raw, option=orjson.OPT_SORT_KEYS), True
    except orjson.JSONEncodeError:
        # It writes less deeply nested values than it reads, and nothing that is no Unicode.
        payload, is_json = _written(raw).encode("utf-8", "replace"), False
    digest = hashlib.sha256(payload).hexdigest()
    if not isinstance(raw, dict):
        return _set_aside({}, "The record is not a JSON object.", payload, digest)
    if is_json and is_plain(raw, payload):
        try:
            return _record(raw, payload, digest, datetime.fromisoformat, str)
        except ValueError:
            # A stamp that only looks like one.
            return _judged(raw, payload, digest)
    return _judged(raw, payload, digest)


def _judged(raw: dict[str, Any], payload: bytes, digest: str) -> DeliveryRecord | SetAside:
    """After a close look."""
    # Hardly ever needed, and most of the start of the process that prepares pages.
    from worker.reading.wire import fault_of  # noqa: PLC0415

    fault = fault_of(raw)
    return (
        _record(raw, payload, digest, instant, _instant_text)
        if fault is None
        else _set_aside(raw, fault, payload, digest)
    )


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


def _record(
    raw: dict[str, Any],
    payload: bytes,
    digest: str,
    read: Callable[[str], datetime],
    write: Callable[[str], str],
) -> DeliveryRecord:
    """The record of what was checked: strict types are taken as they came, stamps by what reads and writes them."""
    get, updated, created = raw.get, raw["updatedAt"], raw.get("createdAt")
    updated_at = read(updated)
    return DeliveryRecord(
        raw["id"],
        raw["customerId"],
        raw["status"],
        raw["statusInbound"],
        raw["number"],
        get("numberExternal"),
        get("numberPurchaseOrder"),
        updated_at,
        None if created is None else updated_at if created == updated else read(created),
        write(updated),
        None if created is None else write(created),
        get("lineItems"),
        _unrecognised(raw["status"], raw["statusInbound"], get("priority"), get("lineItems") or ()),
        digest,
        payload,
    )


def line_items_of(items: Sequence[Mapping[str, Any]] | None) -> tuple[LineItem, ...] | None:
    """Line items from their records, which were checked; None where the source gave none."""
    return None if items is None else tuple(_line_item(item) for item in items)


def _line_item(item: Mapping[str, Any]) -> LineItem:
    return LineItem(
        id=item.get("id"),
        status=item["status"],
        article_number=item.get("articleNumber"),
        unit=item.get("articleUnit"),
        quantity=Decimal(item["quantity"]),
    )


def _unrecognised(
    status: str, inbound: str, priority: str | None, items: Sequence[Mapping[str, Any]]
) -> tuple[str, ...]:
    heard_of = status in _STATUSES and inbound in _INBOUND_STATUSES and priority in _PRIORITIES
    if heard_of and _INBOUND_STATUSES.issuperset(map(_status, items)):
        return ()
    return tuple(_strange(status, inbound, priority, items))


def _strange(status: str, inbound: str, priority: str | None, items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if status not in _STATUSES:
        yield f"status={status}"
    if inbound not in _INBOUND_STATUSES:
        yield f"statusInbound={inbound}"
    if priority not in _PRIORITIES:
        yield f"priority={priority}"
    for index, item in enumerate(items):
        if item["status"] not in _INBOUND_STATUSES:
            yield f"lineItems[{index}].status={item['status']}"


def _instant_text(stamp: str) -> str:
    return instant_text(instant(stamp))


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
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= WIDEST else None


def _readable(value: object) -> str | None:
    return value if isinstance(value, str) and "\x00" not in value and is_unicode(value) else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return instant(value)
    except ValueError:
        return None
