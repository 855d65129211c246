"""The order reader: all deliveries of an order, read at the source by purchase order number without a time bound.

Completion and firing rely on it (DESIGN §5): a sibling older than the start counts, and so does one that just came.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from connectors.logistic_cloud import DeliveryQuery
from worker.clock import Clock
from worker.db import Database
from worker.db.tables import deliveries
from worker.events import OrderKey
from worker.reading import accounts
from worker.reading.account_source import AccountSource, asked_by
from worker.reading.certificates import Proved, judge_one_answer, judge_pass
from worker.reading.normalizer import DeliveryRecord, SetAside
from worker.reading.read_page import ReadPage
from worker.reading.recorder import Recorder, Tally, proof_of
from worker.standing import OrderReading

# How often a list that moves is read again before the reading is given up, to be tried later.
TRIES = 3
# Pages of an order's list at most: an answer to a filter that was not understood would be the whole account.
MAX_PAGES = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberReading:
    """What a reading by purchase order number found, of whatever customer. `reason` is empty where it is proved."""

    records: tuple[DeliveryRecord, ...]
    # Deliveries that came but could not be understood; set aside.
    broken: frozenset[int]
    reason: str
    server_time: datetime | None

    @property
    def proved(self) -> bool:
        """Whether the list was read completely."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class _Run:
    source: AccountSource
    query: DeliveryQuery
    tally: Tally
    alarm: bool


class OrderReader:
    """Reads orders of any account. Raises the connector's errors."""

    def __init__(
        self, *, sources: Mapping[str, AccountSource], database: Database, recorder: Recorder, clock: Clock
    ) -> None:
        self._sources = sources
        self._database = database
        self._recorder = recorder
        self._clock = clock

    def read(self, key: OrderKey) -> OrderReading:
        """Read and record the order's deliveries; a known one that did not come is asked for by id."""
        source = self._sources.get(key.account)
        if source is None:
            return self._unread(key, f"The account {key.account} is not in the settings.")
        tally = Tally()
        reading = self.read_number(source, key.purchase_order, tally)
        came = {record.id for record in reading.records if _belongs(record, key)}
        missing = self._known(key) - came - reading.broken
        if reading.proved and missing:
            proof = {"kind": "order", "purchase_order": key.purchase_order}
            self._recorder.confirm(source, sorted(missing), proof=proof, tally=tally)
        return self._judged(key, reading, missing, tally)

    def read_number(
        self, source: AccountSource, purchase_order: str, tally: Tally, *, alarm: bool = True
    ) -> NumberReading:
        """Read and record every delivery with that number; the whole list, or the reason why not."""
        query = DeliveryQuery(purchase_order=purchase_order)
        reason = "never tried"
        for _attempt in range(TRIES):
            pages, reason = self._attempt(_Run(source, query, tally, alarm))
            if not reason:
                return _number_reading(pages, "", purchase_order)
        return _number_reading([], f"The deliveries of {purchase_order!r} could not be read whole: {reason}.", "")

    def _attempt(self, run: _Run) -> tuple[list[ReadPage], str]:
        first = self._page(run, 0)
        following = None
        if first.shape.total is None and not first.shape.full:
            following = self._page(run, 1).shape
        judged = judge_one_answer(first.shape, asked_by(run.query), following)
        if isinstance(judged, Proved):
            return [first], ""
        if not first.shape.full or first.shape.total is None or first.shape.total > MAX_PAGES * first.shape.size:
            return [], judged.reason
        return self._pass(run, first.shape.total)

    def _pass(self, run: _Run, total: int) -> tuple[list[ReadPage], str]:
        pages: list[ReadPage] = []
        while len(pages) <= MAX_PAGES and (not pages or pages[-1].shape.full):
            pages.append(self._page(run, len(pages)))
        judged = judge_pass(total, [page.shape for page in pages], asked_by(run.query))
        return (pages, "") if isinstance(judged, Proved) else ([], judged.reason)

    def _page(self, run: _Run, number: int) -> ReadPage:
        page = run.source.page(run.query, number)
        proof = {**proof_of("order", None, page), "purchase_order": run.query.purchase_order}
        self._recorder.record(run.source, page, proof=proof, tally=run.tally, alarm=run.alarm)
        return page

    def _judged(self, key: OrderKey, reading: NumberReading, missing: set[int], tally: Tally) -> OrderReading:
        still_there = missing & self._known(key) if reading.proved else set()
        reason = reading.reason
        if still_there:
            named = ", ".join(str(one) for one in sorted(still_there))
            reason = f"The list by purchase order leaves out deliveries that are there by id: {named}."
        return OrderReading(
            proved=not reason,
            reason=reason,
            server_time=self._time(key.account) if reading.server_time is None else reading.server_time,
            delivery_ids=tuple(sorted(record.id for record in reading.records if _belongs(record, key))),
            requests=tally.requests,
        )

    def _known(self, key: OrderKey) -> set[int]:
        """The visible deliveries of the order that we hold; compared byte for byte, as the database does."""
        with self._database.read() as connection:
            found = connection.execute(
                sa.select(deliveries.c.id).where(
                    deliveries.c.account == key.account,
                    deliveries.c.customer_id == key.customer_id,
                    deliveries.c.purchase_order == key.purchase_order,
                    deliveries.c.visible,
                )
            )
            return set(found.scalars())

    def _unread(self, key: OrderKey, reason: str) -> OrderReading:
        return OrderReading(
            proved=False, reason=reason, server_time=self._time(key.account), delivery_ids=(), requests=0
        )

    def _time(self, name: str) -> datetime:
        with self._database.read() as connection:
            account = accounts.find_or_none(connection, name)
        return self._clock.now() if account is None or account.server_time is None else account.server_time


def _belongs(record: DeliveryRecord, key: OrderKey) -> bool:
    return record.customer_id == key.customer_id and record.purchase_order == key.purchase_order


def _number_reading(pages: list[ReadPage], reason: str, purchase_order: str) -> NumberReading:
    records = [record for page in pages for record in page.records]
    parsed = [record for record in records if isinstance(record, DeliveryRecord)]
    broken = [record.delivery_id for record in records if isinstance(record, SetAside)]
    return NumberReading(
        # A filter may ignore case or blanks; we do not.
        records=tuple(record for record in parsed if record.purchase_order == purchase_order),
        broken=frozenset(key for key in broken if key is not None),
        reason=reason,
        server_time=pages[0].server_time if pages else None,
    )
