"""One page of a list as it was read: who was on it, what it says for proofs, and its records."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

# Which `normalize` imports when a record needs a close look: here from the start, as its files may change meanwhile.
import worker.reading.wire  # noqa: F401
from connectors.logistic_cloud import DeliveryPage, UnreadPage
from worker.columns import instant_of_micros
from worker.reading.certificates import PageShape
from worker.reading.normalizer import DeliveryRecord, SetAside, normalize
from worker.reading.prepared import Prepared
from worker.reading.spans import second_of

Records = Sequence[DeliveryRecord | SetAside]
_MICROS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class ReadPage:
    """One page as it was read by the request with that turn. No server time where the answer came from a cache.

    `seconds` are those of its rows' stamps, in the order of the list. Its `records` are made when they are asked for.
    """

    shape: PageShape
    server_time: datetime | None
    turn: int
    seconds: Sequence[int]
    prepared: Prepared | None = None
    normalized: Callable[[], Records] = field(repr=False)

    @cached_property
    def records(self) -> Records:
        """Its records in the order of the list."""
        return self.normalized()


class Gathered(NamedTuple):
    """A page to be recorded, and what its events say about the reading they come from."""

    page: ReadPage
    proof: Mapping[str, object]


def page_of(page: DeliveryPage, asked_size: int) -> ReadPage:
    """A page whose records were looked at."""
    records = tuple(normalize(record) for record in page.records)
    stamps = [record.stamp for record in records if record.stamp is not None]
    return ReadPage(
        shape=PageShape(
            identities=tuple(record.identity for record in records),
            oldest=min(stamps, default=None),
            newest=max(stamps, default=None),
            total=page.total,
            size=size_in_force(page.page_size, asked_size),
            age=page.age,
        ),
        server_time=None if page.age > 0 else page.server_time,
        turn=page.turn,
        seconds=[second_of(stamp) for stamp in stamps],
        normalized=lambda: records,
    )


def prepared_page(page: UnreadPage, prepared: Prepared, asked_size: int) -> ReadPage:
    """A page that was prepared for keeping."""
    stamps = prepared.stamps
    return ReadPage(
        shape=PageShape(
            identities=tuple(map(str, prepared.ids)),
            oldest=instant_of_micros(min(stamps)) if stamps else None,
            newest=instant_of_micros(max(stamps)) if stamps else None,
            total=page.total,
            size=size_in_force(page.page_size, asked_size),
            age=page.age,
        ),
        server_time=None if page.age > 0 else page.server_time,
        turn=page.turn,
        seconds=[stamp // _MICROS for stamp in stamps],
        prepared=prepared,
        # From what was prepared: the page's body need not be kept.
        normalized=lambda: tuple(normalize(record) for record in prepared.records()),
    )


def size_in_force(told: int | None, asked: int) -> int:
    """A server that clamps says so; one that says nothing, or that a page holds no rows, gave what was asked."""
    return asked if not told else min(told, asked)
