"""What becomes of a response that may have taken effect, after its customer order was read again. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.barmate_records import ResponseType
from worker.responding.decision import Say, Situation, Verdict, Wait
from worker.responding.reply_rows import Reply
from worker.responding.terms import LOOKS, MAX_SENDS
from worker.states import ResponseState

# A no in barmate's own shape (`connectors.barmate_outcomes`).
_NO = frozenset({400, 404, 409, 422})


@dataclass(frozen=True, slots=True)
class Shown:
    """barmate has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAgain:
    """Not shown, which proves nothing yet; `counts`: one of the readings that have to agree."""

    until: datetime
    counts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """It stands otherwise now."""

    state: ResponseState
    reason: str


@dataclass(frozen=True, slots=True)
class Stays:
    """A person has to say."""


Judgement = Shown | LookAgain | Ended | Stays


def judge(
    situation: Situation,
    reply: Reply,
    verdict: Verdict,
    now: datetime,
    *,
    apart: timedelta,
    resend: bool,
) -> Judgement:
    """What is believed of an open response in doubt, `verdict` being what would be said if there were none."""
    if situation.shows_open:
        return Shown()
    if situation.order is not None and situation.order.is_final:
        return _over(reply, f"the customer order is {situation.order.status}")
    if reply.state is ResponseState.NEEDS_PERSON:
        return Stays()
    if reply.answer_status in _NO and not isinstance(verdict, Say | Wait):
        return Ended(state=ResponseState.REFUSED, reason=reply.reason)
    again = _look_again(reply, now, apart)
    return _absent(reply, verdict, resend=resend) if again is None else again


def _look_again(reply: Reply, now: datetime, apart: timedelta) -> LookAgain | None:
    """None once enough readings agree that it is not there."""
    if reply.settled_at is not None and now < reply.settled_at:
        return LookAgain(until=reply.settled_at, counts=False)
    if reply.looks + 1 < LOOKS:
        return LookAgain(until=now + apart, counts=True)
    return None


def _over(reply: Reply, told: str) -> Ended:
    """Nothing can be said any more, so nothing can be said twice."""
    if reply.answer_status in _NO:
        return Ended(state=ResponseState.REFUSED, reason=reply.reason)
    return Ended(state=ResponseState.SUPERSEDED, reason=f"barmate does not show it, and {told}")


def _absent(reply: Reply, verdict: Verdict, *, resend: bool) -> Ended | LookAgain:
    if reply.answer_status in _NO:
        return Ended(state=ResponseState.REFUSED, reason=reply.reason)
    if reply.was_denied:
        return Ended(state=ResponseState.WANTED, reason=reply.reason)
    told = f"{reply.reason.rstrip('.')}; {LOOKS} readings after the settle time do not show it"
    if not isinstance(verdict, Say | Wait):
        return Ended(state=ResponseState.SUPERSEDED, reason=f"{told}, and {verdict.reason}")
    if reply.sends < MAX_SENDS and (resend or _takes_effect_once(reply, verdict)):
        if isinstance(verdict, Wait) and not resend:
            return LookAgain(until=verdict.until, counts=False)
        return Ended(state=ResponseState.WANTED, reason=told)
    command = f"`waybill barmate resolve {reply.order_id} --as sent|absent --because TEXT`"
    return Ended(state=ResponseState.NEEDS_PERSON, reason=f"{told}; look at barmate and say so with {command}")


def _takes_effect_once(reply: Reply, verdict: Say | Wait) -> bool:
    """Whether the same request may be repeated: of two REJECTs, barmate takes the one that comes first.

    REJECTED is final, and no response is taken after it (vendor's page `api/post-delivery-response`): the first one may
    come as late as it likes. Whether a second ACCEPT is taken is not documented, and an UPDATE may be said again.
    """
    return reply.words.type is ResponseType.REJECT and verdict.words == reply.words
