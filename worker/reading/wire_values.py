"""Single values on the wire: which stamps are instants, and what both databases keep. Light to import."""

import re
from datetime import UTC, datetime

# The widest integer that both databases keep.
WIDEST = 2**63 - 1
_SURROGATE = re.compile("[\ud800-\udfff]")
_STAMP = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?([Zz]|[+-]\d{2}(:?\d{2})?)?")


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
