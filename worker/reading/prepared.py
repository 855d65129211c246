"""A page prepared for keeping: the first rows of all its deliveries. A function of the page's body alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from worker.reading.first_rows import ID, RAW, RECORD_COLUMNS, UPDATED_AT, FirstRows, first_rows
from worker.reading.normalizer import DeliveryRecord, normalize

_WIDTH = len(RECORD_COLUMNS)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A page in the order of the list, whose records all parse and are of different deliveries: its `FirstRows`."""

    values: Sequence[Any]
    event_ids: Sequence[str]
    subjects: Sequence[str]
    told: Sequence[str]
    orders: Sequence[Sequence[str]]

    @property
    def ids(self) -> Sequence[int]:
        """Whose they are."""
        return self.values[ID::_WIDTH]

    def records(self) -> Iterator[object]:
        """The records, as they came."""
        return map(orjson.loads, self.values[RAW::_WIDTH])

    @property
    def stamps(self) -> Sequence[int]:
        """Their `updatedAt` in microseconds since 1970."""
        return self.values[UPDATED_AT::_WIDTH]


def prepare(account: str, body: bytes) -> FirstRows | None:
    """The first rows of a page; None where it has to be looked at record by record."""
    try:
        page = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(page, list):
        return None
    records = [record for record in map(normalize, page) if isinstance(record, DeliveryRecord)]
    if len({record.id for record in records}) < len(page):
        return None
    return first_rows(account, records)
