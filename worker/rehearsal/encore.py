"""After everything is settled, some goods are put off twice at once: each customer is to hear of it once. Pure.

A story cannot promise that: with every fault on, an acceptance may come after the change that it would have told. Here
the acceptance is known to be ours and shown, so what follows is an UPDATE, of the last day only (DESIGN §7).
"""

from collections.abc import Iterator

from connectors.barmate_records import OrderStatus, ResponseType
from worker.rehearsal.audit_changes import parses
from worker.rehearsal.barmate_side import CustomerOrder, customer_orders
from worker.rehearsal.evidence import Evidence, PutOff
from worker.rehearsal.findings import Finding, Kind
from worker.states import ResponseState

# So many are put off: one would be an accident, and each costs a quiet time at most.
_MOST = 3
# States in which a person is asked instead.
_A_PERSONS = frozenset({ResponseState.NEEDS_PERSON, ResponseState.REFUSED})
# Days after every one of the story. The first one is told to nobody.
DATES = ("2026-07-01T09:30:00Z", "2026-07-02T09:30:00Z")


def to_put_off(evidence: Evidence) -> tuple[PutOff, ...]:
    """Deliveries of customer orders that we accepted and of which nothing is owed, and that no firing may count.

    A delivery that changes after it was credited is a late sibling, which is another matter.
    """
    found = sorted(_candidates(evidence), key=lambda one: one.key)
    return tuple(found[:_MOST])


def audit_put_off(evidence: Evidence) -> Iterator[Finding]:
    """Each was told by one UPDATE; the first day by none. Nothing to put off shows nothing, which is said."""
    orders = {order.id: order for order in customer_orders(evidence)}
    for one in () if evidence.put_off is None else evidence.put_off:
        yield from _told_once(orders[one.order_id], one)


def _told_once(order: CustomerOrder, one: PutOff) -> Iterator[Finding]:
    after = order.told[one.emails :]
    requests = {told.request for told in after if told.type == ResponseType.UPDATE}
    in_doubt = any(reply.state in _A_PERSONS for reply in order.replies)
    if not requests and not in_doubt:
        yield Finding(Kind.FORGOTTEN, order.name, "its goods were put off, and no UPDATE says so")
    if len(requests) > 1:
        sentence = f"its goods were put off twice at once, and requests {sorted(requests)} told it one by one"
        yield Finding(Kind.DOUBLED, order.name, sentence)


def _candidates(evidence: Evidence) -> Iterator[PutOff]:
    fired = {firing.order for firing in evidence.ours.firings}
    for order in customer_orders(evidence):
        if order.record["status"] != OrderStatus.ACCEPTED or order.due() is not None or not _is_ours(order):
            continue
        live = order.live
        if len(live) != 1 or not parses(live[0]):
            continue
        if (live[0]["customerId"], live[0].get("numberPurchaseOrder")) not in fired:
            yield PutOff(key=live[0]["id"], order_id=order.id, emails=len(order.told))


def _is_ours(order: CustomerOrder) -> bool:
    """Whether our newest word is what counts there; what a person has to look at is left alone."""
    sent = [reply for reply in order.replies if reply.state is ResponseState.SENT]
    ended = {ResponseState.SENT, ResponseState.SUPERSEDED}
    return bool(sent) and all(reply.state in ended for reply in order.replies)
