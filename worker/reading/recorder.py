"""The recorder: takes pages into the store, one transaction each, and asks by id for what looks suspicious.

A row whose second was certified before the row was seen means that the lag is too short: whoever reads it, it is told,
the lag grows and coverage reopens (DESIGN §4). No request is made inside a transaction.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from connectors.logistic_cloud import DeliveryQuery
from worker.checkpoints import Checkpoint
from worker.clock import Clock, instant_text
from worker.db import Database
from worker.reading import accounts, coverage
from worker.reading.account_source import AccountSource
from worker.reading.accounts import Accounts
from worker.reading.first_pages import FirstPages
from worker.reading.normalizer import DeliveryRecord, SetAside, normalize
from worker.reading.observations import Circumstances, News, Observations, Observed, Recorded
from worker.reading.read_page import Gathered, ReadPage
from worker.reading.spans import Window, instant_of, second_of

# Up to this many ids are asked for one by one; more are asked for in lists.
_SINGLY = 3

# What else belongs into the transaction that records a page: a certificate, the server's time.
Then = Callable[[sa.Connection], None]


def nothing_else(connection: sa.Connection) -> None:
    """Only the page."""
    del connection


@dataclass(slots=True)
class Tally:
    """What a reading did so far: requests made, rows read, and what was found in them."""

    requests: int = 0
    rows: int = 0
    appeared: int = 0
    changed: int = 0
    returned: int = 0
    vanished: int = 0
    set_aside: int = 0
    # Deliveries that appeared or changed although their second was certified before.
    late: list[News] = field(default_factory=list)
    # Ids of all deliveries that appeared or changed, where somebody wants them.
    news: list[News] | None = None

    def add(self, recorded: Recorded) -> None:
        """Count what recording a page found."""
        self.appeared += len(recorded.appeared)
        self.changed += len(recorded.changed)
        self.returned += len(recorded.returned)
        self.set_aside += recorded.set_aside
        if self.news is not None:
            self.news.extend(recorded.news)


@dataclass(frozen=True, slots=True)
class ById:
    """What asking by id found: records with their turns, and ids that the source does not have (id → turn).

    Not `complete` where an answer came from a cache: what it says may have been overtaken.
    """

    found: tuple[Observed, ...]
    missing: Mapping[int, int]
    server_time: datetime | None
    complete: bool = True


class Recorder:
    """Records what is read of any account."""

    def __init__(
        self,
        *,
        database: Database,
        observations: Observations,
        first_pages: FirstPages,
        accounts: Accounts,
        clock: Clock,
        checkpoint: Checkpoint,
    ) -> None:
        self._database = database
        self._observations = observations
        self._first_pages = first_pages
        self._accounts = accounts
        self._clock = clock
        self._checkpoint = checkpoint

    def record(
        self,
        source: AccountSource,
        page: ReadPage,
        *,
        proof: Mapping[str, object],
        tally: Tally,
        then: Then = nothing_else,
        alarm: bool = True,
    ) -> None:
        """Keep a page, and do `then` in the transaction that completes it. Without `alarm` late rows are only counted.

        Rows with a stamp older than the held one are asked for by id first, at the cost of some requests.
        """
        self.record_all(source, [Gathered(page, proof)], tally=tally, then=then, alarm=alarm)

    def record_all(
        self,
        source: AccountSource,
        gathered: Sequence[Gathered],
        *,
        tally: Tally,
        then: Then = nothing_else,
        alarm: bool = True,
    ) -> None:
        """Keep pages that were read one after the other in one transaction, as `record` keeps one."""
        if not gathered:
            return
        self._checkpoint("poller: page read")
        tally.requests += len(gathered)
        tally.rows += sum(page.shape.rows for page, _ in gathered)
        last, proof = gathered[-1]
        circumstances = self._circumstances(source, last.server_time, proof, confirmed=False)
        with self._database.write() as connection:
            left = self._keep_first(connection, gathered, circumstances, tally)
            observed = [Observed(record, page.turn, proof) for page, proof in left for record in page.records]
            recorded = self._keep(connection, observed, circumstances, tally, alarm=alarm) if left else Recorded()
            if not recorded.suspicious:
                then(connection)
        if recorded.suspicious:
            self.confirm(source, recorded.suspicious, proof=proof, tally=tally, then=then, alarm=alarm)
        self._checkpoint("poller: page recorded")

    def confirm(
        self,
        source: AccountSource,
        ids: Sequence[int],
        *,
        proof: Mapping[str, object],
        tally: Tally,
        then: Then = nothing_else,
        alarm: bool = True,
    ) -> ById:
        """Read deliveries by id and take them as they are; what the source does not have becomes not visible.

        `then` is left out where not every id could be asked for: nothing may be certified over a doubt.
        """
        answers = self._by_id(source, ids, tally)
        circumstances = self._circumstances(source, answers.server_time, {**proof, "by_id": True}, confirmed=True)
        with self._database.write() as connection:
            self._keep(connection, answers.found, circumstances, tally, alarm=alarm)
            tally.vanished += len(self._observations.vanish(connection, answers.missing, circumstances))
            if answers.complete:
                then(connection)
        return answers

    def _keep_first(
        self, connection: sa.Connection, gathered: Sequence[Gathered], circumstances: Circumstances, tally: Tally
    ) -> Sequence[Gathered]:
        """Keep the pages on which all is new, unless somebody has to be told of one of them; the others."""
        account = circumstances.account
        seconds = [second for page, _ in gathered if page.prepared is not None for second in page.seconds]
        if not seconds or tally.news is not None:
            return gathered
        # Whoever certifies holds the lock as well: what is certified is looked up behind it.
        accounts.lock(connection, account)
        if coverage.certified_spans(connection, account, Window(min(seconds), max(seconds))):
            return gathered
        left = self._first_pages.record(connection, gathered, account, circumstances.now)
        tally.appeared += sum(page.shape.rows for page, _ in gathered) - sum(page.shape.rows for page, _ in left)
        return left

    def _keep(
        self,
        connection: sa.Connection,
        observed: Sequence[Observed],
        circumstances: Circumstances,
        tally: Tally,
        *,
        alarm: bool,
    ) -> Recorded:
        recorded = self._observations.record(connection, observed, circumstances)
        tally.add(recorded)
        late = _late(connection, circumstances.account, recorded.news)
        tally.late.extend(late)
        if late and alarm:
            self._raise_lag(connection, late[0], circumstances)
        return recorded

    def _raise_lag(self, connection: sa.Connection, first: News, circumstances: Circumstances) -> None:
        why = (
            f"Delivery {first.id} was first seen with the stamp {first.updated_at:%Y-%m-%dT%H:%M:%SZ} "
            "although that second had been read completely."
        )
        self._accounts.raise_lag(
            connection,
            circumstances.account,
            server_time=circumstances.server_time,
            now=circumstances.now,
            why=why,
        )

    def _circumstances(
        self, source: AccountSource, server_time: datetime | None, proof: Mapping[str, object], *, confirmed: bool
    ) -> Circumstances:
        now = self._clock.now()
        return Circumstances(
            account=source.name,
            server_time=now if server_time is None else server_time,
            now=now,
            proof=proof,
            confirmed=confirmed,
        )

    def _by_id(self, source: AccountSource, ids: Sequence[int], tally: Tally) -> ById:
        listed = {} if len(ids) <= _SINGLY else dict(self._listed(source, ids, tally))
        found = list(listed.values())
        missing: dict[int, int] = {}
        server_time, complete = None, True
        for delivery_id in [key for key in ids if key not in listed]:
            answer = source.client.get_delivery(delivery_id)
            tally.requests += 1
            server_time = answer.server_time
            if answer.age > 0:
                complete = False
            elif answer.record is None:
                missing[delivery_id] = answer.turn
            else:
                found.append(Observed(normalize(answer.record), answer.turn))
        return ById(tuple(found), missing, server_time, complete)

    def _listed(self, source: AccountSource, ids: Sequence[int], tally: Tally) -> Iterator[tuple[int, Observed]]:
        for start in range(0, len(ids), source.page_size):
            chunk = ids[start : start + source.page_size]
            page = source.page(DeliveryQuery(ids=tuple(chunk)), 0)
            tally.requests += 1
            if page.shape.age == 0:
                yield from _wanted(page, frozenset(chunk))


def _wanted(page: ReadPage, ids: frozenset[int]) -> Iterator[tuple[int, Observed]]:
    for record in page.records:
        key = _delivery_id(record)
        if key is not None and key in ids:
            yield key, Observed(record, page.turn)


def _delivery_id(record: DeliveryRecord | SetAside) -> int | None:
    return record.id if isinstance(record, DeliveryRecord) else record.delivery_id


def _late(connection: sa.Connection, account: str, news: Iterable[News]) -> list[News]:
    fresh = [item for item in news if item.fresh]
    if not fresh:
        return []
    stamps = [item.updated_at for item in fresh]
    seen = Window(second_of(min(stamps)), second_of(max(stamps)))
    certified = [span.window for span in coverage.certified_spans(connection, account, seen)]
    return [item for item in fresh if any(_within(item.updated_at, window) for window in certified)]


def _within(moment: datetime, window: Window) -> bool:
    return window.since <= second_of(moment) <= window.until


def proof_of(kind: str, window: Window | None, page: ReadPage) -> dict[str, object]:
    """What an event says about the reading it came from: kind, window, turn and the server's time."""
    return {
        "kind": kind,
        "since": None if window is None else instant_text(instant_of(window.since)),
        "until": None if window is None else instant_text(instant_of(window.until)),
        "turn": page.turn,
        "server_time": None if page.server_time is None else instant_text(page.server_time),
    }
