"""The first look at a record: whether it is as documented, by the types of its fields. Light and quick.

Nearly every record is plain. Looking closely (`worker.reading.wire`) costs ten times as much, and the library for it
takes longer to import than the process that prepares pages otherwise takes to start.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from worker.reading.wire_values import WIDEST

_NONE = type(None)
_FIELDS: Mapping[str, tuple[type, ...]] = {
    "id": (int,),
    "customerId": (int,),
    "status": (str,),
    "statusInbound": (str,),
    "number": (str,),
    "numberExternal": (str, _NONE),
    "numberPurchaseOrder": (str, _NONE),
    "priority": (str, _NONE),
    "lineItems": (list, _NONE),
    "createdAt": (str, _NONE),
    "updatedAt": (str,),
}
_ITEM_FIELDS: Mapping[str, tuple[type, ...]] = {
    "id": (int, _NONE),
    "status": (str,),
    "articleNumber": (str, _NONE),
    "articleUnit": (str, _NONE),
    "quantity": (int,),
}
# Names, and which types they may have side by side: looked up at once, in place of field by field.
_NAMES, _SHAPES = tuple(_FIELDS), frozenset(itertools.product(*_FIELDS.values()))
_ITEM_NAMES, _ITEM_SHAPES = tuple(_ITEM_FIELDS), frozenset(itertools.product(*_ITEM_FIELDS.values()))
# A stamp as the vendor's page shows it.
_is_stamp = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z").fullmatch
# How JSON writes a NUL, which no database keeps as text. Looking for its first byte first takes a fraction of the time.
_BACKSLASH, _NUL = b"\\", b"\\u0000"


def is_plain(raw: Mapping[str, Any], payload: bytes) -> bool:
    """Whether a parsed JSON object looks like a delivery, so that a close look takes it if its stamps are instants.

    `payload` is its JSON as orjson wrote it, which writes only Unicode. False says nothing: look closely then.
    """
    get = raw.get
    if tuple(map(type, map(get, _NAMES))) not in _SHAPES or (_BACKSLASH in payload and _NUL in payload):
        return False
    created, items = get("createdAt"), get("lineItems")
    return (
        1 <= raw["id"] <= WIDEST
        and -WIDEST <= raw["customerId"] <= WIDEST
        and _is_stamp(raw["updatedAt"]) is not None
        and (created is None or _is_stamp(created) is not None)
        and (items is None or _are_plain(items))
    )


def _are_plain(items: Sequence[object]) -> bool:
    for item in items:
        if type(item) is not dict or tuple(map(type, map(item.get, _ITEM_NAMES))) not in _ITEM_SHAPES:
            return False
        if not (-WIDEST <= item["quantity"] <= WIDEST and -WIDEST <= (item.get("id") or 0) <= WIDEST):
            return False
    return True
