"""The form of a delivery that an operator hands us: which fields there are, and a sentence for each mistake. Pure.

Source of every field and length: logistic.cloud developer docs, resources/deliveries.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, ValidationError

Document = Mapping[str, object]

# Ids and quantities are int32 at the source.
_WIDEST = 2**31 - 1
# What only the source sets.
READ_ONLY = frozenset({"id", "status", "statusInbound", "createdAt", "updatedAt"})
READ_ONLY_ITEM = frozenset({"id", "status", "articleNumber", "articleUnit", "createdAt", "updatedAt"})
# The vendor's example of an update calls the handling unit so; the resource, and every other page, does not.
HANDLING_UNIT, SLIP = "handlingUnitNumberExternal", "loadNumberExternal"


def _visible(text: str) -> str:
    if not text.strip():
        sentence = "is blank"
        raise ValueError(sentence)
    return text


def _storable(text: str) -> str:
    if "\x00" in text:
        sentence = "holds a NUL character"
        raise ValueError(sentence)
    return text


def _instant(text: str) -> str:
    """In UTC with `Z`, as the source gives it back; a date alone is its first second."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        sentence = "is not an instant; give ISO 8601 such as 2026-01-31T09:30:00Z"
        raise ValueError(sentence) from error
    if moment.tzinfo is None and len(text) > len("2026-01-31"):
        sentence = "names no time zone; add Z for UTC, or an offset such as +02:00"
        raise ValueError(sentence)
    return _utc(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)


def _utc(moment: datetime) -> str:
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError as error:
        sentence = "is outside the calendar; give ISO 8601 such as 2026-01-31T09:30:00Z"
        raise ValueError(sentence) from error


def _day_or_instant(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return _instant(text)


_Text50 = Annotated[str, Field(max_length=50), AfterValidator(_storable)]
_Text250 = Annotated[str, Field(max_length=250), AfterValidator(_storable)]
_Text500 = Annotated[str, Field(max_length=500), AfterValidator(_storable)]
_Number = Annotated[str, Field(max_length=50), AfterValidator(_visible), AfterValidator(_storable)]
_Id = Annotated[int, Field(ge=1, le=_WIDEST)]
_Date = Annotated[str, AfterValidator(_instant)]
_Priority = Literal["low", "normal", "high"]
_CONFIG = ConfigDict(strict=True, extra="forbid", populate_by_name=True)


class _Attributes(BaseModel):
    model_config = _CONFIG

    areaId: _Text50 | None = None  # noqa: N815 - the wire's own name
    placeId: _Text50 | None = None  # noqa: N815


class _Item(BaseModel):
    model_config = _CONFIG

    articleId: _Id  # noqa: N815
    quantity: _Id
    serialNumber: _Text50 | None = None  # noqa: N815
    batchNumber: _Text50 | None = None  # noqa: N815
    bestBeforeDate: Annotated[str, AfterValidator(_day_or_instant)] | None = None  # noqa: N815
    handlingUnitNumberExternal: _Text50 | None = Field(  # noqa: N815
        default=None, validation_alias=AliasChoices(HANDLING_UNIT, SLIP)
    )
    note: _Text250 | None = None


class _Head(BaseModel):
    model_config = _CONFIG

    numberExternal: _Text50 | None = None  # noqa: N815
    numberPurchaseOrder: _Text50 | None = None  # noqa: N815
    priority: _Priority | None = None
    note: _Text500 | None = None
    attributes: _Attributes | None = None
    lineItems: list[_Item] | None = None  # noqa: N815


class _New(_Head):
    customerId: _Id  # noqa: N815
    number: _Number
    date: _Date


class _Changes(_Head):
    customerId: _Id = Field(default=1)  # noqa: N815 - a default only makes it optional; what is not given is left out
    number: _Number = Field(default="-")
    date: _Date = Field(default="2026-01-01")


class Wrong(ValueError):
    """A delivery that cannot be what it should be; `mistakes` are sentences without their full stop."""

    def __init__(self, mistakes: tuple[str, ...]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


def new_delivery(raw: object) -> Document:
    """A delivery to be created, with what it says and nothing else. Raises Wrong."""
    return _read(_New, raw)


def changes(raw: object) -> Document:
    """What an update changes: at least one field. Raises Wrong."""
    read = _read(_Changes, raw)
    if not read:
        raise Wrong(("it names no field to be changed",))
    return read


def _read(model: type[BaseModel], raw: object) -> Document:
    if not isinstance(raw, dict):
        raise Wrong(("it is not a JSON object",))
    try:
        read = model.model_validate(raw)
    except ValidationError as error:
        raise Wrong(tuple(dict.fromkeys(_sentences(error)))) from None
    return read.model_dump(exclude_unset=True)


def _sentences(error: ValidationError) -> Iterator[str]:
    for one in error.errors(include_url=False):
        field = _path(one["loc"])
        if one["type"] == "extra_forbidden":
            yield _extra(field, one["loc"])
        elif one["type"] in _TOLD:
            yield f"{field} {_TOLD[one['type']](one.get('ctx', {}))}"
        else:
            yield f"{field} {one['msg'].removeprefix('Value error, ')}"


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _extra(field: str, location: tuple[int | str, ...]) -> str:
    inside = len(location) > 1 and location[0] == "lineItems"
    if location[-1] in (READ_ONLY_ITEM if inside else READ_ONLY):
        return f"{field} is set by the warehouse; leave it out"
    if location[-1] == SLIP:
        return f"{field} and {HANDLING_UNIT} mean the same; leave it out"
    return f"{field} is not a field that can be written; leave it out"


_TOLD: Mapping[str, Callable[[Mapping[str, Any]], str]] = MappingProxyType(
    {
        "missing": lambda _context: "is missing",
        "int_type": lambda _context: "must be a whole number",
        "int_parsing_size": lambda _context: f"must be at most {_WIDEST}",
        "greater_than_equal": lambda context: f"must be at least {context['ge']}",
        "less_than_equal": lambda context: f"must be at most {context['le']}",
        "string_type": lambda _context: "must be text in quotes",
        "string_too_long": lambda context: f"has more than {context['max_length']} characters",
        "string_unicode": lambda _context: "holds a character that is not text",
        "literal_error": lambda context: f"must be {context['expected']}",
        "list_type": lambda _context: "must be a list, or null",
        "model_type": lambda _context: "must be a JSON object",
    }
)
