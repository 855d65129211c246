"""What a person may do to firings, and what is refused with a sentence."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.clocks import NOON
from tests.firing_kit import KEY, Bench, order_key
from worker.errors import UsageError
from worker.firing.person import Decision
from worker.firing.policy import Cause, Mode
from worker.states import FiringState


def test_an_approval_sends_what_was_planned(bench: Bench) -> None:
    """In approve mode a person arms each firing."""
    bench = bench.again(mode=Mode.APPROVE)
    bench.complete(kg=300)
    planned = bench.advance()

    bench.parts.person.approve(KEY)

    assert planned.state is FiringState.PLANNED
    assert bench.advance().state is FiringState.CONFIRMED
    assert "armed" in bench.history()


def test_an_approval_binds_what_was_shown(bench: Bench) -> None:
    """Other kilograms than those planned need another approval."""
    bench = bench.again(mode=Mode.APPROVE)
    bench.complete(kg=300)
    bench.advance()
    bench.complete(kg=301)

    with pytest.raises(UsageError, match="has just changed"):
        bench.parts.person.approve(KEY)

    assert bench.advance().state is FiringState.PLANNED
    assert bench.twin.posts() == 0


def test_a_change_after_the_approval_returns_the_firing_to_planned(bench: Bench) -> None:
    """The approval counts for the values that it was bound to."""
    bench = bench.again(mode=Mode.APPROVE)
    bench.complete(kg=300)
    bench.advance()
    bench.parts.person.approve(KEY)
    bench.complete(kg=301)

    assert bench.advance().state is FiringState.PLANNED


def test_an_approval_of_other_values_is_over_and_nothing_is_due(bench: Bench) -> None:
    """Changed before anybody armed it: planned, said so, and not armed should the old values come back."""
    bench = bench.again(mode=Mode.APPROVE)
    bench.complete(kg=300)
    bench.advance()
    bench.parts.person.approve(KEY)
    bench.complete(kg=301)
    changed = bench.advance()
    bench.complete(kg=300)
    back = bench.advance()

    assert (changed.state, changed.look_at, changed.approved_hash) == (FiringState.PLANNED, None, None)
    assert "approve again" in changed.reason
    assert (back.state, back.look_at) == (FiringState.PLANNED, None)
    assert bench.twin.posts() == 0


@pytest.mark.parametrize("mode", [Mode.PLAN, Mode.APPROVE])
def test_a_supplement_that_nobody_approved_is_not_due(bench: Bench, mode: Mode) -> None:
    """It waits for a person, and a run until idle does not wait with it."""
    bench.complete(kg=300)
    bench.advance()
    waiting = bench.again(mode=mode)
    waiting.parts.person.supplement(KEY, 50, "a late sibling")
    waiting.advance()

    supplement = waiting.firing(ordinal=1)
    assert (supplement.state, supplement.look_at) == (FiringState.PLANNED, None)


def test_a_person_holds_and_releases(bench: Bench) -> None:
    """What a person holds nobody sends until it is released."""
    bench = bench.again(mode=Mode.APPROVE)
    bench.complete()
    bench.advance()

    held = bench.parts.person.hold(KEY, because="the customer complained")

    assert (held.state, held.reason) == (FiringState.HELD, "the customer complained")
    assert bench.advance().state is FiringState.HELD
    bench.parts.person.release(KEY)
    assert bench.advance().state is FiringState.PLANNED


def test_absent_by_a_person_sends_the_same_bytes_again(doubtful: Bench) -> None:
    """The person says that it never arrived: the frozen bytes go out once more."""
    doubtful.parts.person.resolve(KEY, Decision.ABSENT, because="the registry's support looked")

    firing = doubtful.settle()

    assert firing.state is FiringState.CONFIRMED, firing.reason
    assert len({attempt.request_sha256 for attempt in doubtful.attempts()}) == 1
    assert len(doubtful.twin.happened()) == 1


def test_an_abandoned_firing_frees_what_it_reserved(doubtful: Bench) -> None:
    """It ends for good, and its batches and kilograms are free."""
    doubtful.parts.person.resolve(KEY, Decision.ABANDONED, because="the buyer withdrew")
    second = order_key(2)
    doubtful.complete(second, kg=1000)

    assert doubtful.settle(second).state is FiringState.CONFIRMED
    assert doubtful.settle().state is FiringState.ABANDONED


def test_a_person_confirms_by_naming_the_delivery(doubtful: Bench) -> None:
    """A delivery on the same credit order that nobody else claims."""
    by_hand = doubtful.twin.deliver_by_hand(300, 3)
    doubtful.reconciler.run()

    firing = doubtful.parts.person.resolve(KEY, Decision.CONFIRMED, because="its notes were lost", delivery_id=by_hand)

    assert (firing.state, firing.credit_delivery_id) == (FiringState.CONFIRMED, by_hand)


def test_a_supplement_is_a_firing_of_its_own(bench: Bench) -> None:
    """A further delivery with a marker of its own, never created by itself."""
    bench.complete(kg=300)
    bench.advance()

    bench.parts.person.supplement(KEY, 50, "a late sibling")
    bench.advance()

    second = bench.firing(ordinal=1)
    assert (second.state, second.kg) == (FiringState.CONFIRMED, 50)
    assert [one["kg"] for one in bench.twin.happened()] == [300, 50]
    assert second.marker != bench.firing().marker


def test_what_was_completed_before_going_live_is_supplemented_and_never_fires_besides(bench: Bench) -> None:
    """Nothing was delivered by hand after all: a person says how much, also if CREDITS__SINCE is moved back later."""
    late = bench.again(since=NOON + timedelta(days=1))
    late.complete(kg=300)
    held = late.advance()
    late.parts.person.supplement(KEY, 120, "nothing was delivered by hand")
    late.settle()

    bench.settle()

    assert (held.state, held.cause) == (FiringState.HELD, Cause.SINCE)
    assert "credits adopt" in held.reason
    assert "credits supplement" in held.reason
    assert [one["kg"] for one in bench.twin.happened()] == [120]
    assert (bench.firing().state, bench.firing().held_by_person) == (FiringState.HELD, True)
    assert bench.firing(ordinal=1).state is FiringState.CONFIRMED


def test_a_freeze_is_thawed_only_with_a_reason(bench: Bench) -> None:
    """Resume also thaws, and then wants to know why."""
    with bench.database.write() as connection:
        bench.parts.brakes.freeze(connection, "two deliveries carry one marker")

    with pytest.raises(UsageError, match="--because"):
        bench.parts.person.resume()

    assert bench.brakes_on() == {"freeze"}
    bench.parts.person.resume("looked into it")
    assert bench.brakes_on() == set()


REFUSED: list[tuple[str, Callable[[Bench], object], str]] = [
    ("approve in automatic mode", lambda bench: bench.parts.person.approve(KEY), "CREDITS__MODE=approve"),
    ("hold what is confirmed", lambda bench: bench.parts.person.hold(KEY), "only one that is"),
    ("release what nobody holds", lambda bench: bench.parts.person.release(KEY), "not held by a person"),
    ("an unknown firing", lambda bench: bench.parts.person.release(KEY, 3), "no firing 3"),
    ("an unknown delivery", lambda bench: bench.parts.person.dismiss("dlv_1"), "not in the mirrored ledger"),
    ("adopt for an ended firing", lambda bench: bench.parts.person.adopt(KEY, "dlv_1"), "not in the mirrored ledger"),
    ("no kilograms", lambda bench: bench.parts.person.supplement(KEY, 0, "x"), "--kg"),
    ("no reason", lambda bench: bench.parts.person.supplement(KEY, 1, " "), "--because"),
    (
        "resolve what is confirmed",
        lambda bench: bench.parts.person.resolve(KEY, Decision.ABSENT, because="x"),
        "only one that is needs_person",
    ),
    (
        "supplement what has no firing",
        lambda bench: bench.parts.person.supplement(order_key(9), 1, "x"),
        "can be supplemented once every firing of it has ended",
    ),
    ("close an unknown mismatch", lambda bench: bench.reconciler.close("x", "y"), "no open mismatch"),
    ("close without a reason", lambda bench: bench.reconciler.close("x", " "), "--because"),
]


@pytest.mark.parametrize(("act", "sentence"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_makes_no_sense_is_refused_with_one_sentence(
    bench: Bench, act: Callable[[Bench], object], sentence: str
) -> None:
    """Nothing is changed, and the sentence names the remedy."""
    bench.complete()
    bench.advance()
    before = bench.history()

    with pytest.raises(UsageError, match=sentence):
        act(bench)

    assert bench.history() == before
