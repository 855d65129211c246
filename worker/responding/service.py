"""The service of responses: read, commit, send once, record, look up. Killed anywhere, it says nothing twice.

A request that may have taken effect is looked for in the customer order, and believed to be absent only after the
settle time and several readings. Even then only a REJECT is repeated by itself, which can take effect only once; the
rest is not unless the operator said so: a late one and its repetition would be two e-mails to a customer (DESIGN §7;
`docs/barmate.md`).
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from connectors.barmate_outcomes import Denied, NotFound, NotSent, Outcome, Refused, Taken, Unknown
from connectors.barmate_records import ResponseType
from connectors.errors import ConnectorError
from connectors.verdict import NOT_FOUND
from worker import work
from worker.checkpoints import Checkpoint
from worker.db import Database
from worker.responding import reply_rows, situations
from worker.responding.decision import Say, Situation, Verdict, Wait, decide
from worker.responding.doubt import Ended, LookAgain, Shown, judge
from worker.responding.moves import Moves, Overtaken
from worker.responding.reply_rows import Reply
from worker.responding.terms import DENIED_SECONDS, SEND_SECONDS, Terms
from worker.states import ResponseState
from worker.work import Done, Later

_log = structlog.get_logger(__name__)

LOOKED = "responding: looked"
FROZEN = "responding: frozen"
LEAVING = "responding: leaving"
SENT = "responding: sent"
RECORDED = "responding: recorded"

# Seconds until a response that could not be sent at all is tried again.
_UNSENT_SECONDS = 30.0


class Responses(Protocol):
    """What is needed of `connectors.barmate.Barmate` to say something."""

    def respond(
        self, order_id: str, body: bytes, *, deadline_seconds: float, before_connect: Callable[[], None]
    ) -> Outcome:
        """Send exactly these bytes at most once; what `before_connect` raises passes through."""
        ...


# Reads a customer order by its id, and takes it as it stands. Raises ConnectorError.
ReadOrder = Callable[[str], object]
# Reads deliveries of an account by their ids, and takes them as they stand. Raises ConnectorError.
ReadDeliveries = Callable[[str, Sequence[int]], object]


class Responding:
    """Says what is to be said about one customer order at a time. Raises the connector's errors, and LostClaim."""

    def __init__(
        self,
        *,
        database: Database,
        terms: Terms,
        responses: Responses,
        read_order: ReadOrder,
        read_deliveries: ReadDeliveries,
        owner: str,
        checkpoint: Checkpoint,
    ) -> None:
        self._database = database
        self._terms = terms
        self._responses = responses
        self._read_order = read_order
        self._read_deliveries = read_deliveries
        self._checkpoint = checkpoint
        self._moves = Moves(database=database, terms=terms, owner=owner)

    def advance(self, order_id: str) -> work.Outcome:
        """Take the customer order as far as it can go now."""
        situation, now = self._load(order_id)
        reply = situation.open
        if reply is None or reply.state is ResponseState.WANTED:
            return self._say(situation, now)
        if reply.state is ResponseState.NEEDS_PERSON:
            return self._judge(situation, reply, now)
        return self._look_up(reply, now)

    # -- something to be said ----------------------------------------------------------------------------------

    def _say(self, situation: Situation, now: datetime) -> work.Outcome:
        """What is held decides whether it is worth a reading; the reading decides."""
        if _came_late(situation) and situation.open is not None:
            return self._found(situation.open, now)
        verdict = self._verdict(situation, now)
        if not self._may(verdict):
            return self._silent(situation, verdict, now)
        pause = self._pause()
        if pause is not None and now < pause:
            return Later(until=pause, reason="barmate did not accept the credential", counted=False)
        self._read(situation, verdict)
        situation, now = self._load(situation.order_id)
        return self._say_after_reading(situation, now)

    def _say_after_reading(self, situation: Situation, now: datetime) -> work.Outcome:
        reply, verdict = situation.open, self._verdict(situation, now)
        if reply is not None and reply.state is not ResponseState.WANTED:
            return Later(until=now, reason="somebody else is at it", counted=False)
        if reply is not None and _came_late(situation):
            return self._found(reply, now)
        if not isinstance(verdict, Say) or not self._may(verdict):
            return self._silent(situation, verdict, now)
        if reply is not None and reply.words != verdict.words:
            self._moves.moved(reply, ResponseState.SUPERSEDED, f"{verdict.reason}, which asks for something else")
            situation, _ = self._load(situation.order_id)
        return self._send(situation, verdict)

    def _silent(self, situation: Situation, verdict: Verdict, now: datetime) -> work.Outcome:
        """Nothing is to be said, or not now."""
        waits = isinstance(verdict, Wait) and self._terms.allow(verdict.words)
        if situation.open is not None:
            reason = verdict.reason if self._is_allowed(verdict) else "the settings do not let it be said"
            self._moves.moved(situation.open, ResponseState.SUPERSEDED, reason)
        if isinstance(verdict, Wait) and waits:
            return Later(until=max(now, verdict.until), reason=verdict.reason, counted=False)
        return Done()

    def _send(self, situation: Situation, say: Say) -> work.Outcome:
        frozen = self._moves.freeze(situation, say)
        self._checkpoint(FROZEN)
        sending: list[Reply] = []

        def last_word() -> None:
            sending.append(self._moves.leave(frozen))
            self._checkpoint(LEAVING)

        try:
            outcome = self._responses.respond(
                frozen.order_id, frozen.body.encode(), deadline_seconds=SEND_SECONDS, before_connect=last_word
            )
        except Overtaken as overtaken:
            return Later(until=self._now(), reason=str(overtaken), counted=False)
        self._checkpoint(SENT)
        return self._told(sending[0] if sending else frozen, outcome)

    def _told(self, reply: Reply, outcome: Outcome) -> work.Outcome:
        if isinstance(outcome, Taken):
            return self._taken(reply, outcome)
        if isinstance(outcome, NotSent):
            if reply.state is ResponseState.SENDING:
                self._moves.unsent(reply, outcome.sentence)
            return Later(until=self._now() + timedelta(seconds=_UNSENT_SECONDS), reason=outcome.sentence)
        if reply.state is not ResponseState.SENDING:
            # The wait for a turn took all of its time: no connection was made.
            return Later(until=self._now() + timedelta(seconds=_UNSENT_SECONDS), reason=outcome.sentence)
        self._moves.unsettled(reply, outcome.sentence, status=_said_by_barmate(outcome))
        self._checkpoint(RECORDED)
        return Later(until=self._now(), reason=outcome.sentence, counted=False)

    def _taken(self, reply: Reply, outcome: Taken) -> work.Outcome:
        self._moves.sent(reply, "barmate took it", status=outcome.status)
        self._checkpoint(RECORDED)
        _log.info("answered a customer order", customer_order=reply.order_id, type=reply.words.type.value)
        try:
            self._read_order(reply.order_id)
        except ConnectorError as error:
            _log.warning("not read back yet", customer_order=reply.order_id, error=error.sentence)
        return Done()

    # -- something may have been said --------------------------------------------------------------------------

    def _look_up(self, reply: Reply, now: datetime) -> work.Outcome:
        if reply.state is ResponseState.SENDING:
            if reply.deadline is not None and now < reply.deadline:
                return Later(until=reply.deadline, reason=reply.reason, counted=False)
            reply = self._moves.unknown(reply, "its answer is not known")
        due = self._next_look(reply)
        if due is not None and now < due:
            return Later(until=due, reason=reply.reason, counted=False)
        self._read_order(reply.order_id)
        self._checkpoint(LOOKED)
        situation, now = self._load(reply.order_id)
        return self._judge(situation, reply, now)

    def _judge(self, situation: Situation, reply: Reply, now: datetime) -> work.Outcome:
        found = judge(
            situation,
            reply,
            self._verdict(situation, now),
            now,
            apart=self._terms.apart,
            resend=self._terms.resend_after_absence,
        )
        if isinstance(found, Shown):
            return self._found(reply, now)
        if isinstance(found, LookAgain):
            self._moves.looked(reply, counts=found.counts)
            return Later(until=found.until, reason=reply.reason, counted=False)
        if isinstance(found, Ended):
            self._moves.moved(reply, found.state, found.reason)
            _log.warning(
                "a response ended in doubt",
                customer_order=reply.order_id,
                state=found.state.value,
                error=found.reason,
            )
            return Later(until=now, reason=found.reason, counted=False)
        return Done()

    def _found(self, reply: Reply, now: datetime) -> work.Outcome:
        self._moves.sent(reply, "barmate shows it; its answer was lost")
        self._checkpoint(RECORDED)
        return Later(until=now, reason="found at barmate", counted=False)

    def _next_look(self, reply: Reply) -> datetime | None:
        """At once, at the settle time, and then in intervals."""
        if reply.looked_at is None:
            return None
        if reply.settled_at is not None and reply.looked_at < reply.settled_at:
            return reply.settled_at
        return reply.looked_at + self._terms.apart

    # -- what is held ------------------------------------------------------------------------------------------

    def _read(self, situation: Situation, verdict: Verdict) -> None:
        self._read_order(situation.order_id)
        if isinstance(verdict, Say) and verdict.words.type is ResponseType.REJECT:
            # Final for the customer: what the warehouse says now counts, not what we hold.
            for account in sorted({one.account for one in situation.linked}):
                self._read_deliveries(account, [one.delivery_id for one in situation.linked if one.account == account])
        self._checkpoint(LOOKED)

    def _may(self, verdict: Verdict) -> bool:
        return isinstance(verdict, Say) and self._terms.allow(verdict.words)

    def _is_allowed(self, verdict: Verdict) -> bool:
        return not isinstance(verdict, Say | Wait) or self._terms.allow(verdict.words)

    def _verdict(self, situation: Situation, now: datetime) -> Verdict:
        return decide(situation, now, quiet=self._terms.quiet)

    def _pause(self) -> datetime | None:
        with self._database.read() as connection:
            denied_at = reply_rows.denied_at(connection, self._terms.host)
        return None if denied_at is None else denied_at + timedelta(seconds=DENIED_SECONDS)

    def _load(self, order_id: str) -> tuple[Situation, datetime]:
        with self._database.read() as connection:
            return situations.load(connection, self._terms, order_id), self._database.now(connection)

    def _now(self) -> datetime:
        with self._database.read() as connection:
            return self._database.now(connection)


def _said_by_barmate(outcome: Refused | NotFound | Denied | Unknown) -> int | None:
    """The status of its own answer; a 404 or 400 of somebody in between says nothing about the response."""
    if isinstance(outcome, Unknown):
        return None
    return NOT_FOUND if isinstance(outcome, NotFound) else outcome.status


def _came_late(situation: Situation) -> bool:
    """Whether a response that was given up for lost, and waits to be sent again, is there after all."""
    return situation.open is not None and situation.open.sends > 0 and situation.shows_open
