"""Customer orders read anew before a credit delivery is sent, within the time that a reading may be old (DESIGN §6.4).

A row of the list shows what a gate goes by (status, type, responses), so one request can stand for a page of orders. As
many pages of a status are asked for as spare requests; what they did not show as it is held is read by its id.
"""

from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from connectors.barmate import OrderPage
from connectors.errors import ConnectorError
from worker.clock import Clock
from worker.customers.customer_rows import load_many, ranks_of
from worker.customers.list_plan import Listing, PageSize
from worker.customers.list_recording import ListRecorder
from worker.customers.pace import Pace
from worker.customers.rereading import Reader
from worker.customers.source import BarmateSource
from worker.db import Database
from worker.standing import NotFresh

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshReader:
    """Reads orders of one account anew. `pace` says how long that may take; `page_size` is learned on the way."""

    source: BarmateSource
    reader: Reader
    lister: ListRecorder
    database: Database
    clock: Clock
    pace: Pace
    page_size: PageSize

    def read(self, ids: Collection[str]) -> None:
        """Read these now. Raises ConnectorError, and NotFresh where that takes too long."""
        run = _Run(self, ids, began=self.clock.monotonic())
        run.plan()
        run.go()

    @contextmanager
    def begun(self, ids: Collection[str]) -> Iterator["Begun"]:
        """Read these in a thread of its own while the block goes on; a block that ends early ends the reading."""
        began = self.clock.monotonic()
        run = _Run(self, ids, began=began)
        if not ids:
            yield Begun(self, run, None)
            return
        # What cannot be done is said before anybody is asked.
        run.plan()
        pool = ThreadPoolExecutor(1, thread_name_prefix="customer-orders")
        try:
            yield Begun(self, run, pool.submit(run.go))
        finally:
            run.stopped = True
            # A request that hangs is not waited for: what it tells later is recorded, and harms nobody.
            pool.shutdown(wait=False)


class Begun:
    """A reading that is under way."""

    def __init__(self, parts: FreshReader, run: "_Run", under_way: Future[None] | None) -> None:
        self._parts = parts
        self._run = run
        self._under_way = under_way

    def finish(self, wanted: Collection[str]) -> None:
        """Return once all of these were read since the beginning. Raises ConnectorError and NotFresh."""
        if self._under_way is not None:
            self._wait(self._under_way)
        more = set(wanted) - self._run.ids
        if more:
            run = _Run(self._parts, more, began=self._run.began)
            run.plan()
            run.go()

    def _wait(self, under_way: Future[None]) -> None:
        try:
            under_way.result(timeout=max(0.0, self._run.seconds_left))
        except TimeoutError as error:
            raise NotFresh(self._run.too_slow()) from error


class _Run:
    """One reading of several orders."""

    def __init__(self, parts: FreshReader, ids: Collection[str], *, began: float) -> None:
        self.ids = frozenset(ids)
        self.began = began
        self.stopped = False
        self._parts = parts
        self._left = set(ids)
        self._requests = 0
        self._listings: Sequence[Listing] = ()

    @property
    def seconds_left(self) -> float:
        """Until the reading would be too old."""
        return self.began + self._parts.pace.seconds - self._parts.clock.monotonic()

    def plan(self) -> None:
        """Choose what is asked of the list. Raises NotFresh where even so it would take too long."""
        self._listings = self._listed()
        self._require_time()

    def go(self) -> None:
        """Read everything. Raises ConnectorError and NotFresh."""
        for listing in self._listings:
            self._list(listing)
        while self._left and not self.stopped:
            self._require_time()
            order_id = min(self._left)
            self._parts.reader.read(order_id)
            self._requests += 1
            self._left.discard(order_id)

    def too_slow(self) -> str:
        """A sentence about answers that took too long."""
        return self._parts.pace.too_slow(self._requests, self._needed())

    def _listed(self) -> list[Listing]:
        """What is held as open, by its status, with its place in the list; the rest is not looked for there."""
        host = self._parts.source.host
        with self._parts.database.read() as connection:
            held = load_many(connection, host, self.ids)
            known = {key: row for key, row in held.items() if row.read_at is not None and row.visible}
            statuses = sorted({row.status for row in known.values() if not row.is_final})
            return [
                Listing(status=status, ranks=ranks_of(connection, host, status, among=known)) for status in statuses
            ]

    def _list(self, listing: Listing) -> None:
        pages = self._parts.source.client.pages(status=listing.status)
        while not self.stopped and listing.pages(self._left, self._parts.page_size.rows):
            self._require_time()
            try:
                page = next(pages)
            except ConnectorError as error:
                # Reading by id tells whether it is barmate or the list alone that does not answer.
                _log.warning("the list could not be read; orders are read by their ids", error=error.sentence)
                listing.ended = True
            else:
                self._take(listing, page)

    def _take(self, listing: Listing, page: OrderPage) -> None:
        noted = self._parts.lister.note_page(page)
        self._requests += 1
        self._left.difference_update(noted.same)
        listing.done += 1
        if page.next_cursor is None or not page.orders:
            listing.ended = True
        else:
            self._parts.page_size.rows = len(page.orders)

    def _needed(self) -> int:
        listed = {order_id for listing in self._listings for order_id in listing.ranks}
        costs = (listing.cost(self._left, self._parts.page_size.rows) for listing in self._listings)
        return sum(costs) + len(self._left - listed)

    def _require_time(self) -> None:
        needed, pace = self._needed(), self._parts.pace
        if needed * pace.turn_seconds() <= self.seconds_left:
            return
        if needed * pace.turn_seconds() <= pace.seconds:
            raise NotFresh(self.too_slow())
        raise NotFresh(pace.too_many(len(self.ids), needed))
