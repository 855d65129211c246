"""What tests of responses share: barmate in process, its e-mails counted, deliveries held, and the service on both."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa

from connectors.barmate_outcomes import Denied, NotFound, NotSent, Outcome, Refused, Taken, Unknown
from connectors.simulated import barmate as twin
from connectors.simulated.barmate_rules import RefusedError
from connectors.simulated.switches import PostFault
from tests.clocks import NOON
from tests.customer_kit import ACCOUNT, CUSTOMER, HOST, Bench, Line
from worker.customers.linking import LinkBy
from worker.db import Database
from worker.db.tables import accounts, coverage, deliveries
from worker.responding import reply_rows, situations
from worker.responding.decision import Situation, Verdict, decide
from worker.responding.reply_rows import Reply
from worker.responding.service import Responding
from worker.responding.terms import Terms
from worker.states import CoverageState
from worker.work import Later

ZONE = ZoneInfo("Europe/Zurich")
QUIET = 600.0
SETTLE = 300.0
# Rounds after which everything must have come to rest: a few settle times, quiet times and pauses.
ROUNDS = 80

DENIED = "denied"
NOT_SENT = "not_sent"


# What comes of a response that never got to barmate.
_LOST_BEFORE: Mapping[str, Outcome] = {
    PostFault.DROP_BEFORE_COMMIT: Unknown(sentence="no answer"),
    PostFault.REFUSE_BEFORE_COMMIT: Unknown(sentence="no answer"),
    PostFault.HANG_BEFORE_COMMIT: Unknown(sentence="no answer"),
    PostFault.THROTTLE_BEFORE_COMMIT: Unknown(sentence="too many requests", status=429),
    PostFault.FOREIGN_404: Unknown(sentence="a page of a proxy", status=404),
}


@dataclass(slots=True)
class Post:
    """The twin's POST without HTTP: faults by script, late commits when the clock gets there."""

    line: Line
    script: list[str] = field(default_factory=list)
    late: list[tuple[float, str, bytes]] = field(default_factory=list)
    posts: list[tuple[str, bytes]] = field(default_factory=list)
    # How much later than its request a late commit happens.
    late_seconds: float = 5.0
    # What happens while the next response waits for its turn.
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def respond(
        self, order_id: str, body: bytes, *, deadline_seconds: float, before_connect: Callable[[], None]
    ) -> Outcome:
        """As the connector does it."""
        del deadline_seconds
        self.line.clock.advance(self.line.seconds)
        if self.meanwhile:
            self.meanwhile.pop(0)()
        before_connect()
        fault = self.script.pop(0) if self.script else PostFault.NONE
        if fault == NOT_SENT:
            return NotSent(sentence="no connection")
        self.posts.append((order_id, body))
        return self._answer(fault, order_id, body)

    def land(self) -> None:
        """Let late commits happen whose time has come."""
        now = self.line.clock.monotonic()
        for entry in [entry for entry in self.late if entry[0] <= now]:
            self.late.remove(entry)
            self._commit(entry[1], entry[2])

    def _answer(self, fault: str, order_id: str, body: bytes) -> Outcome:
        if fault == DENIED:
            return Denied(status=401, sentence="the token is not accepted")
        if fault in _LOST_BEFORE:
            return _LOST_BEFORE[fault]
        if fault == PostFault.COMMIT_LATE:
            self.late.append((self.line.clock.monotonic() + self.late_seconds, order_id, body))
            return Unknown(sentence="no answer")
        outcome = self._commit(order_id, body)
        if fault in {PostFault.COMMIT_THEN_DROP, PostFault.COMMIT_THEN_500, PostFault.COMMIT_THEN_HANG}:
            return Unknown(sentence="no answer")
        return self._commit(order_id, body) if fault == PostFault.GATEWAY_TWICE else outcome

    def _commit(self, order_id: str, body: bytes) -> Outcome:
        try:
            self.line.barmate.respond(order_id, orjson.loads(body), request_number=len(self.posts))
        except RefusedError as error:
            return Refused(status=400, sentence=f"barmate: {error}")
        except twin.UnknownDeliveryError:
            return NotFound(sentence="no such delivery")
        return Taken(status=200)


class Desk(Bench):
    """A supplier's desk: customer orders, the deliveries for them, and what is said."""

    def __init__(self, file: Path, folder: Path, **options: Any) -> None:  # noqa: ANN401 - as in Bench
        self.terms = Terms(
            host=HOST,
            link_by=LinkBy.NUMBER_EXTERNAL,
            respond=options.pop("respond", True),
            respond_reject=options.pop("respond_reject", True),
            quiet=timedelta(seconds=QUIET),
            settle=timedelta(seconds=SETTLE),
            resend_after_absence=options.pop("resend", False),
            zone=ZONE,
            accounts=(ACCOUNT,),
        )
        super().__init__(file, folder, **options)
        self.post = Post(self.line)
        self._cover()

    # -- the world ---------------------------------------------------------------------------------------------

    def ask(self, **changes: Any) -> str:  # noqa: ANN401 - fields of the record
        """Let a customer ask for something, on 4 March."""
        (key,) = self.place(**changes)
        record = self.twin.get(key)
        self.twin.rewrite(key, {"request": {**record["request"], "scheduled": {"date": "2026-03-04"}}})
        self.settle()
        return key

    def ship(self, key: str, number: int = 1, *, status: str = "approved", date: str = "2026-03-04") -> None:
        """Hold a delivery for that customer order."""
        raw = orjson.dumps({"date": f"{date}T09:30:00Z"}).decode()
        now = self.clock.now()
        self.deliver(number, number_external=key, status=status, raw=raw, changed_at=now, first_seen_at=now)

    def alter(self, which: int = 1, **changes: object) -> None:
        """See a delivery changed."""
        if "date" in changes:
            changes["raw"] = orjson.dumps({"date": f"{changes.pop('date')}T09:30:00Z"}).decode()
        if "line_items" in changes:
            changes["raw"] = orjson.dumps({"lineItems": changes.pop("line_items")}).decode()
        statement = sa.update(deliveries).where(deliveries.c.id == which)
        with self.database.write() as connection:
            connection.execute(statement.values(changed_at=self.clock.now(), **changes))

    def _cover(self) -> None:
        start = int((NOON - timedelta(days=1)).timestamp())
        account = {"name": ACCOUNT, "start": start, "key_fingerprint": "k", "lag_seconds": 60.0}
        span = {"account": ACCOUNT, "since": start, "until": start + 10**8, "state": CoverageState.CERTIFIED}
        with self.database.write() as connection:
            connection.execute(sa.insert(accounts).values(account))
            connection.execute(sa.insert(coverage).values(**span, proof="pass", rows=0, requests=0, tries=0))

    # -- what we do --------------------------------------------------------------------------------------------

    @property
    def service(self) -> Responding:
        """A process of its own: nothing is kept between two of them."""
        return self.service_on(self.database)

    def service_on(self, database: Database) -> Responding:
        """A process with its own way to the database."""
        return Responding(
            database=database,
            terms=self.terms,
            responses=self.post,
            read_order=self.now.reader.read,
            read_deliveries=lambda _account, _ids: None,
            owner="desk",
            checkpoint=self._pass,
        )

    def go(self, key: str, rounds: int = ROUNDS) -> list[Later]:
        """Take the order as far as it gets, waiting as told; what was waited for."""
        waited: list[Later] = []
        for _ in range(rounds):
            self.post.land()
            outcome = self.service.advance(key)
            if not isinstance(outcome, Later):
                break
            waited.append(outcome)
            left = (outcome.until - self.clock.now()).total_seconds()
            self.clock.advance(max(0.0, left))
        self.post.land()
        return waited

    def rest(self) -> None:
        """Let much more than a quiet time pass."""
        self.clock.advance(10 * QUIET)

    def with_terms(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of Terms
        """Other settings from now on."""
        self.terms = replace(self.terms, **changes)

    # -- what came of it ---------------------------------------------------------------------------------------

    def said(self, key: str) -> list[tuple[str, str | None, str | None]]:
        """What barmate has of us: type, reference and day, in order."""
        responses = self.twin.get(key)["responses"]
        return [(one["type"], one.get("reference"), one.get("scheduled", {}).get("date")) for one in responses]

    def emails(self, key: str) -> int:
        """How many e-mails the customer got."""
        count: int = self.twin.truth()["emails_by_delivery"].get(key, 0)
        return count

    def replies(self, key: str) -> list[Reply]:
        """Our rows about the order."""
        with self.database.read() as connection:
            return reply_rows.of_orders(connection, HOST, [key])[key]

    def states(self, key: str) -> list[str]:
        """Their states."""
        return [reply.state.value for reply in self.replies(key)]

    def situation(self, key: str) -> Situation:
        """How it stands."""
        with self.database.read() as connection:
            return situations.load(connection, self.terms, key)

    def verdict(self, key: str) -> Verdict:
        """What would be said now."""
        return decide(self.situation(key), self.clock.now(), quiet=self.terms.quiet)


@contextmanager
def desk(file: Path, folder: Path, **options: Any) -> Iterator[Desk]:  # noqa: ANN401 - as in Desk
    """A desk that is cleared afterwards."""
    made = Desk(file, folder, **options)
    try:
        yield made
    finally:
        made.database.close()


__all__ = ["CUSTOMER", "DENIED", "HOST", "NOT_SENT", "QUIET", "SETTLE", "Desk", "Post", "desk"]
