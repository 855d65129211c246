"""What is to be said about a customer order, from what is held. Pure (DESIGN §7).

One delivery that is not cancelled speaks for its customer order; where there are several, nobody can say whose number
counts, so nothing is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from connectors.barmate_records import OrderStatus, ResponseType
from worker.customers.customer_rows import CustomerOrderRow
from worker.responding.reply_rows import Reply
from worker.responding.words import Words, day_in_force, requested_day, times_shown
from worker.states import ResponseState

# Statuses of a delivery behind its approval (logistic.cloud developer docs, resources/deliveries).
_APPROVED = frozenset({"approved", "processing", "completed"})
_CANCELLED = "cancelled"
_DRAFT = "draft"
_PLAIN = _APPROVED | {_CANCELLED, _DRAFT}
# How long until it is looked again whether the accounts were read.
_UNREAD = timedelta(seconds=5)
# How an undocumented value of the fields that decide begins in `CustomerOrderRow.unknown`.
_DECIDING = ("status=", "type=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A delivery of the customer order. `day`: when it is to come, where the goods go; `changed_at`: by our clock.

    `unclear` says why its state is not to be relied on.
    """

    account: str
    delivery_id: int
    number: str
    status: str
    day: date | None
    changed_at: datetime
    unclear: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that decides. `seen_until`: the time up to which every account was read without a gap."""

    order_id: str
    order: CustomerOrderRow | None
    set_aside: str | None
    linked: tuple[Linked, ...]
    replies: tuple[Reply, ...]
    seen_until: datetime | None

    @property
    def open(self) -> Reply | None:
        """The response that has not ended."""
        return next((reply for reply in self.replies if reply.is_open), None)

    @property
    def shows_open(self) -> bool:
        """Whether barmate shows the open response."""
        if self.open is None or self.order is None:
            return False
        return times_shown(self.open.words, self.order) > self.open.baseline


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """To be said now; `about` is the delivery (account and id), None for a rejection."""

    words: Words
    about: tuple[str, int] | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """To be said when that time has come, if nothing changes."""

    words: Words
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Rest:
    """There is nothing to be said."""

    reason: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Something would be to be said, and nobody but a person can tell what."""

    reason: str


Verdict = Say | Wait | Rest | Hold


def decide(situation: Situation, now: datetime, *, quiet: timedelta) -> Verdict:
    """What is to be said, whether the settings allow it or not."""
    order = situation.order
    if not situation.linked:
        return Rest("no delivery names it")
    if order is None or order.read_at is None:
        return Rest("it was not read yet")
    against = _against(situation, order)
    if against is not None:
        return against
    verdict = _of_deliveries(situation, order, now, quiet)
    refused = _refusal(situation.replies, verdict)
    return verdict if refused is None else Hold(f"barmate refused this before: {refused}")


def _against(situation: Situation, order: CustomerOrderRow) -> Verdict | None:
    if situation.set_aside is not None:
        return Hold(f"its record was set aside: {situation.set_aside}")
    if not order.visible:
        return Rest("it is no longer known to barmate")
    unknown = [text for text in order.unknown if text.startswith(_DECIDING)]
    if unknown:
        return Hold(f"it has a value this version does not know: {unknown[0]}")
    if order.is_return:
        return Rest("it is a RETURN")
    return Rest(f"it is {order.status}") if order.is_final else None


def _of_deliveries(situation: Situation, order: CustomerOrderRow, now: datetime, quiet: timedelta) -> Verdict:
    unclear = next(filter(None, map(_unclear, situation.linked)), None)
    if unclear is not None:
        return Hold(unclear)
    live = [one for one in situation.linked if one.status != _CANCELLED]
    if len(live) > 1:
        ids = ", ".join(str(one.delivery_id) for one in live)
        return Hold(f"deliveries {ids} all name it, and it can have one reference only")
    return _of_one(situation, order, live[0], now, quiet) if live else _rejection(situation, order, now, quiet)


def _unclear(one: Linked) -> str | None:
    if one.unclear is not None:
        return f"delivery {one.delivery_id} {one.unclear}"
    return None if one.status in _PLAIN else f"delivery {one.delivery_id} is {one.status}"


def _of_one(situation: Situation, order: CustomerOrderRow, one: Linked, now: datetime, quiet: timedelta) -> Verdict:
    if one.status not in _APPROVED:
        return Rest(f"delivery {one.delivery_id} is {one.status}")
    if not one.number.strip():
        return Hold(f"delivery {one.delivery_id} has no number that could be its reference")
    if order.status == OrderStatus.REQUESTED:
        return _acceptance(situation, order, one)
    return _update(situation, order, one, now, quiet)


def _acceptance(situation: Situation, order: CustomerOrderRow, one: Linked) -> Verdict:
    if _said(situation.replies):
        return Rest("barmate has our ACCEPT, and does not show it yet")
    if order.reference is not None:
        return Rest(f"it was answered with the reference {order.reference} already")
    day = None if one.day == requested_day(order) else one.day
    words = Words(type=ResponseType.ACCEPT, reference=one.number, day=day)
    return Say(words=words, about=_about(one), reason=f"delivery {one.delivery_id} is {one.status}")


def _update(situation: Situation, order: CustomerOrderRow, one: Linked, now: datetime, quiet: timedelta) -> Verdict:
    said = _said(situation.replies)
    if not said:
        return Rest(f"somebody else accepted it as {order.reference or 'nothing that we could compare'}")
    words = _difference(order, one, said)
    if words is None:
        return Rest("it was told")
    if order.reference == one.number and one.day in {None, day_in_force(order)}:
        return Rest("barmate shows it so already")
    until = one.changed_at + quiet
    if now < until:
        return Wait(words=words, until=until, reason=f"delivery {one.delivery_id} changed; more may follow")
    return Say(words=words, about=_about(one), reason=f"delivery {one.delivery_id} is not as it was told")


def _difference(order: CustomerOrderRow, one: Linked, said: Sequence[Reply]) -> Words | None:
    """What differs from what we told; None where nothing does."""
    days = [reply.words.day for reply in said if reply.words.day is not None]
    told = days[-1] if days else requested_day(order)
    if said[-1].words.reference == one.number and one.day in {None, told}:
        return None
    return Words(type=ResponseType.UPDATE, reference=one.number, day=None if one.day == told else one.day)


def _rejection(situation: Situation, order: CustomerOrderRow, now: datetime, quiet: timedelta) -> Verdict:
    known = {one.number for one in situation.linked} | {reply.words.reference for reply in situation.replies}
    if order.status == OrderStatus.ACCEPTED and order.reference not in known:
        told = "without a reference" if order.reference is None else f"as {order.reference}"
        return Hold(f"its deliveries are cancelled, but it was accepted {told}, which is none of theirs")
    left = _left(situation)
    if left is not None:
        return Hold(f"its deliveries are cancelled, but it was accepted as delivery {left}, which names another now")
    words, until = Words(type=ResponseType.REJECT), max(one.changed_at for one in situation.linked) + quiet
    if now < until:
        return Wait(words=words, until=until, reason="its deliveries are cancelled; others may follow")
    if situation.seen_until is None or situation.seen_until < until:
        # Another delivery may have come meanwhile that nobody has read.
        return Wait(words=words, until=now + _UNREAD, reason="its deliveries are cancelled; newer ones are being read")
    return Say(words=words, about=None, reason="its deliveries are cancelled")


def _left(situation: Situation) -> int | None:
    """The delivery that we answered with last, where it does not name this order any more."""
    said = _said(situation.replies)
    here = {_about(one) for one in situation.linked}
    return said[-1].delivery_id if said and (said[-1].account, said[-1].delivery_id) not in here else None


def _said(replies: Sequence[Reply]) -> list[Reply]:
    """What we told and barmate has."""
    return [
        reply for reply in replies if reply.state is ResponseState.SENT and reply.words.type is not ResponseType.REJECT
    ]


def _refusal(replies: Sequence[Reply], verdict: Verdict) -> str | None:
    if not isinstance(verdict, Say | Wait):
        return None
    same = (reply for reply in replies if reply.words == verdict.words and reply.state is ResponseState.REFUSED)
    return next((reply.reason for reply in same), None)


def _about(one: Linked) -> tuple[str, int]:
    return one.account, one.delivery_id
