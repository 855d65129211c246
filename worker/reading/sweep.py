"""The sweep: re-reads what polling has read, and reports what polling had not seen, and why (DESIGN §4).

A span of some days, every delivery not yet final, and every open linked order, whatever their age.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta

import sqlalchemy as sa

from connectors.logistic_cloud import DeliveryAnswer, DeliveryPage, DeliveryQuery, ServerTime
from worker.clock import Clock
from worker.db import Database
from worker.db.tables import deliveries, links, orders
from worker.reading import accounts, coverage
from worker.reading.account_source import AccountSource, DeliverySource
from worker.reading.accounts import Account
from worker.reading.delivery_rows import FINAL
from worker.reading.headway import Headway, Tell
from worker.reading.observations import News
from worker.reading.order_reader import OrderReader
from worker.reading.recorder import Recorder, Tally, proof_of
from worker.reading.spans import Span, Window, instant_of, second_of, window_or_none
from worker.reading.window_job import Job
from worker.reading.windows import WindowReader
from worker.states import CoverageState, OrderState

# Findings told one by one; the counts tell the rest.
MAX_FINDINGS = 100

_ENDED = (OrderState.COMPLETE, OrderState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A delivery that polling had not seen as it is, and why."""

    delivery_id: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """What a sweep found that polling had not seen. `unread` are the spans and orders it could not read completely."""

    account: str
    requests: int
    rows: int
    appeared: int
    changed: int
    returned: int
    vanished: int
    findings: tuple[Finding, ...]
    unread: tuple[str, ...]


class Sweep:
    """Sweeps accounts. Raises the connector's errors; run again, it begins anew."""

    def __init__(
        self,
        *,
        database: Database,
        recorder: Recorder,
        windows: WindowReader,
        order_reader: OrderReader,
        clock: Clock,
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._windows = windows
        self._order_reader = order_reader
        self._clock = clock

    def run(self, source: AccountSource, days: float, tell: Tell) -> SweepReport:
        """Sweep the last `days`, the deliveries not yet final and the open linked orders of an account."""
        seen = _Seen(source.client)
        run = _Run(source=replace(source, client=seen), tally=Tally(news=[]), seen=seen, tell=tell)
        with self._database.read() as connection:
            account = accounts.find(connection, source.name)
            window = _span_of(account, days)
            run.expect(_expected(connection, source, window))
            hidden = _unfinished_ids(connection, source.name, visible=False)
        unread = ["The account was never polled."] if account.server_time is None else self._span(run, account, window)
        self._unfinished(run)
        self._hidden(run, hidden)
        unread += self._open_orders(run)
        return self._report(run, unread)

    def _span(self, run: "_Run", account: Account, window: Window | None) -> list[str]:
        """Everything of the span, and by id whatever we hold of it and that did not come."""
        if window is None or account.server_time is None:
            return []
        job = Job(source=run.source, received=account.server_time, tally=run.tally, certify=False, alarm=False)
        for _step in self._windows.read(job, window):
            run.told()
        with self._database.read() as connection:
            held = _held_within(connection, run.source.name, window)
        self._by_id(run, sorted(held - run.seen.ids))
        return job.unproved

    def _unfinished(self, run: "_Run") -> None:
        """Every delivery not yet final by id."""
        with self._database.read() as connection:
            ids = _unfinished_ids(connection, run.source.name, visible=True)
        self._by_id(run, ids)

    def _hidden(self, run: "_Run", ids: Sequence[int]) -> None:
        """Those not yet final that were not visible: they may be again, and may have changed meanwhile."""
        for start in range(0, len(ids), run.source.page_size):
            self._listed(run, tuple(ids[start : start + run.source.page_size]))

    def _listed(self, run: "_Run", ids: tuple[int, ...]) -> None:
        """Whatever comes, page by page. What does not is not asked for one by one, night after night."""
        came = 0
        for number in itertools.count():  # pragma: no branch - it ends by itself
            page = run.source.page(DeliveryQuery(ids=ids), number)
            self._recorder.record(run.source, page, proof=proof_of("sweep", None, page), tally=run.tally, alarm=False)
            run.told()
            came += page.shape.rows
            # A source that ignores the filter, or the page, would have no end.
            if not page.shape.full or came >= len(ids):
                return

    def _by_id(self, run: "_Run", ids: Sequence[int]) -> None:
        """One that the source does not have becomes not visible."""
        for start in range(0, len(ids), run.source.page_size):
            chunk = ids[start : start + run.source.page_size]
            self._recorder.confirm(run.source, chunk, proof={"kind": "sweep"}, tally=run.tally, alarm=False)
            run.told()

    def _open_orders(self, run: "_Run") -> list[str]:
        with self._database.read() as connection:
            numbers = _open_numbers(connection, run.source.name)
        unread = []
        for number in numbers:
            reading = self._order_reader.read_number(run.source, number, run.tally, alarm=False)
            unread += [] if reading.proved else [reading.reason]
            run.told()
        return unread

    def _report(self, run: "_Run", unread: Sequence[str]) -> SweepReport:
        name, tally = run.source.name, run.tally
        with self._database.write() as connection:
            report = SweepReport(
                account=name,
                requests=tally.requests,
                rows=tally.rows,
                appeared=tally.appeared,
                changed=tally.changed,
                returned=tally.returned,
                vanished=tally.vanished,
                findings=_findings(connection, name, tally),
                unread=tuple(unread[:MAX_FINDINGS]),
            )
            accounts.note_swept(connection, name, self._clock.now(), asdict(report))
        return report


class _Seen:
    """The account's client, which remembers the ids of all that it listed."""

    def __init__(self, client: DeliverySource) -> None:
        self._client = client
        self.ids: set[int] = set()

    def list_deliveries(self, query: DeliveryQuery, *, page: int, page_size: int) -> DeliveryPage:
        """One page."""
        found = self._client.list_deliveries(query, page=page, page_size=page_size)
        ids = (record.get("id") for record in found.records if isinstance(record, dict))
        self.ids.update(key for key in ids if isinstance(key, int))
        return found

    def get_delivery(self, delivery_id: int) -> DeliveryAnswer:
        """One record."""
        return self._client.get_delivery(delivery_id)

    def server_time(self) -> ServerTime:
        """The server's clock."""
        return self._client.server_time()


@dataclass(slots=True, kw_only=True)
class _Run:
    source: AccountSource
    tally: Tally
    seen: _Seen
    tell: Tell
    _expected: int = 0

    def expect(self, requests: int) -> None:
        """About so many requests in all."""
        self._expected = requests

    def told(self) -> None:
        """A sweep states nothing about coverage, so how far it came is told in requests."""
        tally = self.tally
        done, expected = tally.requests, max(self._expected, tally.requests + 1)
        self.tell(Headway(done=done, all=expected, requests=tally.requests, rows=tally.rows))


def _span_of(account: Account, days: float) -> Window | None:
    if account.server_time is None:
        return None
    since = second_of(account.server_time - timedelta(days=days))
    return window_or_none(since, account.closed_end(account.server_time) - 1)


def _expected(connection: sa.Connection, source: AccountSource, window: Window | None) -> int:
    """Requests, by what we hold: a sweep that finds nothing new takes about so many."""
    rows = 0 if window is None else len(_held_within(connection, source.name, window))
    by_id = [len(_unfinished_ids(connection, source.name, visible=visible)) for visible in (True, False)]
    lists = sum(math.ceil(count / source.page_size) for count in (rows, *by_id))
    return lists + len(_open_numbers(connection, source.name))


def _held_within(connection: sa.Connection, account: str, window: Window) -> set[int]:
    """The visible deliveries whose stamp lies in the window."""
    statement = sa.select(deliveries.c.id).where(
        deliveries.c.account == account,
        deliveries.c.visible,
        deliveries.c.updated_at >= instant_of(window.since),
        deliveries.c.updated_at < instant_of(window.until + 1),
    )
    return set(connection.execute(statement).scalars())


def _unfinished_ids(connection: sa.Connection, account: str, *, visible: bool) -> list[int]:
    statement = (
        sa.select(deliveries.c.id)
        .where(deliveries.c.account == account, deliveries.c.visible.is_(visible), deliveries.c.status.not_in(FINAL))
        .order_by(deliveries.c.id)
    )
    return [row.id for row in connection.execute(statement)]


def _open_numbers(connection: sa.Connection, account: str) -> list[str]:
    """The linked purchase order numbers that have no order here yet, or one that has not ended."""
    linked = connection.execute(
        sa.select(links.c.purchase_order).where(links.c.account.in_(["", account])).distinct()
    ).scalars()
    known = connection.execute(
        sa.select(orders.c.purchase_order, orders.c.state).where(orders.c.account == account)
    ).all()
    ended = {row.purchase_order for row in known if row.state in _ENDED}
    still_open = {row.purchase_order for row in known if row.state not in _ENDED}
    return sorted(number for number in linked if number in still_open or number not in ended)


def _findings(connection: sa.Connection, account: str, tally: Tally) -> tuple[Finding, ...]:
    news = [] if tally.news is None else tally.news[:MAX_FINDINGS]
    if not news:
        return ()
    late = {item.id for item in tally.late}
    spans = coverage.spans(connection, account)
    found = [Finding(delivery_id=item.id, why=_why(item, spans, late=item.id in late)) for item in news]
    return tuple(item for item in found if item.why)


def _why(item: News, spans: Sequence[Span], *, late: bool) -> str:
    """Why polling had not seen it; empty where polling had simply not come to it yet."""
    second = second_of(item.updated_at)
    stamp = f"{item.updated_at:%Y-%m-%dT%H:%M:%SZ}"
    if late:
        return f"It became visible after its second {stamp} had been read completely: later than the lag."
    if not item.fresh:
        return f"It changed without a newer stamp than {stamp}."
    if not spans or second < spans[0].window.since:
        return f"Its stamp {stamp} is older than the start of coverage."
    state = _state_of(Window(second, second), spans)
    return "" if state is None else f"Its second {stamp} is {state.value} in coverage."


def _state_of(window: Window, spans: Sequence[Span]) -> CoverageState | None:
    return next((span.state for span in spans if span.window.overlap(window) is not None), None)
