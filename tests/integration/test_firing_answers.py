"""Every answer that the registry, or whoever answers in its place, can give to the one request that must not repeat."""

import pytest

from connectors.simulated.switches import LateStamp, PostFault
from tests.firing_kit import ORDER, SETTLE, Bench
from worker.states import FiringState

# The request took effect, but its answer does not say so.
COMMITTED = [
    PostFault.COMMIT_THEN_DROP,
    PostFault.COMMIT_THEN_500,
    PostFault.COMMIT_THEN_HANG,
    PostFault.THROTTLE_AFTER_COMMIT,
    PostFault.BROKEN_JSON,
    PostFault.FEWER_KG_IN_BODY,
    PostFault.OTHER_ORDER_IN_BODY,
]
# The request took no effect, and its answer does not prove that.
LOST = [
    PostFault.REFUSE_BEFORE_COMMIT,
    PostFault.DROP_BEFORE_COMMIT,
    PostFault.HANG_BEFORE_COMMIT,
    PostFault.THROTTLE_BEFORE_COMMIT,
]


def script(bench: Bench, *faults: PostFault) -> None:
    """The faults of the next requests, one each."""
    bench.twin.panel.change({"script": faults})


@pytest.mark.parametrize("fault", COMMITTED)
def test_a_delivery_whose_answer_was_lost_is_found_by_its_marker(bench: Bench, fault: PostFault) -> None:
    """What took effect is confirmed by looking, and never sent again."""
    script(bench, fault)
    bench.complete(kg=300)

    firing = bench.settle()

    assert firing.state is FiringState.CONFIRMED, firing.reason
    assert [one["kg"] for one in bench.twin.happened()] == [300]
    assert bench.twin.posts() == 1
    assert "ambiguous" in bench.history()
    assert bench.brakes_on() == set()


@pytest.mark.parametrize("fault", LOST)
def test_a_request_that_took_no_effect_waits_for_a_person_by_default(bench: Bench, fault: PostFault) -> None:
    """Absence is proved by three readings after the settle time; sending again is not allowed by itself."""
    script(bench, fault)
    bench.complete(kg=300)
    started = bench.clock.now()

    firing = bench.settle()

    assert firing.state is FiringState.NEEDS_PERSON, firing.reason
    assert bench.history()[-3:] == ["ambiguous", "absent", "needs_person"]
    assert [row.verdict for row in bench.readings() if row.counts] == ["none"] * 4
    assert (bench.clock.now() - started).total_seconds() >= SETTLE * 5 / 3
    assert bench.twin.posts() == 1
    assert bench.twin.happened() == []


@pytest.mark.parametrize("fault", LOST)
def test_where_resending_is_allowed_the_same_bytes_are_sent_again(bench: Bench, fault: PostFault) -> None:
    """After proof of absence the frozen bytes go out once more, identical to the first."""
    bench = bench.again(resend_after_absence=True)
    script(bench, fault)
    bench.complete(kg=500)

    firing = bench.settle()

    assert firing.state is FiringState.CONFIRMED, firing.reason
    assert [one["kg"] for one in bench.twin.happened()] == [500]
    assert len({attempt.request_sha256 for attempt in bench.attempts()}) == 1
    assert bench.twin.posts() == 2


@pytest.mark.parametrize("stamp", list(LateStamp))
def test_a_commit_after_the_client_has_gone_is_found(bench: Bench, stamp: LateStamp) -> None:
    """A delivery that happens after our timeout is found by the readings, however it is stamped."""
    bench.twin.panel.change({"late_commit_seconds": 0.2, "late_stamp": stamp.value})
    script(bench, PostFault.COMMIT_LATE)
    bench.complete(kg=300)
    assert bench.advance().state is FiringState.AMBIGUOUS
    bench.twin.wait_for_deliveries(1)

    firing = bench.settle()

    assert firing.state is FiringState.CONFIRMED, firing.reason
    assert bench.twin.posts() == 1


def test_a_foreign_answer_holds_everything_until_the_registry_answers_again(bench: Bench) -> None:
    """A page in the registry's place proves nothing, and nothing is sent before GET /supplier answers as it should."""
    script(bench, PostFault.FOREIGN_404)
    bench.complete(kg=300)

    firing = bench.advance()

    assert firing.state is FiringState.AMBIGUOUS
    assert bench.brakes_on() == {"credentials"}


def test_a_resend_that_waits_for_the_registry_knocks_itself(bench: Bench) -> None:
    """No other firing is held that would notice that the registry answers as it should again."""
    bench = bench.again(resend_after_absence=True)
    script(bench, PostFault.FOREIGN_404)
    bench.complete(kg=300)

    firing = bench.settle()

    assert firing.state is FiringState.CONFIRMED, firing.reason
    assert [one["kg"] for one in bench.twin.happened()] == [300]
    assert bench.brakes_on() == set()


def test_a_gateway_that_sends_twice_is_stopped_by_the_used_batches(bench: Bench) -> None:
    """The second copy of the request finds its batches used: one delivery, confirmed."""
    script(bench, PostFault.GATEWAY_TWICE)
    bench.complete(kg=300)

    firing = bench.settle()

    assert firing.state is FiringState.CONFIRMED, firing.reason
    assert [one["order_id"] for one in bench.twin.happened()] == [ORDER]


def test_a_doubled_delivery_is_detected_and_freezes_everything(bench: Bench) -> None:
    """Where the registry accepts used batches again, a gateway's repeat is seen, and everything stops."""
    bench.twin.panel.change({"used_batches_refused": False})
    script(bench, PostFault.GATEWAY_TWICE)
    bench.complete(kg=300)
    bench.settle()

    report = bench.reconciler.run()

    assert not report.agrees
    assert "freeze" in bench.brakes_on()


def test_a_partial_delivery_is_seen_and_freezes(bench: Bench) -> None:
    """A delivery of fewer kilograms than asked is never taken for the whole: everything stops and a person decides."""
    bench.twin.panel.change({"partial_acceptance": True})
    bench.complete(kg=300)

    firing = bench.settle()

    assert firing.state is FiringState.NEEDS_PERSON, firing.reason
    assert bench.brakes_on() == {"freeze"}


def test_a_no_about_batches_that_look_untouched_is_a_persons_affair(bench: Bench) -> None:
    """The gateway repeated the request, and the readings lag longer than we wait: fresh batches would be a double."""
    bench.twin.panel.change(
        {"list_lag_seconds": 10 * SETTLE, "lag_covers_orders": True, "lag_covers_batches": True},
    )
    script(bench, PostFault.GATEWAY_TWICE)
    bench.complete(kg=300)

    firing = bench.settle()

    assert firing.state is FiringState.NEEDS_PERSON
    assert firing.reason.endswith("every reading shows the batches untouched")
    assert bench.twin.posts() == 1
    bench.clock.advance(10 * SETTLE)
    bench.reconciler.run()
    assert bench.firing().state is FiringState.CONFIRMED
