from dataclasses import replace

from tests.rehearsal_evidence import (
    CUSTOMER,
    OTHER,
    evidence,
    happened,
    marker_of,
    record,
    with_firing,
    with_happened,
    with_ours,
    with_webhook,
)
from worker.rehearsal.audit import audit
from worker.rehearsal.evidence import Evidence, Held
from worker.rehearsal.findings import Kind
from worker.states import FiringState


def findings(found: Evidence) -> list[str]:
    """Each discrepancy as its line."""
    return [str(finding) for finding in audit(found).findings]


def test_a_rehearsal_without_discrepancies_passes() -> None:
    """Where all sides agree there is nothing to report."""
    verdict = audit(evidence())

    assert verdict.findings == ()
    assert verdict.notes == ()
    assert verdict.passed


def test_a_delivery_made_twice_is_reported_as_doubled() -> None:
    """Two credit deliveries with one marker are a double, whatever our ledger says."""
    found = findings(with_happened(evidence(), happened("dlv_1"), happened("dlv_2")))

    assert f"doubled: order {CUSTOMER} PO1: it was delivered 2 times: dlv_1, dlv_2" in found
    assert "unequal: dlv_2: 40 kg happened and are not confirmed with us" in found


def test_a_due_order_without_a_delivery_is_reported_as_forgotten() -> None:
    """An order that should have been delivered and was not is named with what our firing says."""
    lost = with_happened(with_firing(evidence(), state=FiringState.HELD, reason="no batches"))

    assert findings(lost) == [f"forgotten: order {CUSTOMER} PO1: 40 kg are due; its firing is held: no batches"]


def test_a_due_order_without_a_firing_is_reported_as_forgotten() -> None:
    """A complete order of which nothing was made is forgotten in both senses."""
    lost = with_happened(with_ours(evidence(), firings=()))

    assert findings(lost) == [
        f"forgotten: order {CUSTOMER} PO1: 40 kg are due; it has no firing",
        f"forgotten: order {CUSTOMER} PO1: it is complete, and nothing says what became of its credits",
    ]


def test_other_kilograms_are_reported() -> None:
    """A delivery of other kilograms than those due is wrong, and so is a ledger that says otherwise."""
    found = findings(with_happened(evidence(), happened("dlv_1", kg=39)))

    assert found == [
        f"unequal: order {CUSTOMER} PO1: we hold dlv_1 for 40 kg on ord_1; it is 39 kg on ord_1",
        f"wrong: order {CUSTOMER} PO1: dlv_1 is 39 kg; 40 kg are due",
    ]


def test_another_credit_order_is_reported() -> None:
    """A delivery on a credit order that the link does not name is wrong."""
    found = findings(with_happened(evidence(), happened("dlv_1", order="ord_9")))

    assert f"wrong: order {CUSTOMER} PO1: dlv_1 went to ord_9; it is paid for with ord_1" in found


def test_an_order_that_must_not_be_touched_is_reported() -> None:
    """A delivery for an order without a link is wrong, with the reason why it must not be."""
    fine = evidence()
    second = replace(fine.ours.firings[0], order=(CUSTOMER, OTHER), marker=marker_of(OTHER), credit_delivery_id="dlv_2")
    touched = with_happened(
        with_ours(fine, firings=(*fine.ours.firings, second)), happened("dlv_1"), happened("dlv_2", OTHER)
    )

    assert findings(touched) == [f"wrong: order {CUSTOMER} PO2: dlv_2 of 40 kg, although no link"]


def test_a_delivery_that_no_firing_knows_is_reported() -> None:
    """What happened at the registry without us makes the ledgers unequal."""
    found = findings(with_happened(evidence(), happened("dlv_1"), {**happened("dlv_7"), "notes": "by hand"}))

    assert "unequal: dlv_7: 40 kg on ord_1 that no firing of ours knows" in found


def test_an_adopted_delivery_is_known_by_its_id() -> None:
    """A firing found again after the database was lost may know no marker; the id tells."""
    verdict = audit(with_firing(evidence(), marker=None, reason="adopted"))

    assert verdict.findings == ()


def test_a_confirmation_of_nothing_is_reported() -> None:
    """A firing that we hold for confirmed although nothing happened is a false ledger and a forgotten order."""
    found = findings(with_happened(evidence()))

    assert f"unequal: order {CUSTOMER} PO1: we hold dlv_1 for confirmed; it never happened" in found
    assert any(line.startswith("forgotten") for line in found)


def test_a_firing_that_waits_for_a_person_is_a_note() -> None:
    """A doubt that is kept with its evidence is not forgotten: it is listed and fails nothing."""
    doubted = with_firing(evidence(), state=FiringState.NEEDS_PERSON, reason="a pin was used", credit_delivery_id=None)
    verdict = audit(replace(doubted, reconciled=1))

    assert verdict.findings == ()
    assert verdict.notes == (f"order {CUSTOMER} PO1 waits for a person: a pin was used",)


def test_more_delivered_than_ordered_is_reported() -> None:
    """A credit order is never overdrawn."""
    fine = evidence()
    orders = [{"id": "ord_1", "ordered_kg": 39, "delivered_kg": 40}]

    assert findings(replace(fine, registry={**fine.registry, "orders": orders})) == [
        "wrong: ord_1: 40 kg delivered, 39 kg ordered"
    ]


def test_sums_of_credit_orders_are_compared_without_markers() -> None:
    """A credit order with other kilograms than are due is found even if nothing else is."""
    fine = evidence()
    orders = [{"id": "ord_1", "ordered_kg": 1000, "delivered_kg": 80}]

    assert findings(replace(fine, registry={**fine.registry, "orders": orders})) == [
        "wrong: ord_1: 80 kg delivered, 40 kg are due"
    ]


def test_ledgers_that_reconcile_finds_unequal_are_reported() -> None:
    """Waybill's own comparison has to come to the same end."""
    found = findings(replace(evidence(), reconciled=1))

    assert found == ["unequal: reconcile: `waybill reconcile` ended with 1: it sees the ledgers differ"]


def test_an_order_that_we_do_not_know_is_reported() -> None:
    """Every order of the story has a row with a reason."""
    fine = evidence()

    assert findings(with_ours(fine, orders=fine.ours.orders[:1])) == [
        f"forgotten: order {CUSTOMER} PO2: we know nothing of it"
    ]


def test_a_state_without_a_reason_is_reported() -> None:
    """A state that nobody explains is as good as forgotten."""
    fine = evidence()
    silent = (fine.ours.orders[0], replace(fine.ours.orders[1], reason=" "))

    assert findings(with_ours(fine, orders=silent)) == [
        f"forgotten: order {CUSTOMER} PO2: it is unlinked without a reason"
    ]


def test_a_final_state_that_we_do_not_hold_is_reported() -> None:
    """A delivery of which we hold an older version was missed."""
    fine = evidence()
    old = Held(id=1, record=record(1, "PO1", status="processing"), visible=True)
    found = findings(with_ours(fine, deliveries=(old, fine.ours.deliveries[1])))

    assert len(found) == 1
    assert found[0].startswith("missed: delivery 1: we hold processing/booked")


def test_a_delivery_that_we_do_not_hold_at_all_is_reported() -> None:
    """A delivery that was never seen was missed."""
    fine = evidence()

    assert findings(with_ours(fine, deliveries=fine.ours.deliveries[:1])) == ["missed: delivery 2: we do not hold it"]


def test_a_delivery_that_we_hold_as_vanished_is_reported() -> None:
    """What is still there must not be marked as not visible."""
    fine = evidence()
    gone = replace(fine.ours.deliveries[1], visible=False)

    assert findings(with_ours(fine, deliveries=(fine.ours.deliveries[0], gone))) == [
        "missed: delivery 2: we hold it as vanished, and it is still there"
    ]


def test_a_broken_record_that_was_not_set_aside_is_reported() -> None:
    """A record that does not parse is kept with its payload."""
    assert findings(with_ours(evidence(), set_aside=())) == [
        "missed: delivery 3: its record does not parse and was not set aside"
    ]


def test_a_receiver_that_heard_an_older_state_last_is_reported() -> None:
    """The newest word at the receiver is the final state."""
    fine = evidence()
    stale = {**fine.webhook["last"]["deliveries/1"]["delivery"], "status": "processing"}
    found = findings(with_webhook(fine, last={**fine.webhook["last"], "deliveries/1": {"delivery": stale}}))

    assert len(found) == 1
    assert found[0].startswith("missed: delivery 1: the receiver last heard processing/booked")


def test_a_receiver_that_never_heard_of_a_delivery_is_reported() -> None:
    """Every delivery is mirrored."""
    fine = evidence()
    last = {name: data for name, data in fine.webhook["last"].items() if name != "deliveries/2"}

    assert findings(with_webhook(fine, last=last)) == ["missed: delivery 2: the receiver never heard of it"]


def test_an_event_that_arrived_without_a_valid_signature_is_reported() -> None:
    """Every event of the log is at the receiver, signed."""
    fine = evidence()
    badly = {"subject": "deliveries/1", "webhook_id": "evt_1", "verdict": "wrong signature"}
    message = [{"id": "evt_1", "type": "waybill.delivery.appeared", "valid": False}]
    subjects = {**fine.webhook["subjects"], "deliveries/1": message}

    assert findings(with_webhook(fine, subjects=subjects, invalid=[badly])) == [
        "missed: deliveries/1: event evt_1 did not arrive with a valid signature",
        "wrong: webhook: message evt_1 about deliveries/1: wrong signature",
    ]


def test_an_event_that_was_overtaken_is_reported() -> None:
    """Within a subject the first arrivals come in order."""
    found = with_webhook(evidence(), out_of_order=["evt_2"])

    assert findings(found) == ["wrong: deliveries/2: event evt_2 first arrived after a later one"]


def test_events_of_a_lost_database_may_be_overtaken() -> None:
    """A database that was read anew tells old facts again; that is a note."""
    verdict = audit(replace(with_webhook(evidence(), out_of_order=["evt_2"]), lost_database=True))

    assert verdict.passed
    assert verdict.notes == ("1 events of the lost database were overtaken by the new one's",)


def test_a_hole_is_reported_and_a_dead_letter_is_noted() -> None:
    """What could not be proved is never silent; a task given up is shown, and what it left undone is found anyway."""
    verdict = audit(with_ours(evidence(), holes=("seconds 1 to 2: busy",), dead=("mirror deliveries/1: 500",)))

    assert [str(finding) for finding in verdict.findings] == ["missed: coverage: a hole is left, seconds 1 to 2: busy"]
    assert verdict.notes == ("dead letter mirror deliveries/1: 500",)


def test_a_vanished_delivery_is_asked_for_only_after_a_sweep() -> None:
    """Polling cannot see what is gone; a sweep must."""
    fine = evidence()
    vanished = replace(
        with_ours(fine, deliveries=(*fine.ours.deliveries, Held(id=9, record=record(9, ""), visible=True))),
        warehouse={**fine.warehouse, "removed": [9]},
    )

    assert findings(vanished) == []
    assert findings(replace(vanished, swept=True)) == ["missed: delivery 9: it vanished and the sweep did not see that"]


def test_a_receiver_is_told_of_what_vanished() -> None:
    """After a sweep the receiver that knew a delivery knows that it is gone."""
    fine = evidence()
    appeared = {"id": "evt_9", "type": "waybill.delivery.appeared", "valid": True}
    known = with_webhook(fine, subjects={**fine.webhook["subjects"], "deliveries/9": [appeared]})
    gone = (*fine.ours.deliveries, Held(id=9, record=record(9, ""), visible=False))
    swept = replace(with_ours(known, deliveries=gone), swept=True, warehouse={**fine.warehouse, "removed": [9]})

    assert [finding.kind for finding in audit(swept).findings] == [Kind.MISSED]
    assert audit(replace(swept, ours=fine.ours)).passed
