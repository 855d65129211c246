"""A delivery on the wire: the fields that are relied on, and their types as documented. Everything else passes.

Source of every field: logistic.cloud developer docs, resources/deliveries.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, NotRequired

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

# The widest integer that both databases keep.
WIDEST = 2**63 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?([Zz]|[+-]\d{2}(:?\d{2})?)?")
# How JSON writes a NUL, which no database keeps as text.
_NUL = b"\\u0000"


def instant(text: str) -> datetime:
    """The instant that a stamp tells, in UTC; ValueError where it tells none."""
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


def is_unicode(text: str) -> bool:
    """Whether it can be written: half a surrogate pair, or a byte of another encoding, can not."""
    return text.isascii() or not _SURROGATE.search(text)


def _storable(text: str) -> str:
    if "\x00" in text:
        sentence = "holds a NUL character, which no database keeps as text"
        raise ValueError(sentence)
    if not is_unicode(text):
        sentence = "holds characters that are no Unicode"
        raise ValueError(sentence)
    return text


_Text = Annotated[str, AfterValidator(_storable)]
_Id = Annotated[int, Field(ge=1, le=WIDEST)]
_Number = Annotated[int, Field(ge=-WIDEST, le=WIDEST)]
# The stamp as the vendor's page shows it.
_PlainStamp = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
_StampText = Annotated[str, AfterValidator(lambda text: instant(text) and text)]


class _Item(BaseModel):
    model_config = ConfigDict(strict=True)

    id: _Number | None = None
    status: _Text
    articleNumber: _Text | None = None  # noqa: N815 - the wire's own name
    articleUnit: _Text | None = None  # noqa: N815
    quantity: _Number


class WireDelivery(BaseModel):
    """What a delivery must look like. Strict, so that what passes is in the record as it came."""

    model_config = ConfigDict(strict=True)

    id: _Id
    customerId: _Number  # noqa: N815
    status: _Text
    statusInbound: _Text  # noqa: N815
    number: _Text
    numberExternal: _Text | None = None  # noqa: N815
    numberPurchaseOrder: _Text | None = None  # noqa: N815
    priority: _Text | None = None
    lineItems: list[_Item] | None = None  # noqa: N815
    createdAt: _StampText | None = None  # noqa: N815
    updatedAt: _StampText  # noqa: N815


@with_config(ConfigDict(strict=True, extra="ignore"))
class _PlainItem(TypedDict):
    id: NotRequired[_Number | None]
    status: str
    articleNumber: NotRequired[str | None]
    articleUnit: NotRequired[str | None]
    quantity: _Number


@with_config(ConfigDict(strict=True, extra="ignore"))
class _PlainDelivery(TypedDict):
    """The same with stamps as the vendor's page shows them, and nothing that needs a function of ours."""

    id: _Id
    customerId: _Number
    status: str
    statusInbound: str
    number: str
    numberExternal: NotRequired[str | None]
    numberPurchaseOrder: NotRequired[str | None]
    priority: NotRequired[str | None]
    lineItems: NotRequired[list[_PlainItem] | None]
    createdAt: NotRequired[_PlainStamp | None]
    updatedAt: _PlainStamp


_looks_plain = TypeAdapter(_PlainDelivery).validator.isinstance_python


def is_plain(raw: object, payload: bytes) -> bool:
    """Whether a record looks as documented at first sight, so that `WireDelivery` takes it if its stamps are instants.

    `payload` is its JSON as orjson wrote it, which writes only Unicode. False says nothing: look closely then. Nearly
    every record is plain, and this costs a quarter of looking closely.
    """
    return _NUL not in payload and _looks_plain(raw)
