"""The moves of a response, each one durable transaction, from the state that it was read in."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from worker.db import Database
from worker.responding import reply_rows, situations
from worker.responding.decision import Say, Situation, decide
from worker.responding.reply_rows import Reply
from worker.responding.terms import SEND_SECONDS, Terms
from worker.responding.words import times_shown
from worker.states import ResponseState


class Overtaken(Exception):
    """Just before connecting it turned out that it must not be sent now: nothing was sent."""


class Moves:
    """Moves responses on. Every method raises LostClaim where somebody else did so meanwhile."""

    def __init__(self, *, database: Database, terms: Terms, owner: str) -> None:
        self._database = database
        self._terms = terms
        self._owner = owner

    def freeze(self, situation: Situation, say: Say) -> Reply:
        """Commit what will be sent and an absolute end to it; a response that waits goes on with its own bytes."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            held = situation.open
            if held is None:
                held = reply_rows.insert(
                    connection,
                    say.words,
                    host=self._terms.host,
                    order_id=situation.order_id,
                    about=say.about,
                    now=now,
                )
            # What was sent before may still be shown: it counts as ours.
            baseline = held.baseline if held.sends else _shown(situation, held)
            frozen = replace(
                held,
                owner=self._owner,
                baseline=baseline,
                deadline=now + timedelta(seconds=SEND_SECONDS),
                reason=say.reason,
            )
            return reply_rows.change(connection, held, frozen, now)

    def leave(self, frozen: Reply) -> Reply:
        """The last word before connecting: still wanted, still ours, still in time. Raises Overtaken."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            if frozen.deadline is None or now >= frozen.deadline:
                sentence = "its time was over before it could be sent"
                raise Overtaken(sentence)
            situation = situations.load(connection, self._terms, frozen.order_id)
            if not _is_same(situation.open, frozen) or not _still_wanted(situation, frozen, now, self._terms):
                sentence = "something changed just before it was sent"
                raise Overtaken(sentence)
            leaving = replace(
                frozen,
                state=ResponseState.SENDING,
                sends=frozen.sends + 1,
                settled_at=frozen.deadline + self._terms.settle,
                looks=0,
                looked_at=None,
                answer_status=None,
                answer=None,
                reason="on its way",
            )
            return reply_rows.change(connection, frozen, leaving, now)

    def unsent(self, sending: Reply, reason: str) -> Reply:
        """Provably nothing left: as if it had not been tried."""
        return self._moved(sending, state=ResponseState.WANTED, sends=sending.sends - 1, reason=reason)

    def unknown(self, sending: Reply, reason: str) -> Reply:
        """Its time is over, and nobody noted what came back."""
        return self._moved(sending, state=ResponseState.UNKNOWN, reason=reason)

    def unsettled(self, sending: Reply, reason: str, *, status: int | None) -> Reply:
        """The exchange is over and did not settle it: no byte leaves any more, so the settle time begins now."""
        return self._moved(
            sending,
            lambda now: {"settled_at": now + self._terms.settle},
            state=ResponseState.UNKNOWN,
            reason=reason,
            answer_status=status,
            answer=reason,
        )

    def sent(self, reply: Reply, reason: str, *, status: int | None = None) -> Reply:
        """It is there: barmate said so, or shows it."""
        more = {} if status is None else {"answer_status": status}
        return self._moved(reply, lambda now: {"sent_at": now}, state=ResponseState.SENT, reason=reason, **more)

    def looked(self, reply: Reply, *, counts: bool) -> Reply:
        """A reading did not show it; before the settle time that counts for nothing."""
        looks = reply.looks + 1 if counts else reply.looks
        return self._moved(reply, lambda now: {"looked_at": now}, looks=looks)

    def moved(self, reply: Reply, state: ResponseState, reason: str) -> Reply:
        """It stands otherwise."""
        return self._moved(reply, state=state, reason=reason)

    def _moved(
        self, before: Reply, at: Callable[[datetime], dict[str, object]] = lambda _now: {}, **values: object
    ) -> Reply:
        with self._database.write() as connection:
            now = self._database.now(connection)
            after = replace(before, **values, **at(now))  # type: ignore[arg-type]
            return reply_rows.change(connection, before, after, now)


def _shown(situation: Situation, reply: Reply) -> int:
    return 0 if situation.order is None else times_shown(reply.words, situation.order)


def _still_wanted(situation: Situation, frozen: Reply, now: datetime, terms: Terms) -> bool:
    verdict = decide(situation, now, quiet=terms.quiet)
    return isinstance(verdict, Say) and verdict.words == frozen.words and terms.allow(frozen.words)


def _is_same(held: Reply | None, frozen: Reply) -> bool:
    """Whether nobody else took it on meanwhile."""
    return held is not None and (held.id, held.state, held.deadline) == (frozen.id, frozen.state, frozen.deadline)
