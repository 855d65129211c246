"""What a person asks for and does not get: nothing is changed, and one sentence says why."""

from collections.abc import Callable

import pytest

from tests.firing_kit import KEY, OTHER_ORDER, Bench, order_key
from worker.errors import UsageError
from worker.events import OrderKey
from worker.firing.person import Decision
from worker.firing.policy import Mode
from worker.states import FiringState


def by_hand(bench: Bench, *, order: str = OTHER_ORDER) -> str:
    """A delivery that somebody else made, known to us."""
    delivery = bench.twin.deliver_by_hand(400, 3, order=order)
    bench.parts.ledger.read_whole_supplier()
    return delivery


def test_a_delivery_on_another_credit_order_confirms_nothing(doubtful: Bench) -> None:
    """It can not be the one that the request asked for."""
    delivery = by_hand(doubtful)

    with pytest.raises(UsageError, match=f"{delivery} is on credit order {OTHER_ORDER}"):
        doubtful.parts.person.resolve(KEY, Decision.CONFIRMED, because="the buyer says so", delivery_id=delivery)

    assert doubtful.firing().state is FiringState.NEEDS_PERSON


def test_a_confirmation_names_its_delivery(doubtful: Bench) -> None:
    """Without one nothing could be reconciled."""
    with pytest.raises(UsageError, match="--delivery"):
        doubtful.parts.person.resolve(KEY, Decision.CONFIRMED, because="the buyer says so")

    assert doubtful.firing().state is FiringState.NEEDS_PERSON


def test_a_decision_without_a_reason_is_none(doubtful: Bench) -> None:
    """The reason stays with the firing for whoever audits it."""
    with pytest.raises(UsageError, match="--because"):
        doubtful.parts.person.resolve(KEY, Decision.ABSENT, because="  ")

    assert doubtful.firing().state is FiringState.NEEDS_PERSON


def test_an_ended_firing_adopts_nothing(bench: Bench) -> None:
    """It has its delivery for ever."""
    bench.complete(kg=300)
    bench.advance()
    delivery = by_hand(bench)

    with pytest.raises(UsageError, match=f"is confirmed: it can not adopt {delivery}"):
        bench.parts.person.adopt(KEY, delivery)

    assert bench.firing().credit_delivery_id != delivery


def test_a_delivery_of_one_firing_is_not_given_to_another(bench: Bench) -> None:
    """One delivery pays for one order."""
    bench.complete(kg=300)
    delivery = bench.advance().credit_delivery_id

    with pytest.raises(UsageError, match="belongs to another firing"):
        bench.parts.person.adopt(order_key(2), str(delivery))


def test_nothing_is_adopted_for_an_order_that_nobody_knows(bench: Bench) -> None:
    """A slip of the pen in the purchase order makes no new order."""
    delivery = by_hand(bench)
    unknown = OrderKey(KEY.account, KEY.customer_id, "PO-77")

    with pytest.raises(UsageError, match="There is no order PO-77"):
        bench.parts.person.adopt(unknown, delivery)


def test_what_is_braked_can_not_be_approved(bench: Bench) -> None:
    """The sentence says what is in the way."""
    bench = bench.again(mode=Mode.APPROVE)
    bench.complete(kg=300)
    bench.advance()
    bench.parts.person.pause("stock-taking")

    with pytest.raises(UsageError, match="can not be approved: firing is paused: stock-taking"):
        bench.parts.person.approve(KEY)


def test_an_order_has_ten_firings_at_most(bench: Bench) -> None:
    """Markers are looked for at ten ordinals, so an eleventh delivery could be lost."""
    bench.complete(kg=10)
    bench.advance()
    for _ in range(9):
        bench.parts.person.supplement(KEY, 10, "more was delivered")
        bench.advance()

    with pytest.raises(UsageError, match="has had 10 firings"):
        bench.parts.person.supplement(KEY, 10, "and more")

    assert len(bench.twin.happened()) == 10


@pytest.mark.parametrize("act", [lambda bench: bench.parts.person.approve(KEY), lambda bench: bench.advance()])
def test_an_approval_that_is_taken_back_arms_nothing(bench: Bench, act: Callable[[Bench], object]) -> None:
    """To hold a firing ends its approval; it is given anew after the release."""
    bench = bench.again(mode=Mode.APPROVE)
    bench.complete(kg=300)
    bench.advance()
    bench.parts.person.approve(KEY)
    bench.parts.person.hold(KEY, because="one question first")
    bench.parts.person.release(KEY)

    released = bench.advance()
    act(bench)

    assert released.state is FiringState.PLANNED
    assert released.approved_hash is None
