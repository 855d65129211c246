"""The likeness of what is wanted and what the source shows, and the whole head that an update sends. Pure.

The source may give back a blank for null, another order of line items, and stamps in UTC whole seconds
(logistic.cloud developer docs, root page and resources/deliveries).
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

from worker.writing.form import HANDLING_UNIT, READ_ONLY, READ_ONLY_ITEM, SLIP, Document

DRAFT = "draft"

_ITEM_FIELDS = ("articleId", "quantity", "serialNumber", "batchNumber", "bestBeforeDate", HANDLING_UNIT, "note")
_ATTRIBUTES = ("areaId", "placeId")


def differences(wanted: Document, shown: Document) -> tuple[str, ...]:
    """The fields that `wanted` names and `shown` has otherwise; line items count only where `wanted` gives some."""
    return tuple(name for name in wanted if not _alike(name, wanted[name], shown))


def merged(wanted: Document, read: Document) -> Document:
    """The body of an update: the head as it was read moments before, with what is wanted laid over it.

    Line items go with it while it is a draft, as they are where none are wanted; afterwards null.
    """
    head = {name: value for name, value in read.items() if name not in READ_ONLY and name != "lineItems"}
    body = {**head, **{name: value for name, value in wanted.items() if name not in {"lineItems", "attributes"}}}
    if "attributes" in wanted:
        body["attributes"] = _merged_attributes(wanted["attributes"], read.get("attributes"))
    return {**body, "lineItems": _items_to_send(wanted, read)}


def fingerprint(record: Document) -> str:
    """SHA-256 over the canonical record: whether anything about it changed."""
    return hashlib.sha256(canonical(record)).hexdigest()


def canonical(document: Document) -> bytes:
    """JSON with sorted keys."""
    return orjson.dumps(dict(document), option=orjson.OPT_SORT_KEYS)


def _alike(name: str, wanted: object, shown: Document) -> bool:
    if name == "lineItems":
        return wanted is None or _items(wanted) == _items(shown.get(name))
    if name == "attributes":
        return _attributes(wanted, shown.get(name))
    if name == "date":
        return _moment(wanted) == _moment(shown.get(name))
    # The source gives a priority where none was asked for.
    return (name == "priority" and wanted is None) or _plain(wanted) == _plain(shown.get(name))


def _attributes(wanted: object, shown: object) -> bool:
    given = wanted if isinstance(wanted, Mapping) else dict.fromkeys(_ATTRIBUTES)
    held = shown if isinstance(shown, Mapping) else {}
    return all(_text(given[name]) == _text(held.get(name)) for name in given)


def _items(items: object) -> list[tuple[str, ...]]:
    listed = items if isinstance(items, list) else []
    return sorted(_item(item) for item in listed if isinstance(item, Mapping))


def _item(item: Document) -> tuple[str, ...]:
    return tuple(_item_field(item, name) for name in _ITEM_FIELDS)


def _item_field(item: Document, name: str) -> str:
    if name == "bestBeforeDate":
        # Given as a day, perhaps given back as its first second.
        return str(_moment(item.get(name)))
    if name == HANDLING_UNIT:
        return _text(item.get(HANDLING_UNIT, item.get(SLIP)))
    return _text(item.get(name))


def _plain(value: object) -> object:
    return None if value == "" else value


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _moment(value: object) -> object:
    """The instant in whole seconds; what is none stays what it is."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        return value
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return int(aware.timestamp())


def _merged_attributes(wanted: object, read: object) -> Document:
    held = dict(read) if isinstance(read, Mapping) else {}
    return {**held, **(wanted if isinstance(wanted, Mapping) else dict.fromkeys(held))}


def _items_to_send(wanted: Document, read: Document) -> object:
    if read.get("status") != DRAFT:
        return None
    if wanted.get("lineItems") is not None:
        return wanted["lineItems"]
    held = read.get("lineItems")
    return [_writable(item) for item in held if isinstance(item, Mapping)] if isinstance(held, list) else None


def _writable(item: Document) -> Document:
    return {name: value for name, value in item.items() if name not in READ_ONLY_ITEM}
