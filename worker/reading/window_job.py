"""A job of reading windows of one account: how its pages are asked for and kept, and what is stated about coverage."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from connectors.logistic_cloud import DeliveryQuery
from worker.clock import Clock
from worker.db import Database
from worker.reading import accounts, coverage
from worker.reading.account_source import AccountSource
from worker.reading.accounts import Accounts
from worker.reading.certificates import PageShape, Proved
from worker.reading.coverage import Proof
from worker.reading.pace import Pace
from worker.reading.read_page import Gathered, ReadPage
from worker.reading.recorder import Recorder, Tally, Then, nothing_else, proof_of
from worker.reading.spans import Span, Window, instant_of
from worker.states import CoverageState

# A hole is tried again after this long, in seconds; then twice as long each time, up to an hour.
FIRST_RETRY_SECONDS = 30.0
MAX_RETRY_SECONDS = 3600.0
MAX_DOUBLINGS = 20
# Pages that share a transaction at most: some thousand rows, a fraction of a second for whoever waits to write.
MAX_GATHERED = 10


@dataclass(slots=True, kw_only=True)
class Job:
    """Windows of one account under reading. `received` is a server time received before the first request.

    Without `certify` rows are recorded and nothing is stated about coverage (guard band, sweep).
    """

    source: AccountSource
    received: datetime
    tally: Tally
    certify: bool = True
    alarm: bool = True
    # Why windows could not be proved.
    unproved: list[str] = field(default_factory=list)
    # What its passes taught about how long the next ones may be.
    pace: Pace = field(default_factory=Pace)
    # Pages of the window under reading that are to be recorded together.
    gathered: list[Gathered] = field(default_factory=list)
    # When the lag had last been raised as the reading began. Raised since, what was read proves nothing more: the time
    # that the reading goes by, or the lag, was wrong.
    lag_raised_at: datetime | None = None
    overtaken: bool = False
    # Requests that no certificate or hole accounts for yet: those of earlier tallies, and where this one began.
    _carried: int = field(default=0, init=False)
    _charged: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._charged = self.tally.requests

    def charge(self) -> int:
        """Requests since the last certificate or hole."""
        spent = self._carried + self.tally.requests - self._charged
        self._carried, self._charged = 0, self.tally.requests
        return spent

    def passes(self, window: Window, shape: PageShape) -> bool:
        """Whether a window whose first answer looks like this is read with a pass: it may hold, or can't be cut."""
        return (
            shape.full and shape.total is not None and (window.seconds == 1 or self.pace.suits(shape.total, shape.size))
        )

    def go_on(self, tally: Tally) -> None:
        """Count on in another tally."""
        self._carried += self.tally.requests - self._charged
        self.tally, self._charged = tally, tally.requests


def query_for(window: Window) -> DeliveryQuery:
    """What is asked for a window: a second more at both ends, so that neither inclusiveness nor fractions matter."""
    return DeliveryQuery(updated_min=instant_of(window.since - 1), updated_max=instant_of(window.until + 1))


class WindowDesk:
    """Keeps the pages of a job and states what they prove."""

    def __init__(
        self,
        *,
        database: Database,
        recorder: Recorder,
        accounts: Accounts,
        clock: Clock,
        first_retry_seconds: float = FIRST_RETRY_SECONDS,
    ) -> None:
        self._database = database
        self._recorder = recorder
        self._accounts = accounts
        self._clock = clock
        self._first_retry_seconds = first_retry_seconds

    def begin(self, job: Job) -> None:
        """Note what the reading goes by."""
        with self._database.read() as connection:
            job.lag_raised_at = accounts.find(connection, job.source.name).lag_raised_at
        job.overtaken = False

    def keep(
        self,
        job: Job,
        window: Window,
        page: ReadPage,
        kind: str,
        proved: Proved | None = None,
        *,
        more: bool = False,
    ) -> None:
        """Record a page of a window; where it completes the proof, with the certificate in the same transaction.

        Where there is `more` of the window already, a few pages share a transaction.
        """
        job.gathered.append(Gathered(page, proof_of(kind if proved is None else proved.kind, window, page)))
        if more and len(job.gathered) < MAX_GATHERED:
            return
        self.keep_gathered(job, nothing_else if proved is None else self._certificate(job, window, proved))

    def keep_gathered(self, job: Job, then: Then = nothing_else) -> None:
        """Record the pages that wait for others of their window."""
        gathered, job.gathered = job.gathered, []
        self._recorder.record_all(job.source, gathered, tally=job.tally, then=then, alarm=job.alarm)

    def _certificate(self, job: Job, window: Window, proved: Proved) -> Then:
        def certify(connection: sa.Connection) -> None:
            if job.certify and self._closed(connection, job, window):
                proof = Proof(kind=proved.kind, rows=proved.rows, requests=job.charge())
                coverage.certify(connection, job.source.name, window, proof)

        return certify

    def _closed(self, connection: sa.Connection, job: Job, window: Window) -> bool:
        """Whether the window was closed when its reading began, by a time, lag and key that are still in force."""
        account = accounts.find(connection, job.source.name)
        job.overtaken = account.lag_raised_at != job.lag_raised_at or not account.is_read_with(
            job.source.key_fingerprint
        )
        return not job.overtaken and window.until <= account.closed_end(job.received) - 1

    def hole(self, job: Job, window: Window, reason: str) -> None:
        """State that this round could not prove the window."""
        job.unproved.append(reason)
        if not job.certify:
            return
        job.charge()
        now = self._clock.now()
        with self._database.write() as connection:
            accounts.lock(connection, job.source.name)
            around = Window(window.since - 1, window.until + 1)
            known = coverage.spans_within(connection, job.source.name, around)
            holes = [span for span in known if span.state is CoverageState.HOLE]
            tries, retry_at = self._retry(holes, window, now)
            coverage.mark_hole(connection, job.source.name, window, reason=reason, tries=tries, retry_at=retry_at)
            if not holes:
                self._accounts.tell_hole(connection, job.source.name, window, reason, now)

    def _retry(self, holes: Sequence[Span], window: Window, now: datetime) -> tuple[int, datetime]:
        """Which round this was, and when the next is due. A hole beside another is tried again together with it."""
        inside = [span.tries for span in holes if span.window.overlap(window) is not None]
        beside = [span for span in holes if span.window.overlap(window) is None]
        tries = 1 + max(inside) if inside else max((span.tries for span in beside), default=1)
        due = [span.retry_at for span in beside if span.tries == tries and span.retry_at is not None]
        wait = min(MAX_RETRY_SECONDS, self._first_retry_seconds * 2.0 ** min(tries - 1, MAX_DOUBLINGS))
        return tries, max([moment for moment in due if moment > now], default=now + timedelta(seconds=wait))
