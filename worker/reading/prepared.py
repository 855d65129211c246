"""A page prepared for keeping: the first rows of all its deliveries. A function of the page's body alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from worker.reading.first_rows import ID, RAW, UPDATED_AT, FirstRow, first_row
from worker.reading.normalizer import DeliveryRecord, normalize


@dataclass(frozen=True, slots=True)
class Prepared:
    """A page in the order of the list, whose records all parse and are of different deliveries."""

    rows: Sequence[FirstRow]

    @property
    def ids(self) -> list[int]:
        """Whose they are."""
        return [columns[ID] for columns, *_ in self.rows]

    def records(self) -> Iterator[object]:
        """The records, as they came."""
        return (orjson.loads(columns[RAW]) for columns, *_ in self.rows)

    @property
    def stamps(self) -> list[int]:
        """Their `updatedAt` in microseconds since 1970."""
        return [columns[UPDATED_AT] for columns, *_ in self.rows]


def prepare(account: str, body: bytes) -> list[FirstRow] | None:
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
    return [first_row(account, record) for record in records]
