"""Values as columns keep them, in the form that the drivers of both databases take. Pure, and light to import."""

from datetime import UTC, datetime, timedelta

import orjson

# What a column of a row is; bytes are text in UTF-8, where that is how it came.
Value = int | str | bytes | bool | float | None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Whole microseconds since 1970; a naive datetime is a mistake of ours and raises TypeError."""
    return (moment - _EPOCH) // _MICROSECOND


def instant_of_micros(value: int) -> datetime:
    """The instant so many microseconds after 1970 began, in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def json_text(value: object) -> str:
    """A value as a JSON column keeps it."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
