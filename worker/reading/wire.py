"""A delivery on the wire: the fields that are relied on, and their types as documented. Everything else passes.

Source of every field: logistic.cloud developer docs, resources/deliveries.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from worker.reading.wire_values import WIDEST, instant, is_unicode


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
_StampText = Annotated[str, AfterValidator(lambda text: instant(text) and text)]


class _Item(BaseModel):
    model_config = ConfigDict(strict=True)

    id: _Number | None = None
    status: _Text
    articleNumber: _Text | None = None  # noqa: N815 - the wire's own name
    articleUnit: _Text | None = None  # noqa: N815
    quantity: _Number


class _WireDelivery(BaseModel):
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


def fault_of(raw: object) -> str | None:
    """Why a record is no delivery, as a sentence that names the field; None where it is one."""
    try:
        _WireDelivery.model_validate(raw)
    except ValidationError as error:
        return _sentence(error)
    return None


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    field = ""
    for part in first["loc"]:
        field += f"[{part}]" if isinstance(part, int) else f".{part}" if field else part
    if first["type"] == "missing":
        return f"The field {field} is missing."
    message = first["msg"].removeprefix("Value error, ")
    return f"The field {field} cannot be understood: {message[0].lower()}{message[1:]}."
