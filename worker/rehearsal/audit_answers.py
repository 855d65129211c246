"""The audit of what customers were told: each fact once, with our number, nothing after the end or left out. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from http import HTTPStatus

from connectors.barmate_records import ResponseType
from worker.rehearsal.audit_gates import cancelled_at
from worker.rehearsal.barmate_side import CustomerOrder, Told, customer_orders, was_never_approved
from worker.rehearsal.evidence import Evidence, OurReply
from worker.rehearsal.findings import Finding, Kind
from worker.responding.terms import SEND_SECONDS
from worker.states import ResponseState

# States in which a person is asked, with the reason.
_A_PERSONS = frozenset({ResponseState.NEEDS_PERSON, ResponseState.REFUSED})
_TAKEN = frozenset({HTTPStatus.OK, HTTPStatus.CREATED})
# Readings may be a second old, and a response that was decided may wait for its turn until its deadline.
_LATE = timedelta(seconds=SEND_SECONDS + 2)


def audit_answers(evidence: Evidence) -> Iterator[Finding]:
    """Everything about customer orders and responses that is not as it should be."""
    yield from _heard(evidence)
    for order in customer_orders(evidence):
        yield from _held(evidence, order)
        yield from _doubled(order)
        yield from _amiss(order)
        yield from _too_late(order)
        yield from _forgotten(order)
        yield from _ledgers(evidence, order)


def waiting_for_a_person(evidence: Evidence) -> list[str]:
    """Responses in doubt: not forgotten, but to be seen."""
    return [
        f"{order.name} waits for a person: {reply.reason}"
        for order in customer_orders(evidence)
        for reply in order.replies
        if reply.state is ResponseState.NEEDS_PERSON
    ]


def _heard(evidence: Evidence) -> Iterator[Finding]:
    """A webhook that was answered with 200 is kept; and they are answered so."""
    attempts = evidence.barmate["hooks"]["attempts"]
    taken = {attempt["idempotency_key"]: attempt for attempt in attempts if attempt["status"] in _TAKEN}
    if attempts and not taken:
        yield Finding(Kind.MISSED, "barmate", f"none of {len(attempts)} calls of its webhooks was taken")
    for key in sorted(taken.keys() - evidence.ours.hints) if not evidence.lost_database else ():
        sentence = f"webhook {key} about customer order {taken[key]['delivery_id']} was taken and is not kept"
        yield Finding(Kind.MISSED, "barmate", sentence)


def _held(evidence: Evidence, order: CustomerOrder) -> Iterator[Finding]:
    held = evidence.ours.customer_orders.get(order.id)
    if held is None:
        yield Finding(Kind.MISSED, order.name, "we do not hold it")
    elif held != order.record["status"]:
        yield Finding(Kind.MISSED, order.name, f"we hold it for {held}, and it is {order.record['status']}")


def _doubled(order: CustomerOrder) -> Iterator[Finding]:
    """No two e-mails for one fact; what a gateway doubled was one request of ours."""
    for type_ in (ResponseType.ACCEPT, ResponseType.REJECT):
        requests = [str(told.request) for told in order.said if told.type == type_]
        if len(requests) > 1:
            yield Finding(Kind.DOUBLED, order.name, f"{type_} was told by requests {', '.join(requests)}")
    for before, told in _updates(order):
        if before == (told.reference, before[1] if told.day is None else told.day):
            yield Finding(Kind.DOUBLED, order.name, f"request {told.request} told {told.reference} once more")


def _updates(order: CustomerOrder) -> Iterator[tuple[tuple[object, object], Told]]:
    """Each UPDATE with the reference and the day that counted before."""
    said = order.said
    for place, told in enumerate(said):
        if told.type == ResponseType.UPDATE:
            yield order.counted(said[:place]), told


def _amiss(order: CustomerOrder) -> Iterator[Finding]:
    """What should never have been said, or not so."""
    numbers = {record["number"] for record in order.linked}
    for told in order.said:
        about = f"request {told.request} told {told.type}"
        if order.record["type"] != "DELIVERY":
            yield Finding(Kind.WRONG, order.name, f"{about}, although it is a {order.record['type']}")
        elif told.type == ResponseType.REJECT and order.live:
            yield Finding(Kind.WRONG, order.name, f"{about}, although delivery {order.live[0]['id']} is not cancelled")
        elif told.type != ResponseType.REJECT and numbers and told.reference not in numbers:
            yield Finding(Kind.WRONG, order.name, f"{about} of {told.reference}, which is no delivery of it")
        elif any(was_never_approved(record) for record in order.linked):
            yield Finding(Kind.WRONG, order.name, f"{about}, although its delivery is a draft")


def _too_late(order: CustomerOrder) -> Iterator[Finding]:
    """Nothing is sent after we ended it, nor long after the customer did."""
    ended = min((told.request for told in order.told if told.type == ResponseType.REJECT), default=None)
    cancelled = cancelled_at(order.record)
    for post in order.posts:
        number = post["request_number"]
        if ended is not None and number > ended:
            yield Finding(Kind.WRONG, order.name, f"request {number} came after our REJECT, request {ended}")
        elif cancelled is not None and datetime.fromisoformat(post["at"]) > cancelled + _LATE:
            yield Finding(Kind.WRONG, order.name, f"request {number} came long after the customer cancelled it")


def _forgotten(order: CustomerOrder) -> Iterator[Finding]:
    due = order.due()
    if due is None or any(reply.state in _A_PERSONS and reply.reason.strip() for reply in order.replies):
        return
    yield Finding(Kind.FORGOTTEN, order.name, f"{due} is due; {_standing(order)}")


def _ledgers(evidence: Evidence, order: CustomerOrder) -> Iterator[Finding]:
    """What we hold for sent was told, and what was told we hold for sent."""
    told = {(one.type, one.reference) for one in order.told}
    ours = {(reply.type, reply.reference) for reply in order.replies if _is_held(reply)}
    for type_, reference in sorted(ours - told, key=str):
        if (type_, reference) in {(reply.type, reply.reference) for reply in order.replies if _is_sent(reply)}:
            yield Finding(Kind.UNEQUAL, order.name, f"we hold {type_} {reference or ''} for told; it never was")
    if not evidence.lost_database:
        for type_, reference in sorted(told - ours, key=str):
            yield Finding(Kind.UNEQUAL, order.name, f"{type_} {reference or ''} was told, and we do not know it")


def _is_sent(reply: OurReply) -> bool:
    return reply.state is ResponseState.SENT


def _is_held(reply: OurReply) -> bool:
    return _is_sent(reply) or reply.state is ResponseState.NEEDS_PERSON


def _standing(order: CustomerOrder) -> str:
    if not order.replies:
        return "we hold no response"
    return "; ".join(f"our {reply.type} is {reply.state}: {reply.reason}" for reply in order.replies)
