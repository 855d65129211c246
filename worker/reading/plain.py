"""The first look at a record: whether it is as documented, by the types of its fields. Light to import.

Nearly every record is plain, and this costs a quarter of looking closely (`worker.reading.wire`), which takes longer
to import than the process that prepares pages takes to start otherwise: hence pydantic's core, and not its models.
"""

from pydantic_core import CoreSchema, SchemaValidator
from pydantic_core.core_schema import (
    TypedDictField,
    int_schema,
    list_schema,
    nullable_schema,
    str_schema,
    typed_dict_field,
    typed_dict_schema,
)

from worker.reading.wire_values import WIDEST

_TEXT = str_schema(strict=True)
_NUMBER = int_schema(strict=True, ge=-WIDEST, le=WIDEST)
# A stamp as the vendor's page shows it.
_STAMP = str_schema(strict=True, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")
# How JSON writes a NUL, which no database keeps as text. Looking for its first byte first takes a fraction of the time.
_BACKSLASH, _NUL = b"\\", b"\\u0000"


def _always(schema: CoreSchema) -> TypedDictField:
    return typed_dict_field(schema, required=True)


def _if_given(schema: CoreSchema) -> TypedDictField:
    return typed_dict_field(nullable_schema(schema), required=False)


_ITEM = typed_dict_schema(
    {
        "id": _if_given(_NUMBER),
        "status": _always(_TEXT),
        "articleNumber": _if_given(_TEXT),
        "articleUnit": _if_given(_TEXT),
        "quantity": _always(_NUMBER),
    },
    strict=True,
)
_DELIVERY = typed_dict_schema(
    {
        "id": _always(int_schema(strict=True, ge=1, le=WIDEST)),
        "customerId": _always(_NUMBER),
        "status": _always(_TEXT),
        "statusInbound": _always(_TEXT),
        "number": _always(_TEXT),
        "numberExternal": _if_given(_TEXT),
        "numberPurchaseOrder": _if_given(_TEXT),
        "priority": _if_given(_TEXT),
        "lineItems": _if_given(list_schema(_ITEM, strict=True)),
        "createdAt": _if_given(_STAMP),
        "updatedAt": _always(_STAMP),
    },
    strict=True,
)
_looks_plain = SchemaValidator(_DELIVERY).isinstance_python


def is_plain(raw: object, payload: bytes) -> bool:
    """Whether a record looks like a delivery at first sight, so that a close look takes it if its stamps are instants.

    `payload` is its JSON as orjson wrote it, which writes only Unicode. False says nothing: look closely then.
    """
    return not (_BACKSLASH in payload and _NUL in payload) and _looks_plain(raw)
