"""The audit of credit deliveries: each order that is due exactly once with exactly its kilograms, no other. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worker.firing.marker import tokens
from worker.rehearsal.evidence import Document, Evidence, Order, OurFiring
from worker.rehearsal.findings import Finding, Kind
from worker.states import FiringState, OrderState


@dataclass(frozen=True, slots=True)
class Case:
    """One order: what the story expects, our firings, and what the registry truly delivered for it."""

    expected: Document
    firings: Sequence[OurFiring]
    delivered: Sequence[Document]

    @property
    def name(self) -> str:
        """The order as a finding names it."""
        return order_name((self.expected["customer_id"], self.expected["purchase_order"]))

    @property
    def in_doubt(self) -> OurFiring | None:
        """The firing that waits for a person, with its evidence."""
        return next((firing for firing in self.firings if firing.state is FiringState.NEEDS_PERSON), None)


def audit_credits(evidence: Evidence) -> Iterator[Finding]:
    """Everything about credit deliveries that is not as it should be."""
    found = list(_each(evidence))
    yield from found
    if not found:
        # Says the same by way of the credit orders alone, in case markers misled the audit itself.
        yield from _sums(evidence)


def cases(evidence: Evidence) -> list[Case]:
    """Every order of the story with both ledgers' entries."""
    mine: defaultdict[Order, list[OurFiring]] = defaultdict(list)
    for firing in evidence.ours.firings:
        mine[firing.order].append(firing)
    delivered = delivered_by_order(evidence)
    return [
        Case(expected=expected, firings=mine[order], delivered=delivered[order])
        for expected in evidence.story["expected"]
        for order in ((expected["customer_id"], expected["purchase_order"]),)
    ]


def in_doubt(evidence: Evidence) -> list[str]:
    """What waits for a person: not forgotten, but to be seen."""
    return [
        f"{case.name} waits for a person: {case.in_doubt.reason}"
        for case in cases(evidence)
        if case.in_doubt is not None
    ]


def delivered_by_order(evidence: Evidence) -> defaultdict[Order | None, list[Document]]:
    """The registry's true deliveries by the order that they are for; None: no firing of ours knows them.

    A firing knows a delivery by the marker in its notes, or by the id that it was confirmed with (an adopted one).
    """
    by_name = {firing.credit_delivery_id: firing.order for firing in evidence.ours.firings}
    by_marker = {firing.marker: firing.order for firing in evidence.ours.firings if firing.marker is not None}
    found: defaultdict[Order | None, list[Document]] = defaultdict(list)
    for entry in evidence.registry["happened"]:
        marked = [by_marker[token] for token in tokens(entry["notes"]) if token in by_marker]
        found[marked[0] if marked else by_name.get(entry["credit_delivery_id"])].append(entry)
    return found


def order_name(order: Order) -> str:
    """`order 1000050 PO000001`."""
    return f"order {order[0]} {order[1]}"


def _each(evidence: Evidence) -> Iterator[Finding]:
    for case in cases(evidence):
        yield from _due(case) if case.expected["should_deliver"] else _untouched(case)
    yield from _said_nothing(evidence)
    yield from _nobodys(evidence)
    yield from _ledgers(evidence)
    yield from _overdrawn(evidence)


def _due(case: Case) -> Iterator[Finding]:
    """An order that is due: one delivery, its kilograms, its credit order; or a person's, with a reason."""
    if len(case.delivered) > 1:
        ids = ", ".join(str(entry["credit_delivery_id"]) for entry in case.delivered)
        yield Finding(Kind.DOUBLED, case.name, f"it was delivered {len(case.delivered)} times: {ids}")
    elif not case.delivered and case.in_doubt is None:
        yield Finding(Kind.FORGOTTEN, case.name, f"{case.expected['kg']} kg are due; {_standing(case.firings)}")
    for entry in case.delivered:
        yield from _amiss(case, entry)


def _amiss(case: Case, entry: Document) -> Iterator[Finding]:
    name, expected = str(entry["credit_delivery_id"]), case.expected
    if entry["kg"] != expected["kg"]:
        yield Finding(Kind.WRONG, case.name, f"{name} is {entry['kg']} kg; {expected['kg']} kg are due")
    if entry["order_id"] != expected["credit_order_id"]:
        sentence = f"{name} went to {entry['order_id']}; it is paid for with {expected['credit_order_id']}"
        yield Finding(Kind.WRONG, case.name, sentence)


def _untouched(case: Case) -> Iterator[Finding]:
    for entry in case.delivered:
        sentence = f"{entry['credit_delivery_id']} of {entry['kg']} kg, although {case.expected['reason']}"
        yield Finding(Kind.WRONG, case.name, sentence)


def _said_nothing(evidence: Evidence) -> Iterator[Finding]:
    """Every order is known with a reason, and every complete one has a firing with a reason."""
    known = {order.order: order for order in evidence.ours.orders}
    fired = {firing.order: firing for firing in evidence.ours.firings}
    for expected in evidence.story["expected"]:
        order = expected["customer_id"], expected["purchase_order"]
        name = order_name(order)
        mine = known.get(order)
        if mine is None:
            # Where no record of it parses, nobody can know which order they belong to.
            if not _unreadable(expected):
                yield Finding(Kind.FORGOTTEN, name, "we know nothing of it")
        elif not mine.reason.strip():
            yield Finding(Kind.FORGOTTEN, name, f"it is {mine.state} without a reason")
        elif mine.state == OrderState.COMPLETE and (order not in fired or not fired[order].reason.strip()):
            yield Finding(Kind.FORGOTTEN, name, "it is complete, and nothing says what became of its credits")


def _unreadable(expected: Document) -> bool:
    return "does not parse" in expected["reason"]


def _nobodys(evidence: Evidence) -> Iterator[Finding]:
    """What was delivered for no order of ours."""
    for entry in delivered_by_order(evidence)[None]:
        sentence = f"{entry['kg']} kg on {entry['order_id']} that no firing of ours knows"
        yield Finding(Kind.UNEQUAL, str(entry["credit_delivery_id"]), sentence)


def _ledgers(evidence: Evidence) -> Iterator[Finding]:
    """What we call confirmed is what happened, entry by entry."""
    happened = {entry["credit_delivery_id"]: entry for entry in evidence.registry["happened"]}
    confirmed = {
        firing.credit_delivery_id: firing for firing in evidence.ours.firings if firing.state is FiringState.CONFIRMED
    }
    for name, firing in confirmed.items():
        entry = happened.get(name)
        if entry is None:
            yield Finding(Kind.UNEQUAL, order_name(firing.order), f"we hold {name} for confirmed; it never happened")
        elif (entry["kg"], entry["order_id"]) != (firing.kg, firing.credit_order_id):
            sentence = f"we hold {name} for {firing.kg} kg on {firing.credit_order_id}; it is {entry['kg']} kg"
            yield Finding(Kind.UNEQUAL, order_name(firing.order), f"{sentence} on {entry['order_id']}")
    doubted = {firing.marker for firing in evidence.ours.firings if firing.state is FiringState.NEEDS_PERSON}
    for name, entry in happened.items():
        if name not in confirmed and not doubted.intersection(tokens(entry["notes"])):
            yield Finding(Kind.UNEQUAL, str(name), f"{entry['kg']} kg happened and are not confirmed with us")


def _overdrawn(evidence: Evidence) -> Iterator[Finding]:
    for order in evidence.registry["orders"]:
        if order["delivered_kg"] > order["ordered_kg"]:
            sentence = f"{order['delivered_kg']} kg delivered, {order['ordered_kg']} kg ordered"
            yield Finding(Kind.WRONG, str(order["id"]), sentence)


def _sums(evidence: Evidence) -> Iterator[Finding]:
    doubted = {case.expected["credit_order_id"] for case in cases(evidence) if case.in_doubt is not None}
    due: defaultdict[str, int] = defaultdict(int)
    for expected in evidence.story["expected"]:
        if expected["should_deliver"]:
            due[expected["credit_order_id"]] += expected["kg"]
    for order in evidence.registry["orders"]:
        name = order["id"]
        if name not in doubted and order["delivered_kg"] != due[name]:
            yield Finding(Kind.WRONG, str(name), f"{order['delivered_kg']} kg delivered, {due[name]} kg are due")


def _standing(firings: Sequence[OurFiring]) -> str:
    if not firings:
        return "it has no firing"
    return "; ".join(f"its firing is {firing.state}: {firing.reason}" for firing in firings)
