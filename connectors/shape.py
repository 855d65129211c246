"""The shape of JSON answers: tolerant of what is new, strict about what is read."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from connectors.answer import Answer

T = TypeVar("T")

# Powers of ten: no quantity or price of goods lies outside, and arithmetic on what does would never end. Sums of
# floats come with some twenty digits after the point.
LARGEST_EXPONENT = 15
SMALLEST_EXPONENT = -30


class ShapeError(ValueError):
    """A field that is missing or of another type; the message names it."""


class Fields:
    """The fields of one JSON object, read by name and checked; unknown ones are ignored."""

    __slots__ = ("_values", "_where")

    def __init__(self, value: object, where: str = "") -> None:
        """Raise ShapeError when the value is not a JSON object; `where` is its place in the answer."""
        if not isinstance(value, Mapping):
            raise _wrong(where, "a JSON object", value)
        self._values = value
        self._where = where

    def text(self, name: str) -> str:
        """Return a string."""
        value = self._required(name)
        if not isinstance(value, str):
            raise _wrong(self._path(name), "a string", value)
        return value

    def text_or_none(self, name: str) -> str | None:
        """Return a string or null; a missing field is an error, since absence is not a statement."""
        return None if self._required(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        """Return a whole number written as one."""
        value = self._required(name)
        # bool is an int to Python, not to JSON.
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong(self._path(name), "an integer", value)
        return value

    def has(self, name: str) -> bool:
        """Tell whether the field is there and not null, for systems that leave out what they do not know."""
        return self._values.get(name) is not None

    def opaque(self, name: str) -> str:
        """Return an identifier, which may be written as a string or as a whole number, as text."""
        value = self._required(name)
        if not isinstance(value, str | int) or isinstance(value, bool) or not str(value):
            raise _wrong(self._path(name), "an identifier", value)
        return str(value)

    def opaque_or_blank(self, name: str) -> str:
        """Return an identifier that a person may have left blank."""
        return "" if self._required(name) == "" else self.opaque(name)

    def parsed(self, name: str, parse: Callable[[str], T], wanted: str) -> T:
        """Return what `parse` makes of a string; its ValueError means that the string is not what is `wanted`."""
        text = self.text(name)
        try:
            return parse(text)
        except ValueError as error:
            raise _wrong(self._path(name), wanted, text) from error

    def decimal(self, name: str) -> Decimal:
        """Return an exact number of a size that goods have; a float is an error, since it is not exact."""
        value = self._required(name)
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            raise _wrong(self._path(name), "a number", value)
        exact = Decimal(value)
        exponent = exact.as_tuple().exponent
        if not isinstance(exponent, int) or exponent < SMALLEST_EXPONENT or exact.adjusted() > LARGEST_EXPONENT:
            raise _wrong(self._path(name), "a number of a plausible size", value)
        return exact

    def flag(self, name: str) -> bool:
        """Return true or false."""
        value = self._required(name)
        if not isinstance(value, bool):
            raise _wrong(self._path(name), "true or false", value)
        return value

    def instant(self, name: str) -> datetime:
        """Return a date-time with a zone, in UTC."""
        text = self.text(name)
        try:
            moment = datetime.fromisoformat(text)
            in_utc = moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            # In UTC, the first and the last day that can be written may lie beyond what can be computed.
            raise _wrong(self._path(name), "a date-time", text) from error
        if moment.tzinfo is None:
            raise _wrong(self._path(name), "a date-time with a zone", text)
        return in_utc

    def instant_or_none(self, name: str) -> datetime | None:
        """Return a date-time with a zone, in UTC, or null."""
        return None if self._required(name) is None else self.instant(name)

    def child(self, name: str) -> "Fields":
        """Return the fields of an object within."""
        return Fields(self._required(name), self._path(name))

    def items(self, name: str) -> Sequence[object]:
        """Return a list."""
        value = self._required(name)
        if not isinstance(value, list):
            raise _wrong(self._path(name), "a list", value)
        return value

    def children(self, name: str) -> tuple["Fields", ...]:
        """Return the fields of every object of a list."""
        place = self._path(name)
        return tuple(Fields(item, f"{place}[{index}]") for index, item in enumerate(self.items(name)))

    def _required(self, name: str) -> object:
        if name not in self._values:
            message = f"the field {self._path(name)} is missing"
            raise ShapeError(message)
        value: object = self._values[name]
        return value

    def _path(self, name: str) -> str:
        return f"{self._where}.{name}" if self._where else name


def read(answer: Answer, reader: Callable[[Fields], T]) -> T:
    """Return what the reader makes of the answer's JSON object; UnexpectedAnswer names the field that is wrong."""
    return shaped(answer, answer.json(), reader)


def shaped(answer: Answer, value: object, reader: Callable[[Fields], T]) -> T:
    """Return what the reader makes of a JSON object within the answer; UnexpectedAnswer names what is wrong."""
    try:
        return reader(Fields(value))
    except ShapeError as error:
        detail = f"{answer.described()} has another shape than documented: {error}"
        raise answer.unexpected(detail) from error


def _wrong(where: str, wanted: str, value: object) -> ShapeError:
    # Only the type is told: the value is foreign and may be personal.
    place = f"the field {where}" if where else "the answer"
    return ShapeError(f"{place} should be {wanted} and is {type(value).__name__}")
