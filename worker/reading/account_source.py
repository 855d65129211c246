"""One logistic.cloud account as the readers see it: its settings, its client, and how a page of it is asked for."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connectors.logistic_cloud import DeliveryAnswer, DeliveryPage, DeliveryQuery, ServerTime
from worker.reading.certificates import Asked, PageShape
from worker.reading.normalizer import DeliveryRecord, SetAside, normalize


class DeliverySource(Protocol):
    """What is needed of `connectors.logistic_cloud.LogisticCloud`. Methods raise `connectors.errors.ConnectorError`."""

    def list_deliveries(self, query: DeliveryQuery, *, page: int, page_size: int) -> DeliveryPage:
        """One page, numbered from 0."""
        ...

    def get_delivery(self, delivery_id: int) -> DeliveryAnswer:
        """One record by id, or none."""
        ...

    def server_time(self) -> ServerTime:
        """The server's clock, at the price of one request."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPage:
    """One page as it was read by the request with that turn. No server time where the answer came from a cache."""

    records: tuple[DeliveryRecord | SetAside, ...]
    shape: PageShape
    server_time: datetime | None
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSource:
    """An account and how to read it.

    `lag_floor` in seconds is the least lag (settings: LAG_SECONDS); `start` None means 30 days before the first run;
    `key_fingerprint` (see `worker.reading.accounts.fingerprint_of`) tells when the key was changed.
    """

    name: str
    client: DeliverySource = field(repr=False)
    page_size: int
    lag_floor: float
    start: datetime | None
    key_fingerprint: str
    # Pages that may be read ahead of the one that is stored; where turns are scarce there is nothing to gain.
    ahead: int = 0

    def page(self, query: DeliveryQuery, number: int) -> ReadPage:
        """One page of a list, its records normalized. One request."""
        page = self.client.list_deliveries(query, page=number, page_size=self.page_size)
        records = tuple(normalize(record) for record in page.records)
        return ReadPage(
            records=records,
            shape=_shape(records, page, self.page_size),
            server_time=None if page.age > 0 else page.server_time,
            turn=page.turn,
        )


def _shape(records: tuple[DeliveryRecord | SetAside, ...], page: DeliveryPage, asked_size: int) -> PageShape:
    stamps = [record.stamp for record in records if record.stamp is not None]
    return PageShape(
        identities=tuple(record.identity for record in records),
        oldest=min(stamps, default=None),
        newest=max(stamps, default=None),
        total=page.total,
        size=_size_in_force(page.page_size, asked_size),
        age=page.age,
    )


def _size_in_force(told: int | None, asked: int) -> int:
    """A server that clamps says so; one that says nothing, or that a page holds no rows, gave what was asked."""
    return asked if not told else min(told, asked)


def asked_by(query: DeliveryQuery) -> Asked:
    """The span of `updatedAt` that a query asks for."""
    return Asked(low=query.updated_min, high=query.updated_max)
