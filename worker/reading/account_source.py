"""One logistic.cloud account as the readers see it: its settings, its client, and how a page of it is asked for."""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connectors.logistic_cloud import DeliveryAnswer, DeliveryPage, DeliveryQuery, ServerTime
from worker.reading.certificates import Asked
from worker.reading.prepared_pages import PreparedPages
from worker.reading.read_page import ReadPage, page_of


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
    # How long lists are read where that pays.
    long_lists: PreparedPages | None = None

    def page(self, query: DeliveryQuery, number: int) -> ReadPage:
        """One page of a list, its records normalized. One request."""
        page = self.client.list_deliveries(query, page=number, page_size=self.page_size)
        if self.long_lists is not None:
            self.long_lists.expect(page.total)
        return page_of(page, self.page_size)

    def pages(self, query: DeliveryQuery, total: int | None) -> Generator[ReadPage]:
        """Pages 0, 1, 2 … of a list that was counted as `total`, as long as they are asked for. One request each."""
        number = 0
        if self.long_lists is not None:
            with contextlib.closing(self.long_lists.of(query, total)) as pages:
                for page in pages:
                    yield page
                    number += 1
        while True:
            yield self.page(query, number)
            number += 1


def asked_by(query: DeliveryQuery) -> Asked:
    """The span of `updatedAt` that a query asks for."""
    return Asked(low=query.updated_min, high=query.updated_max)
