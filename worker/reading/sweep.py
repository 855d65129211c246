"""The sweep: re-reads what polling has read, and reports what polling had not seen, and why (DESIGN §4).

A span of some days, every delivery not yet final, and every open linked order, whatever their age.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from worker.clock import Clock
from worker.db import Database
from worker.db.tables import deliveries, links, orders
from worker.reading import accounts, coverage
from worker.reading.account_source import AccountSource
from worker.reading.backfill import PROGRESS_EVERY, Progress
from worker.reading.delivery_rows import FINAL
from worker.reading.observations import News
from worker.reading.order_reader import OrderReader
from worker.reading.recorder import Recorder, Tally
from worker.reading.spans import Span, Window, second_of, window_or_none
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

    def run(self, source: AccountSource, days: float, progress: Callable[[Progress], None]) -> SweepReport:
        """Sweep the last `days`, the deliveries not yet final and the open linked orders of an account."""
        tally = Tally(news=[])
        unread = self._span(source, days, tally, progress)
        self._unfinished(source, tally)
        unread += self._open_orders(source, tally)
        with self._database.write() as connection:
            accounts.note_swept(connection, source.name, self._clock.now())
            findings = _findings(connection, source.name, tally)
        return SweepReport(
            account=source.name,
            requests=tally.requests,
            rows=tally.rows,
            appeared=tally.appeared,
            changed=tally.changed,
            returned=tally.returned,
            vanished=tally.vanished,
            findings=findings,
            unread=tuple(unread),
        )

    def _span(
        self, source: AccountSource, days: float, tally: Tally, progress: Callable[[Progress], None]
    ) -> list[str]:
        with self._database.read() as connection:
            account = accounts.find(connection, source.name)
        if account.server_time is None:
            return ["The account was never polled."]
        received = account.server_time
        last = account.closed_end(received) - 1
        window = window_or_none(second_of(received - timedelta(days=days)), last)
        if window is None:
            return []
        job = Job(source=source, received=received, tally=tally, certify=False, alarm=False)
        for request, _step in enumerate(self._windows.read(job, window)):
            if request % PROGRESS_EVERY == 0:
                progress(_progress(window, tally))
        return job.unproved

    def _unfinished(self, source: AccountSource, tally: Tally) -> None:
        """Every delivery not yet final by id; one that the source does not have becomes not visible."""
        with self._database.read() as connection:
            ids = _unfinished_ids(connection, source.name)
        for start in range(0, len(ids), source.page_size):
            chunk = ids[start : start + source.page_size]
            self._recorder.confirm(source, chunk, proof={"kind": "sweep"}, tally=tally, alarm=False)

    def _open_orders(self, source: AccountSource, tally: Tally) -> list[str]:
        with self._database.read() as connection:
            numbers = _open_numbers(connection, source.name)
        readings = [self._order_reader.read_number(source, number, tally, alarm=False) for number in numbers]
        return [reading.reason for reading in readings if not reading.proved]


def _progress(window: Window, tally: Tally) -> Progress:
    # A sweep states nothing about coverage, so how far it came is told in requests and rows.
    return Progress(done_seconds=0, all_seconds=window.seconds, requests=tally.requests, rows=tally.rows)


def _unfinished_ids(connection: sa.Connection, account: str) -> list[int]:
    statement = (
        sa.select(deliveries.c.id)
        .where(deliveries.c.account == account, deliveries.c.visible, deliveries.c.status.not_in(FINAL))
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
