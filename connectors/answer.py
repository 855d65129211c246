"""An answer as it came: status, headers, body, and what its headers say about time."""

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
        return int(value) if value.isascii() and value.isdigit() else None


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
        """Return the `Date` header in UTC; None when missing or unreadable."""
        return http_date(self.headers.get("date"))

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
        """Return the body as JSON; UnexpectedAnswer when it is not."""
        try:
            parsed: object = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            detail = f"{self.described()} is not JSON"
            raise self.unexpected(detail) from error
        return parsed

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
