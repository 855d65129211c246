"""Customer orders: from the settings of barmate to what is read there, and to the gates of orders."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property

import structlog

from connectors.barmate import Barmate
from settings import BarmateSettings
from worker.app.clients import Clients
from worker.budget import Lane
from worker.checkpoints import Checkpoint
from worker.clock import Clock
from worker.customers import linking, upkeep
from worker.customers.feed import Feed, FeedReport
from worker.customers.fresh import FreshReader
from worker.customers.gates import Gates
from worker.customers.linking import LinkBy
from worker.customers.list_plan import PageSize
from worker.customers.list_recording import ListRecorder
from worker.customers.pace import Pace
from worker.customers.recording import OrderRecorder
from worker.customers.rereading import Reader, Rereading
from worker.customers.source import BarmateSource
from worker.customers.walk import Walk
from worker.db import Database
from worker.doctor.barmate import BarmateCase
from worker.event_log import EventLog
from worker.events import OrderKey
from worker.explain.customers import CustomerSide
from worker.orders import terms
from worker.orders.completion import FindGates, no_gates
from worker.reading.accounts import fingerprint_of
from worker.runtime.jobs import Result
from worker.runtime.stopping import Stop

_log = structlog.get_logger(__name__)

# Seconds of one run of re-reading: then the scheduler asks again whether this process leads.
_RUN_SECONDS = 30.0
# What is read just before sending is 10 s old at most (DESIGN §6.4): the rest is for the last answer and the commit.
_READ_SECONDS = 8.5


class Customers:
    """The side of barmate in one process; does nothing where barmate is not used."""

    def __init__(
        self,
        *,
        settings: BarmateSettings,
        clients: Clients,
        database: Database,
        event_log: EventLog,
        clock: Clock,
        checkpoint: Checkpoint,
        stop: Stop,
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._database = database
        self._event_log = event_log
        self._clock = clock
        self._checkpoint = checkpoint
        self._stop = stop
        self._wake = wake
        self._report: FeedReport | None = None
        self._page_size = PageSize()

    @property
    def host(self) -> str | None:
        """The account's name; None where barmate is not used."""
        return self._settings.host if self._settings.in_use else None

    @property
    def poll_seconds(self) -> float:
        """Seconds between two polls."""
        return self._settings.poll_seconds

    @property
    def side(self) -> CustomerSide | None:
        """What an explanation is told about; None where barmate is not used."""
        host = self.host
        return None if host is None else CustomerSide(host, self.gates)

    @property
    def examined(self) -> BarmateCase | None:
        """What the doctor looks at; None where barmate is not used."""
        host, connector = self.host, self.connector()
        return None if host is None or connector is None else BarmateCase(host=host, connector=connector)

    def connector(self, lane: Lane = Lane.POLL) -> Barmate | None:
        """The account as the callers of that lane see it; None where barmate is not used."""
        return self._clients.barmate(self._settings, lane)

    def source(self, lane: Lane = Lane.POLL) -> BarmateSource | None:
        """The account and what was decided about it; None where barmate is not used."""
        connector, host, token = self.connector(lane), self.host, self._settings.token
        if connector is None or host is None or token is None:
            return None
        return BarmateSource(
            host=host,
            client=connector,
            token_fingerprint=fingerprint_of(token.get_secret_value()),
            link_by=LinkBy(self._settings.link_by.value),
            store_personal_data=self._settings.store_personal_data,
        )

    @cached_property
    def feed(self) -> Feed | None:
        """What reads the account; None where barmate is not used."""
        source, later = self.source(), self.source(Lane.BACKGROUND)
        if source is None or later is None:
            return None
        walk = Walk(source=source, recorder=self._list_recorder(source), stopping=lambda: self._stop.requested)
        reader = self._reader(later)
        rereading = Rereading(
            source=later,
            reader=reader,
            database=self._database,
            clock=self._clock,
            unread_seconds=self._settings.poll_seconds,
            stopping=lambda: self._stop.requested,
        )
        return Feed(
            source=source,
            walk=walk,
            rereading=rereading,
            reader=reader,
            database=self._database,
            event_log=self._event_log,
            clock=self._clock,
        )

    @property
    def gates(self) -> FindGates:
        """What customer orders mean for orders."""
        found = self._gates
        return no_gates if found is None else found

    def read_for(self, key: OrderKey) -> None:
        """Read the customer orders that an order waits for, before it is called complete. Raises ConnectorError."""
        wanted = self._wanted(key)
        if wanted and self._urgent is not None:
            self._fresh(self._urgent, seconds=math.inf).read(wanted)

    @contextmanager
    def begin_reading(self, key: OrderKey) -> Iterator[Callable[[], None]]:
        """Read the same before sending, while the block goes on; what it gives waits for it, and reads what came new.

        Raises ConnectorError and NotFresh, here and there.
        """
        if self._sending is None:
            yield _nothing_to_read
            return
        with self._fresh(self._sending, seconds=_READ_SECONDS).begun(self._wanted(key)) as begun:
            yield lambda: begun.finish(self._wanted(key))

    def _wanted(self, key: OrderKey) -> tuple[str, ...]:
        if self._gates is None:
            return ()
        with self._database.read() as connection:
            return self._gates.wanted(connection, key)

    def read(self, order_id: str) -> None:
        """Read one customer order, before something is said about it. Raises ConnectorError."""
        if self._urgent is not None:
            self._reader(self._urgent).read(order_id)

    def prepare(self) -> None:
        """At the start: what the settings decide differently than before is applied; nothing is written otherwise."""
        if self._settings.in_use:
            linking.prepare(self._database, LinkBy(self._settings.link_by.value))
            # Made before there are threads that could each make their own.
            _ = self.feed, self._urgent, self._sending
        with self._database.read() as connection:
            changed = terms.in_force(connection) != self._terms
            people = (
                self._settings.in_use and not self._settings.store_personal_data and upkeep.knows_people(connection)
            )
        if changed or people:
            self._apply(people=people)

    def _apply(self, *, people: bool) -> None:
        with self._database.write() as connection:
            looks = terms.apply(connection, self._terms, self._database.now(connection))
            forgotten = upkeep.forget_people(connection) if people else 0
        _log.info("what barmate's settings say is applied", orders_to_look_at=looks, people_forgotten=forgotten)

    def tick_poll(self) -> None:
        """The schedule's poll."""
        if self.feed is not None:
            self._told(self.feed.poll())

    def tick_read(self) -> None:
        """The schedule's re-reading."""
        if self.feed is not None:
            self._told(self.feed.reread(_RUN_SECONDS))

    def poll(self) -> Result:
        """Poll once, now, and read what that found; a job by hand."""
        return self._now(to_end=False)

    def sweep(self) -> Result:
        """Walk through the whole list, past known ground, and read what that found; the night's job."""
        return self._now(to_end=True)

    def caught_up(self) -> bool:
        """Whether everything was read once since this process began."""
        return self.feed is None or self.feed.caught_up()

    def trouble(self) -> str | None:
        """A sentence about why barmate cannot be read at present."""
        return None if self._report is None else self._report.trouble

    def refusal(self) -> str | None:
        """A sentence about why barmate refuses us: waiting does not help."""
        return None if self._report is None else self._report.stopped

    def _now(self, *, to_end: bool) -> Result:
        if self.feed is None:
            return {}
        walked = self.feed.poll(force=True, to_end=to_end)
        self._told(walked)
        if walked.trouble is not None:
            return asdict(walked)
        read = self.feed.reread(_RUN_SECONDS)
        self._told(read)
        return asdict(replace(read, requests=walked.requests + read.requests, news=walked.news + read.news))

    def _told(self, report: FeedReport) -> None:
        before = None if self._report is None else self._report.trouble
        self._report = report
        if report.trouble is not None and report.trouble != before:
            _log.warning("barmate cannot be read", account=report.host, error=report.trouble)
        if report.trouble is None and before is not None:
            _log.info("barmate can be read again", account=report.host)
        if report.news:
            self._wake()

    @property
    def _terms(self) -> str:
        if not self._settings.in_use:
            return ""
        return f"{self.host} {self._settings.link_by.value} receipt={self._settings.require_receipt}"

    @cached_property
    def _gates(self) -> Gates | None:
        host = self.host
        if host is None:
            return None
        link_by = LinkBy(self._settings.link_by.value)
        return Gates(host=host, link_by=link_by, require_receipt=self._settings.require_receipt)

    @cached_property
    def _urgent(self) -> BarmateSource | None:
        """What completion and responses ask."""
        return self.source(Lane.FIRING)

    @cached_property
    def _sending(self) -> BarmateSource | None:
        """What is asked just before a credit delivery is sent."""
        return self.source(Lane.SENDING)

    def _fresh(self, source: BarmateSource, *, seconds: float) -> FreshReader:
        return FreshReader(
            source=source,
            reader=self._reader(source),
            lister=self._list_recorder(source),
            database=self._database,
            clock=self._clock,
            pace=Pace(seconds=seconds, turn_seconds=self._clients.barmate_turn_seconds),
            page_size=self._page_size,
        )

    def _reader(self, source: BarmateSource) -> Reader:
        recorder = OrderRecorder(
            source=source, database=self._database, event_log=self._event_log, checkpoint=self._checkpoint
        )
        return Reader(source=source, recorder=recorder, database=self._database)

    def _list_recorder(self, source: BarmateSource) -> ListRecorder:
        return ListRecorder(
            source=source, database=self._database, event_log=self._event_log, checkpoint=self._checkpoint
        )


def _nothing_to_read() -> None:
    """Without barmate no delivery has a customer order."""
