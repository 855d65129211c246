"""The rarer ways: a believed no, late answers, pins that are gone, resends that must wait, many batches."""

import pytest

from connectors.simulated.switches import PostFault
from tests.clocks import ManualClock
from tests.firing_kit import KEY, ORDER, OTHER_ORDER, TIMEOUT, Bench, Twin, batch, order_key
from tests.guard_kit import At
from worker.db import Database
from worker.errors import UsageError
from worker.firing.person import Decision
from worker.firing.policy import Mode
from worker.firing.preview import NO_KEY, NO_SUPPLIER, Preview
from worker.firing.sending import ANSWERED, FROZEN
from worker.leases import Leases
from worker.states import FiringState, OrderState


def take_over(bench: Bench) -> None:
    """The deadline passes, and somebody else sees it."""
    bench.clock.advance(TIMEOUT + 1)
    bench.parts.overdue.run_once()


def absent(bench: Bench) -> Bench:
    """A firing that a person may decide about: its request took no effect."""
    bench.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})
    bench.complete(kg=300)
    assert bench.settle().state is FiringState.NEEDS_PERSON
    return bench


def test_a_no_about_the_order_refuses_the_firing_once_absence_is_proved(bench: Bench) -> None:
    """Somebody delivered by hand what was left; a person dismisses that, and the no is believed."""
    racing = bench.again(checkpoint=At(FROZEN, lambda: bench.twin.deliver_by_hand(300, 3)))
    racing.complete(kg=800, batches=(batch(1, 0).id, batch(2, 0).id))
    assert racing.advance().state is FiringState.AMBIGUOUS
    unknown = bench.reconciler.run().mismatches[0].subject
    bench.parts.person.dismiss(unknown, "the buyer's other contract")

    refused = bench.settle()

    assert refused.state is FiringState.REFUSED, refused.reason
    assert "order_id" in refused.reason
    bench.parts.person.release(KEY)
    held = bench.advance()
    assert (held.state, held.cause) == (FiringState.HELD, "credit_order")


def test_a_no_that_fits_nothing_is_a_persons_affair(bench: Bench) -> None:
    """The order and the batches are as they were, and the registry said no all the same."""
    racing = bench.again(checkpoint=At(FROZEN, bench.twin.forget_orders))
    racing.complete(kg=300)

    racing.advance()
    bench.twin.remember_orders()
    firing = racing.settle()

    assert firing.state is FiringState.NEEDS_PERSON, firing.reason
    assert "the registry said no" in firing.reason


def test_a_late_answer_that_does_not_match_is_looked_up_like_one_in_time(bench: Bench) -> None:
    """What the registry's lists show decides; a person is not asked what a reading can tell."""
    bench.twin.panel.change({"script": [PostFault.FEWER_KG_IN_BODY]})
    slow = bench.again(checkpoint=At(ANSWERED, lambda: take_over(bench)), resend_after_absence=True)
    slow.complete(kg=300)

    firing = slow.advance()

    assert firing.state is FiringState.CONFIRMED
    assert [(row.outcome, row.late) for row in bench.attempts()] == [("unknown", True)]


@pytest.mark.parametrize("late", [False, True])
def test_an_answer_200_that_cannot_be_read_stops_any_resend(bench: Bench, late: bool) -> None:  # noqa: FBT001 - a parameter
    """The lists do not show the delivery, but absence is not believed where the registry said that it was made."""
    hidden = {"list_lag_seconds": 1e6, "lag_covers_orders": True, "lag_covers_batches": True}
    bench.twin.panel.change({"script": [PostFault.BROKEN_JSON], **hidden})
    checkpoint = At(ANSWERED, lambda: take_over(bench)) if late else None
    slow = bench.again(checkpoint=checkpoint, resend_after_absence=True)
    slow.complete(kg=300)

    firing = slow.settle()

    assert firing.state is FiringState.NEEDS_PERSON
    assert firing.reason == "the registry answered 200, and its lists do not show the delivery"
    assert bench.twin.posts() == 1


def test_a_person_who_says_absent_outweighs_an_answer_that_could_not_be_read(bench: Bench) -> None:
    """What came before a decision is not held against the next request."""
    bench.twin.panel.change({"script": [PostFault.BROKEN_JSON], "list_lag_seconds": 1e6, "lag_covers_orders": True})
    bench.twin.panel.change({"lag_covers_batches": True, "used_batches_refused": True})
    bench.complete(kg=300)
    assert bench.settle().state is FiringState.NEEDS_PERSON
    bench.clock.advance(1.0)
    bench.twin.panel.change({"script": [PostFault.DROP_BEFORE_COMMIT]})
    bench.parts.person.resolve(KEY, Decision.ABSENT, because="support says so")

    firing = bench.settle()

    assert firing.state is FiringState.NEEDS_PERSON
    assert firing.reason == "nothing took effect, and sending again is not allowed by itself"


def test_a_late_no_is_remembered(bench: Bench) -> None:
    """It is believed like one in time, once absence is proved."""

    def meanwhile() -> None:
        bench.twin.deliver_by_hand(400, 1, order=OTHER_ORDER)

    points = [At(FROZEN, meanwhile), At(ANSWERED, lambda: take_over(bench))]

    def passing(name: str) -> None:
        for point in points:
            point(name)

    slow = bench.again(checkpoint=passing)
    slow.complete(kg=300, batches=(batch(1, 0).id,))

    firing = slow.advance()

    assert (firing.state, firing.refusal and firing.refusal["about"]) == (FiringState.AMBIGUOUS, "batches")


def test_a_late_failure_changes_nothing(bench: Bench) -> None:
    """A 500 after somebody took over proves as little as one in time."""
    bench.twin.panel.change({"script": [PostFault.REFUSE_BEFORE_COMMIT]})
    slow = bench.again(checkpoint=At(ANSWERED, lambda: take_over(bench)))
    slow.complete(kg=300)

    firing = slow.advance()

    assert firing.state is FiringState.AMBIGUOUS
    assert [(row.outcome, row.late) for row in bench.attempts()] == [("unknown", True)]


def test_the_same_bytes_are_not_sent_again_once_a_pin_is_gone(bench: Bench) -> None:
    """Other batches would be another request, and that is not allowed after a lost answer."""
    absent(bench)
    bench.twin.deliver_by_hand(400, 1, order=OTHER_ORDER)
    bench.parts.person.resolve(KEY, Decision.ABSENT, because="support says so")

    firing = bench.settle()

    assert firing.state is FiringState.NEEDS_PERSON
    assert "can not be sent again" in firing.reason
    assert bench.twin.posts() == 1


def test_a_resend_waits_while_firing_is_paused(bench: Bench) -> None:
    """Brakes hold a resend as they hold a first send."""
    absent(bench)
    bench.parts.person.pause("stock-taking")
    bench.parts.person.resolve(KEY, Decision.ABSENT, because="support says so")

    waiting = bench.settle(looks=2)

    assert waiting.state is FiringState.ABSENT
    bench.parts.person.resume()
    assert bench.settle().state is FiringState.CONFIRMED


def test_a_resend_waits_while_a_delivery_is_unclaimed(bench: Bench) -> None:
    """What nobody claims may be the delivery that is believed absent."""
    absent(bench)
    unknown = bench.twin.deliver_by_hand(300, 3)
    bench.parts.person.resolve(KEY, Decision.ABSENT, because="support says so")

    waiting = bench.settle(looks=2)

    assert waiting.state is FiringState.ABSENT
    bench.parts.person.dismiss(unknown, "another contract")
    assert bench.settle().state is FiringState.CONFIRMED


def test_requests_that_never_take_effect_end_with_a_person(bench: Bench) -> None:
    """Resending by itself has an end."""
    stubborn = bench.again(resend_after_absence=True)
    bench.twin.panel.change({"post_faults": {"drop_before_commit": 1.0}})
    stubborn.complete(kg=300)

    firing = stubborn.settle(looks=100)

    assert firing.state is FiringState.NEEDS_PERSON
    assert firing.reason == "6 requests took no effect"


def test_without_credentials_an_ambiguous_firing_waits(bench: Bench) -> None:
    """It says what it waits for, and goes on once they are there."""
    bench.twin.panel.change({"script": [PostFault.REFUSE_BEFORE_COMMIT]})
    bench.complete(kg=300)
    bench.advance()

    waiting = bench.again(credentials=False).advance()

    assert waiting.state is FiringState.AMBIGUOUS
    assert "credentials" in waiting.reason


def test_while_somebody_else_has_the_account_a_firing_waits_a_moment(bench: Bench) -> None:
    """One reads and freezes at a time."""
    other = Leases(bench.database, holder="somebody")
    lease = other.acquire("registry:127.0.0.1", 60.0)
    assert lease is not None
    bench.complete()

    waiting = bench.advance()

    assert waiting.state is FiringState.ARMED
    assert waiting.look_at is not None
    assert 0 < (waiting.look_at - bench.clock.now()).total_seconds() < 1
    other.give_back(lease)
    assert bench.settle().state is FiringState.CONFIRMED


def test_more_batches_than_can_be_read_one_by_one_are_read_from_the_list(sqlite_url: str, clock: ManualClock) -> None:
    """The readings must not be older than ten seconds at one request a second."""
    twin = Twin(clock, batches=[batch(number, 50) for number in range(1, 9)])
    database = Database(sqlite_url, clock)
    bench = Bench(database, clock, twin, migrate=True)
    bench.complete(kg=390)

    firing = bench.advance()

    assert firing.state is FiringState.CONFIRMED, firing.reason
    assert len(bench.twin.happened()[0]["credit_batch_ids"]) == 8
    bench.close()
    database.close()
    twin.server.stop()


def test_batches_of_several_projects_hold_until_the_link_names_one(sqlite_url: str, clock: ManualClock) -> None:
    """Which carbon it is, is the operator's choice."""
    second = "prj_1HHHHHHHHSBXHHHH"
    twin = Twin(clock, batches=[batch(1, 400), batch(2, 400, project=second)])
    database = Database(sqlite_url, clock)
    bench = Bench(database, clock, twin, migrate=True)
    bench.complete(kg=300)

    held = bench.advance()

    assert (held.state, held.cause) == (FiringState.HELD, "batches")
    assert second in held.reason
    shown = Preview(
        database=database, rows=bench.parts.rows, account=bench.parts.account, readiness=bench.parts.readiness
    ).of(KEY)
    assert second in str(shown["missing"])
    bench.complete(kg=300, project=second)
    assert bench.settle().state is FiringState.CONFIRMED
    bench.close()
    database.close()
    twin.server.stop()


def test_a_note_that_leaves_no_room_for_the_marker_holds(bench: Bench) -> None:
    """The registry takes 256 characters."""
    bench.complete(note="x" * 250)

    held = bench.advance()

    assert (held.state, held.cause) == (FiringState.HELD, "link")


def test_an_order_without_an_amount_holds(bench: Bench) -> None:
    """There is no factor for its article."""
    bench.complete()
    bench.complete(kg=None)

    held = bench.advance()

    assert (held.state, held.cause) == (FiringState.HELD, "amount")
    assert "factor" in held.reason


def test_a_link_that_is_taken_away_holds(bench: Bench) -> None:
    """The firing says what it lacks."""
    planning = bench.again(mode=Mode.PLAN)
    planning.complete()
    planning.advance()
    bench.stands.links[KEY] = None
    bench.stands.states[KEY] = OrderState.UNLINKED

    held = planning.advance()

    assert (held.state, held.cause) == (FiringState.HELD, "link")


def test_a_firing_armed_under_another_mode_is_planned_again(bench: Bench) -> None:
    """The mode of today decides, not the one of yesterday."""
    bench.twin.panel.change({"read_error": 1.0})
    bench.complete()
    assert bench.advance().state is FiringState.ARMED

    planned = bench.again(mode=Mode.PLAN).advance()

    assert (planned.state, planned.look_at) == (FiringState.PLANNED, None)


def test_an_order_that_reopens_after_a_request_was_frozen_is_held(bench: Bench) -> None:
    """Its record must not look as if nothing had been."""
    sleeping = bench.again(checkpoint=At(FROZEN, lambda: bench.clock.advance(TIMEOUT + 1)))
    sleeping.complete()
    assert sleeping.advance().state is FiringState.ARMED
    bench.stands.states[KEY] = OrderState.OPEN

    held = bench.advance()

    assert (held.state, held.cause) == (FiringState.HELD, "order")
    bench.stands.states[KEY] = OrderState.COMPLETE
    assert bench.settle().state is FiringState.CONFIRMED


def test_a_person_adopts_for_an_order_that_has_no_firing(bench: Bench) -> None:
    """It was delivered by hand before the order completed here."""
    by_hand = bench.twin.deliver_by_hand(300, 3)
    bench.complete(order_key(2), kg=10)
    bench.advance(order_key(2))
    bench.know(KEY)

    firing = bench.parts.person.adopt(KEY, by_hand)

    assert (firing.state, firing.kg) == (FiringState.CONFIRMED, 300)
    with pytest.raises(UsageError, match="belongs to another firing"):
        bench.parts.person.adopt(order_key(2), by_hand)
    another = bench.twin.deliver_by_hand(1, 2)
    bench.reconciler.run()
    with pytest.raises(UsageError, match="There is no order"):
        bench.parts.person.adopt(order_key(77), another)


def test_a_preview_without_a_key_or_an_order_says_so(bench: Bench) -> None:
    """Placeholders are named; an ordinal that does not exist is refused."""
    planning = bench.again(mode=Mode.PLAN, credentials=False, marker_key=None)
    unknown = bench.again(mode=Mode.PLAN, credentials=False)
    planning.complete()

    def show(one: Bench) -> Preview:
        return Preview(
            database=one.database, rows=one.parts.rows, account=one.parts.account, readiness=one.parts.readiness
        )

    assert NO_KEY in str(show(planning).of(KEY)["request"])
    assert NO_SUPPLIER in str(show(unknown).of(KEY)["request"])
    assert show(planning).of(order_key(5))["missing"] == "the order is open: as the test says"
    with pytest.raises(UsageError, match="no firing 3"):
        show(planning).of(KEY, 3)
    assert ORDER in str(show(planning).of(KEY)["request"])
