from dataclasses import replace
from typing import Any

import pytest

from tests.rehearsal_evidence import CUSTOMER, DUE, answered, asked, evidence, told, with_barmate, with_ours
from worker.rehearsal.audit import audit
from worker.rehearsal.audit_gates import gated
from worker.rehearsal.evidence import Evidence
from worker.states import ResponseState

# Delivery 1 of the evidence is completed, on 2026-03-02, and brings what EXT-1 asks for.
ACCEPT = told("ACCEPT", 1, reference="LS1", day="2026-03-02")


def findings(found: Evidence) -> list[str]:
    """Each discrepancy as its line, expectations as the customer orders leave them."""
    return [str(finding) for finding in audit(gated(found)).findings]


def test_a_customer_who_was_told_once_is_no_discrepancy() -> None:
    """Accepted once, by us, with the number and the day of the delivery."""
    assert findings(answered(ACCEPT)) == []


def test_a_fact_that_was_told_twice_is_reported() -> None:
    """Two requests that took effect are two e-mails for one fact."""
    found = findings(answered(ACCEPT, replace_request(ACCEPT, 2)))

    assert found == ["doubled: customer order EXT-1: ACCEPT was told by requests 1, 2"]


def test_what_a_gateway_doubles_is_not_ours() -> None:
    """One request of ours that took effect twice was sent once."""
    assert findings(answered(ACCEPT, ACCEPT)) == []


def test_an_update_that_tells_nothing_new_is_reported() -> None:
    """An UPDATE with the number and the day that count already is a second e-mail for one fact."""
    again = told("UPDATE", 2, reference="LS1", day="2026-03-02")

    assert findings(answered(ACCEPT, again)) == ["doubled: customer order EXT-1: request 2 told LS1 once more"]


def test_an_update_of_the_day_is_no_double() -> None:
    """What changed is told, each change once; and back again."""
    away = told("UPDATE", 2, reference="LS1", day="2026-03-09")
    back = told("UPDATE", 3, reference="LS1", day="2026-03-02")

    assert findings(answered(ACCEPT, away, back)) == []


def test_a_missing_answer_is_reported_as_forgotten() -> None:
    """A completed delivery whose customer was told nothing is named."""
    lost = with_ours(answered(), replies=())

    assert findings(lost) == ["forgotten: customer order EXT-1: ACCEPT is due; we hold no response"]


def test_a_missing_update_is_reported_as_forgotten() -> None:
    """A day that was never told is due."""
    old = told("ACCEPT", 1, reference="LS1", day="2026-03-01")

    assert findings(answered(old)) == ["forgotten: customer order EXT-1: UPDATE is due; our ACCEPT is sent: taken"]


def test_an_order_that_somebody_else_accepted_is_owed_no_update() -> None:
    """What a lost database told is nobody's, and nothing is told about it again."""
    old = told("ACCEPT", 1, reference="LS1", day="2026-03-01")
    anew = replace(with_ours(answered(old), replies=()), lost_database=True)

    assert findings(anew) == []


def test_a_missing_rejection_is_reported_as_forgotten() -> None:
    """Where every delivery is cancelled the customer has to hear it."""
    cancelled = answered(delivery={"status": "cancelled"})
    found = findings(with_ours(cancelled, replies=()))

    assert "forgotten: customer order EXT-1: REJECT is due; we hold no response" in found


def test_a_response_in_doubt_with_its_reason_is_a_note() -> None:
    """What a person was asked about is not forgotten."""
    (reply,) = answered(ACCEPT).ours.replies
    doubted = replace(reply, state=ResponseState.NEEDS_PERSON, reason="its answer was lost")
    verdict = audit(gated(with_ours(answered(), replies=(doubted,))))

    assert verdict.findings == ()
    assert verdict.notes == ("customer order EXT-1 waits for a person: its answer was lost",)


def test_a_customer_order_that_is_held_otherwise_is_reported() -> None:
    """What we hold is what is, and nothing is missing."""
    fine = answered(ACCEPT)

    assert findings(with_ours(fine, customer_orders={"EXT-1": "REQUESTED"})) == [
        "missed: customer order EXT-1: we hold it for REQUESTED, and it is ACCEPTED"
    ]
    assert findings(with_ours(fine, customer_orders={})) == ["missed: customer order EXT-1: we do not hold it"]


def test_a_ledger_that_tells_otherwise_is_reported() -> None:
    """What we hold for sent was told, and what was told we know."""
    fine = answered(ACCEPT)
    (reply,) = fine.ours.replies

    assert "unequal: customer order EXT-1: we hold UPDATE LS9 for told; it never was" in findings(
        with_ours(fine, replies=(reply, replace(reply, type="UPDATE", reference="LS9")))
    )
    assert "unequal: customer order EXT-1: ACCEPT LS1 was told, and we do not know it" in findings(
        with_ours(fine, replies=())
    )


@pytest.mark.parametrize(
    ("emails", "changes", "sentence"),
    [
        ((told("ACCEPT", 1, reference="LS7", day="2026-03-02"),), {}, "told ACCEPT of LS7, which is no delivery of it"),
        ((ACCEPT,), {"type": "RETURN"}, "told ACCEPT, although it is a RETURN"),
        ((ACCEPT, told("REJECT", 2)), {"status": "REJECTED"}, "told REJECT, although delivery 1 is not cancelled"),
    ],
)
def test_what_must_not_be_said_is_reported(
    emails: tuple[dict[str, Any], ...], changes: dict[str, Any], sentence: str
) -> None:
    """Another's number, an answer to a return, a rejection of goods that come."""
    found = findings(answered(*emails, order=changes))

    assert any(line.startswith("wrong: customer order EXT-1: request ") and sentence in line for line in found)


def test_a_response_after_our_rejection_is_reported() -> None:
    """A rejection is the last word: nothing is sent after it, taken or not."""
    rejected = answered(
        told("REJECT", 1), order={"status": "REJECTED"}, delivery={"status": "cancelled"}, refused_requests=(2,)
    )

    assert "wrong: customer order EXT-1: request 2 came after our REJECT, request 1" in findings(rejected)


def test_a_response_long_after_the_customer_cancelled_is_reported() -> None:
    """Who reads before saying something does not speak to somebody who has gone."""
    gone = {"status": "CANCELLED", "cancelled": {"timestamp": "2026-03-02T11:00:00Z"}}
    found = findings(answered(order=gone, refused_requests=(1,)))

    assert "wrong: customer order EXT-1: request 1 came long after the customer cancelled it" in found


def test_an_answer_to_a_draft_is_reported() -> None:
    """Nothing is promised before the warehouse approved it."""
    found = findings(answered(ACCEPT, delivery={"status": "draft"}))

    assert "wrong: customer order EXT-1: request 1 told ACCEPT, although its delivery is a draft" in found


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"status": "CANCELLED"}, "customer order EXT-1 is CANCELLED"),
        ({"status": "REJECTED"}, "customer order EXT-1 is REJECTED"),
        ({"type": "RETURN"}, "customer order EXT-1 is a RETURN"),
        ({"id": "EXT-2"}, "barmate knows no customer order EXT-1"),
    ],
)
def test_a_gate_that_was_ignored_is_reported(order: dict[str, Any], reason: str) -> None:
    """Credits for an order whose customer order forbids them are wrong, with the reason."""
    found = findings(answered(order=order))

    assert f"wrong: order {CUSTOMER} {DUE}: dlv_1 of 40 kg, although {reason}" in found


def test_what_was_delivered_before_the_customer_cancelled_was_right() -> None:
    """A change of mind afterwards makes no delivery wrong."""
    gone = {"status": "CANCELLED", "cancelled": {"timestamp": "2026-03-02T13:00:00Z"}}
    earlier = {"status": "CANCELLED", "cancelled": {"timestamp": "2026-03-02T11:00:00Z"}}

    assert findings(answered(order=gone)) == []
    assert any(line.startswith("wrong: order") for line in findings(answered(order=earlier)))


def test_a_cancelled_delivery_asks_for_nothing() -> None:
    """The customer order of a delivery that is cancelled forbids nothing."""
    found = gated(answered(order={"status": "CANCELLED"}, delivery={"status": "cancelled"}))

    assert found.story["expected"][0]["should_deliver"]


def test_webhooks_that_nobody_hears_are_reported() -> None:
    """A listener that takes no call, or takes one and forgets it, is found."""
    call = {"idempotency_key": "k1", "type": "REQUEST_DELIVERY", "delivery_id": "EXT-1", "status": 404}
    deaf = with_barmate(answered(ACCEPT), hooks={"attempts": [call], "lost": [], "waiting": 1})
    taken = with_barmate(answered(ACCEPT), hooks={"attempts": [{**call, "status": 200}], "lost": [], "waiting": 0})

    assert findings(deaf) == ["missed: barmate: none of 1 calls of its webhooks was taken"]
    assert findings(taken) == ["missed: barmate: webhook k1 about customer order EXT-1 was taken and is not kept"]
    assert findings(with_ours(taken, hints=frozenset({"k1"}))) == []


def test_without_customer_orders_nothing_changes() -> None:
    """What nobody asked for at barmate is due as before."""
    assert gated(evidence()) == evidence()
    assert asked("EXT-1")["status"] == "REQUESTED"


def replace_request(email: dict[str, Any], request: int) -> dict[str, Any]:
    """The same words by another request."""
    return {**email, "request_number": request}
