"""The encore of a rehearsal: goods that are put off twice at once, of which each customer hears once."""

from dataclasses import replace

import pytest

from tests.rehearsal_evidence import ASKED, answered, told, with_ours
from worker.rehearsal.audit import audit
from worker.rehearsal.encore import DATES, audit_put_off, to_put_off
from worker.rehearsal.evidence import Evidence, PutOff
from worker.states import ResponseState

# Delivery 1 of the evidence brings what EXT-1 asks for, on 2026-03-02; as accepted, and as put off since.
ACCEPT = told("ACCEPT", 1, reference="LS1", day="2026-03-02")
FIRST = told("UPDATE", 2, reference="LS1", day="2026-07-01")
LAST = told("UPDATE", 3, reference="LS1", day="2026-07-02")
# A delivery without a purchase order number, which no firing counts.
UNCOUNTED = {"numberPurchaseOrder": None}


def put_off(*emails: dict[str, object]) -> Evidence:
    """The end of an encore: the goods come on the last day, and these e-mails were sent."""
    found = answered(*emails, delivery={**UNCOUNTED, "date": DATES[-1]})
    return replace(found, put_off=(PutOff(key=1, order_id=ASKED, emails=1),))


def findings(found: Evidence) -> list[str]:
    """What the encore's own audit says."""
    return [str(finding) for finding in audit_put_off(found)]


def test_goods_of_an_accepted_order_that_nothing_counts_are_put_off() -> None:
    """With what had been told until then."""
    assert to_put_off(answered(ACCEPT, delivery=UNCOUNTED)) == (PutOff(key=1, order_id=ASKED, emails=1),)


@pytest.mark.parametrize(
    ("delivery", "status"),
    [({}, "ACCEPTED"), (UNCOUNTED, "DELIVERED"), ({**UNCOUNTED, "date": DATES[0]}, "ACCEPTED")],
    ids=["it was credited", "the customer has it", "something is due"],
)
def test_other_goods_are_left_alone(delivery: dict[str, object], status: str) -> None:
    """Their changes would be late siblings, come after the end, or be one with what is due."""
    assert to_put_off(answered(ACCEPT, delivery=delivery, order={"status": status})) == ()


@pytest.mark.parametrize("state", [ResponseState.NEEDS_PERSON, ResponseState.UNKNOWN])
def test_what_is_in_doubt_is_left_alone(state: ResponseState) -> None:
    """And so is what somebody else accepted."""
    found = answered(ACCEPT, delivery=UNCOUNTED)
    doubted = with_ours(found, replies=(replace(found.ours.replies[0], state=state),))

    assert to_put_off(doubted) == to_put_off(with_ours(found, replies=())) == ()


def test_one_update_of_the_last_day_is_as_it_should_be() -> None:
    """The first day was told to nobody."""
    assert findings(put_off(ACCEPT, LAST)) == []


def test_a_customer_who_heard_nothing_is_forgotten() -> None:
    """Unless a person was asked to look."""
    silent = put_off(ACCEPT)
    reply = silent.ours.replies[0]
    asked = with_ours(silent, replies=(replace(reply, state=ResponseState.NEEDS_PERSON),))

    assert findings(silent) == ["forgotten: customer order EXT-1: its goods were put off, and no UPDATE says so"]
    assert findings(asked) == []


def test_two_updates_for_changes_at_once_are_a_double() -> None:
    """Changes within the quiet time are one e-mail; what a gateway doubled was one request."""
    found = findings(put_off(ACCEPT, FIRST, LAST))
    sentence = "its goods were put off twice at once, and requests [2, 3] told it one by one"

    assert found == [f"doubled: customer order EXT-1: {sentence}"]
    assert findings(put_off(ACCEPT, LAST, LAST)) == []


def test_a_rehearsal_in_which_nothing_could_be_put_off_says_so() -> None:
    """Silence would look like an UPDATE that was said."""
    found = audit(replace(answered(ACCEPT), put_off=()))

    assert "no goods could be put off: no customer order that we accepted is open" in found.notes
