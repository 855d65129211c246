"""The pages of a long list, each prepared by a process of its own while the next is asked for."""

import contextlib
import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard

from connectors.logistic_cloud import DeliveryQuery, UnreadPage
from worker.reading.ahead import Ahead
from worker.reading.prepared import Prepared
from worker.reading.preparer import Preparer
from worker.reading.read_page import ReadPage, page_of, prepared_page, size_in_force

# Pages from which on a list is long: the process takes about as long to start as these take to be read.
LONG = 20


class UnreadSource(Protocol):
    """What is needed of `connectors.logistic_cloud.LogisticCloud`."""

    def ask_for_deliveries(self, query: DeliveryQuery, *, page: int, page_size: int) -> UnreadPage:
        """One page, numbered from 0, that nobody looked into yet. Raises ConnectorError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPages:
    """How an account's long lists are read. Pages that are not prepared, for whatever reason, are read as any other."""

    account: str
    client: UnreadSource = field(repr=False)
    page_size: int
    preparer: Preparer
    # Pages from which on a list is long.
    long: int = LONG

    def of(self, query: DeliveryQuery, total: int | None) -> Generator[ReadPage]:
        """Pages 0, 1, 2 … of a list that was counted as `total`, as far as it goes by that; none where it is not long.

        While a page is prepared the next one is asked for, if the count says that there is one: where something other
        than the count breaks the reading, that is one request more.
        """
        if not self._is_long(total):
            return
        with contextlib.closing(Ahead(self._unread(query, total), 1)) as unread:
            for page in unread:
                with self.preparer.preparing(self.account, page.body) as prepared:
                    ready = self._read(page, prepared())
                yield ready

    def _unread(self, query: DeliveryQuery, total: int) -> Iterator[UnreadPage]:
        for number in itertools.count():
            page = self._ask(query, number)
            yield page
            if not self._goes_on(page, number + 1, total):
                return

    def _ask(self, query: DeliveryQuery, number: int) -> UnreadPage:
        return self.client.ask_for_deliveries(query, page=number, page_size=self.page_size)

    def _read(self, page: UnreadPage, prepared: Prepared | None) -> ReadPage:
        if prepared is None:
            return page_of(page.read(), self.page_size)
        return prepared_page(page, prepared, self.page_size)

    def expect(self, total: int | None) -> None:
        """A list was counted: if it is long, its pages will be asked for."""
        if self._is_long(total):
            self.preparer.expect()

    def _is_long(self, total: int | None) -> TypeGuard[int]:
        return total is not None and total >= self.long * self.page_size

    def _goes_on(self, page: UnreadPage, number: int, total: int) -> bool:
        """Whether the list, unless it breaks, has a page of that number, short and empty ones included."""
        return page.total == total and number * size_in_force(page.page_size, self.page_size) <= total
