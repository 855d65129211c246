"""Two processes, deadlines, suspended workers and copies of databases: at most one delivery, whoever wakes when."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from connectors.simulated.switches import PostFault
from tests.firing_kit import KEY, ORDER, TIMEOUT, Bench, Died, order_key
from worker.firing.person import Decision
from worker.firing.policy import Mode
from worker.firing.sending import ANSWERED, BEFORE_FREEZE, CONNECTING, FROZEN, RECORDED
from worker.states import FiringState

POINTS = [BEFORE_FREEZE, FROZEN, CONNECTING, ANSWERED, RECORDED]


@dataclass
class At:
    """A checkpoint that does something at the first passing of one point."""

    point: str
    act: Callable[[], None]
    passed: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        """Pass the point."""
        self.passed.append(name)
        if name == self.point and self.passed.count(name) == 1:
            self.act()


def die() -> None:
    """The process ends here; nothing after this point happens."""
    raise Died


@pytest.mark.parametrize("point", POINTS)
def test_a_process_that_dies_at_any_point_neither_doubles_nor_forgets(bench: Bench, point: str) -> None:
    """Another process takes over, finds out what happened, and ends with one delivery or with a person."""
    dying = bench.again(owner="dying", checkpoint=At(point, die))
    dying.complete(kg=300)
    with pytest.raises(Died):
        dying.advance()
    bench.clock.advance(61.0)

    firing = bench.settle()

    expected = FiringState.NEEDS_PERSON if point in (FROZEN, CONNECTING) else FiringState.CONFIRMED
    assert firing.state is expected, firing.reason
    assert len(bench.twin.happened()) == (0 if expected is FiringState.NEEDS_PERSON else 1)


@pytest.mark.parametrize("point", [FROZEN, CONNECTING])
def test_a_process_that_wakes_after_its_deadline_sends_nothing(bench: Bench, point: str) -> None:
    """Whoever was suspended between the commit and the connection looks at the clock again."""
    sleeping = bench.again(owner="sleeping", checkpoint=At(point, lambda: bench.clock.advance(TIMEOUT + 1)))
    sleeping.complete(kg=300)

    firing = sleeping.advance()

    assert firing.state is FiringState.ARMED
    assert bench.twin.posts() == 0
    assert [row.outcome for row in bench.attempts()] == ["not_sent"]
    assert bench.settle().state is FiringState.CONFIRMED


def test_an_overdue_request_becomes_ambiguous_and_its_late_answer_confirms(bench: Bench) -> None:
    """The answer that comes after somebody else took over is recorded, and settles the matter."""

    def take_over() -> None:
        bench.clock.advance(TIMEOUT + 1)
        assert bench.parts.overdue.run_once() == 1
        assert bench.firing().state is FiringState.AMBIGUOUS

    slow = bench.again(owner="slow", checkpoint=At(ANSWERED, take_over))
    slow.complete(kg=300)

    firing = slow.advance()

    assert firing.state is FiringState.CONFIRMED, firing.reason
    assert [(row.outcome, row.late) for row in bench.attempts()] == [("confirmed", True)]
    assert bench.parts.overdue.run_once() == 0


def test_a_second_process_that_freezes_first_wins(bench: Bench) -> None:
    """Two processes prepare the same firing: the one whose commit comes second sends nothing."""
    slow = bench.again(owner="slow", checkpoint=At(BEFORE_FREEZE, lambda: steal(bench)))
    slow.complete(kg=300)

    firing = slow.advance()

    assert firing.state is FiringState.CONFIRMED
    assert bench.twin.posts() == 1


def steal(bench: Bench) -> None:
    """Take the account's lease over once it has run out, and fire."""
    bench.clock.advance(61.0)
    bench.advance()


def test_two_orders_never_plan_the_same_kilograms(bench: Bench) -> None:
    """While one firing is unresolved, its batches and its kilograms are nobody else's."""
    bench.twin.panel.change({"script": [PostFault.HANG_BEFORE_COMMIT]})
    second = order_key(2)
    bench.complete(kg=700)
    bench.complete(second, kg=400)
    first = bench.advance()

    waiting = bench.advance(second)

    assert first.state is FiringState.AMBIGUOUS
    assert (waiting.state, waiting.cause) == (FiringState.HELD, "reserved")
    assert waiting.reason == f"unresolved firings reserve 700 of 1000 kg on {ORDER}"
    bench.settle()
    bench.parts.person.resolve(KEY, Decision.ABANDONED, because="the buyer withdrew")
    assert bench.settle(second).state is FiringState.CONFIRMED


def test_a_restored_copy_of_the_database_does_not_repeat(bench: Bench, empty: Bench) -> None:
    """The copy holds the firing as planned; the registry has it already: it is adopted."""
    bench.complete(kg=300)
    planning = empty.again(mode=Mode.PLAN)
    planning.complete(kg=300)
    assert planning.advance().state is FiringState.PLANNED
    assert bench.advance().state is FiringState.CONFIRMED

    firing = empty.settle()

    assert firing.state is FiringState.CONFIRMED
    assert bench.twin.posts() == 1


def test_a_marker_with_other_kilograms_freezes_everything(bench: Bench, empty: Bench) -> None:
    """What carries our marker and is not what we plan is an anomaly, never a reason to send."""
    bench.complete(kg=300)
    bench.advance()
    empty.complete(kg=200)

    firing = empty.settle(looks=3)

    assert firing.state is FiringState.HELD
    assert empty.brakes_on() == {"freeze"}
    assert bench.twin.posts() == 1


def test_fresh_batches_are_pinned_after_a_no_about_the_batches(bench: Bench) -> None:
    """Somebody used a pinned batch between our reading and our request: proved absent, then planned afresh."""
    racing = bench.again(owner="racing", checkpoint=At(FROZEN, lambda: _use_batch_by_hand(bench)), settle_seconds=30.0)
    racing.complete(kg=300)

    firing = racing.settle()

    assert firing.state is FiringState.CONFIRMED, firing.reason
    assert firing.repins == 1
    assert [one["kg"] for one in bench.twin.happened() if one["notes"] == firing.marker] == [300]


def _use_batch_by_hand(bench: Bench) -> None:
    bench.twin.deliver_by_hand(400, 1, order="ord_1CCCCCCCCSBXCCCC", notes="by hand")
