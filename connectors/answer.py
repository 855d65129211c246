"""An answer as it came: status, headers, body, and what its headers say about time."""

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import orjson

from connectors.errors import UnexpectedAnswer
from connectors.redaction import Redactor

# Characters of a foreign text worth keeping: enough for a problem document, too little for a page.
KEPT_CHARACTERS = 2000

# An age that cannot be read counts as this many seconds, since an aged answer proves nothing (DESIGN §4).
UNREADABLE_AGE = 1

# Digits of a number in a header: beyond a 64-bit integer it is no count of anything.
_MOST_DIGITS = 18
# Years that a server's clock may show; the others are the zero or the end of some calendar, and no time.
_CLOCK_YEARS = range(1970, 9000)


class Headers(Mapping[str, str]):
    """Response headers by name in any case; repeated ones are joined by a comma."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        """Copy the pairs."""
        values: dict[str, str] = {}
        for name, value in pairs:
            key = name.lower()
            values[key] = f"{values[key]}, {value}" if key in values else value
        self._values = values

    def __getitem__(self, name: str) -> str:
        """Return the value; KeyError if there is none."""
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        """Return the names in lower case."""
        return iter(self._values)

    def __len__(self) -> int:
        """Return the number of distinct names."""
        return len(self._values)

    def whole_number(self, name: str) -> int | None:
        """Return the value as a non-negative integer; None when missing or anything else."""
        value = self.get(name, "").strip()
        return int(value) if value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One complete HTTP answer of a system to an operation; the body is decoded, `turn` is the request's number."""

    status: int
    headers: Headers = field(default_factory=Headers, repr=False)
    body: bytes = field(default=b"", repr=False)
    turn: int = 0
    system: str = ""
    operation: str = ""
    redactor: Redactor = field(default_factory=Redactor, repr=False, compare=False)

    @property
    def server_time(self) -> datetime | None:
        """Return the `Date` header in UTC; None when missing, unreadable or no time of any clock."""
        told = http_date(self.headers.get("date"))
        return None if told is None or told.year not in _CLOCK_YEARS else told

    @property
    def age(self) -> int:
        """Return the `Age` header in seconds: 0 when missing, 1 when unreadable, since a doubt is not fresh."""
        if "age" not in self.headers:
            return 0
        age = self.headers.whole_number("age")
        return UNREADABLE_AGE if age is None else age

    @property
    def media_type(self) -> str:
        """Return the media type without parameters, in lower case; empty when not stated."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def json(self) -> object:
        """Return the body as JSON, a byte order mark passed over (RFC 8259 §8.1); UnexpectedAnswer when it is not."""
        try:
            parsed: object = orjson.loads(self.body.removeprefix(codecs.BOM_UTF8))
        except orjson.JSONDecodeError as error:
            raise self._not_json() from error
        return parsed

    def json_of_records(self) -> object:
        """Return the body as JSON, also where text in it is no Unicode, so that one bad record spoils no list.

        What is no Unicode comes as lone surrogates, which whoever reads the record must refuse or replace.
        """
        try:
            return self.json()
        except UnexpectedAnswer:
            return self._salvaged()

    def _salvaged(self) -> object:
        try:
            text = self.body.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
            parsed: object = json.loads(text, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise self._not_json() from error
        return parsed

    def _not_json(self) -> UnexpectedAnswer:
        return self.unexpected(f"{self.described()} is not JSON")

    def kept_text(self, limit: int = KEPT_CHARACTERS) -> str:
        """At most `limit` characters of the body, redacted: the only form of it that may be stored or shown."""
        return self.redactor.text(self.body.decode("utf-8", "replace"))[:limit]

    def described(self) -> str:
        """Return the answer in a few words, for a sentence."""
        media_type = self.redactor.text(self.media_type)[:60] if self.media_type else "no media type"
        return f"the answer (HTTP {self.status}, {media_type}, {len(self.body)} bytes)"

    def unexpected(self, detail: str) -> UnexpectedAnswer:
        """Return the error for an answer of a foreign shape, ready to be raised."""
        return UnexpectedAnswer(self.system, self.operation, detail, status=self.status)


def http_date(value: str | None) -> datetime | None:
    """Return an HTTP date (RFC 9110 §5.6.7) in UTC; None when missing or unreadable."""
    if value is None:
        return None
    try:
        parsed = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        # Which of these comes depends on the Python version and on how the header is broken.
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def _no_number(name: str) -> object:
    sentence = f"{name} is no number of JSON"
    raise ValueError(sentence)
