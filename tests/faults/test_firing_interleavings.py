"""Two orders on one credit order and one batch: however the two services interleave, never more than was ordered."""

from collections.abc import Callable

import pytest

from tests.clocks import ManualClock
from tests.firing_kit import KEY, ORDER, OTHER_ORDER, batch, credit_order, order_key
from tests.model_registry import LocalRegistry, Trouble
from tests.model_rules import made_and_not_confirmed
from tests.model_walk import Budget, Walk
from tests.model_world import AROUND_THE_REQUEST, EVERY_READ, EVERY_WRITE, World

SECOND = order_key(2)
BOTH = {KEY: 300, SECOND: 300}


def registry(ordered: int, in_batch: int) -> Callable[[ManualClock], LocalRegistry]:
    """A registry with one credit order to fill, and one batch to fill it from."""

    def made(clock: ManualClock) -> LocalRegistry:
        orders = (credit_order(ORDER, ordered), credit_order(OTHER_ORDER, 1000))
        return LocalRegistry(clock, orders=orders, batches=(batch(1, in_batch),))

    return made


def delivered(kg: int) -> Callable[[World], str | None]:
    """The rule that so many kilograms are delivered in the end."""

    def rule(world: World) -> str | None:
        total = world.registry.registry.delivered_kg(ORDER)
        return made_and_not_confirmed(world) or (None if total == kg else f"{total} kg are delivered instead of {kg}")

    return rule


@pytest.mark.parametrize(
    ("ordered", "in_batch", "kg", "ends"),
    [
        pytest.param(500, 1000, 300, {"confirmed held"}, id="room on the credit order for one"),
        pytest.param(1000, 500, 300, {"confirmed held"}, id="kilograms in the batch for one"),
        pytest.param(600, 600, 600, {"confirmed confirmed"}, id="exactly enough for both"),
    ],
)
def test_two_orders_on_one_credit_order_and_one_batch_never_get_more_than_there_is(
    ordered: int, in_batch: int, kg: int, ends: set[str]
) -> None:
    """Every interleaving of two workers at the checkpoints around each request."""
    world = World(registry=registry(ordered, in_batch), orders_kg=BOTH, points=AROUND_THE_REQUEST)

    found = Walk(world, Budget(others=1), at_end=delivered(kg)).run()

    assert found.ends == ends
    assert found.paths > 10
    world.close()


def test_an_unresolved_firing_keeps_its_kilograms_from_the_other_order() -> None:
    """Whatever befalls the first request, and whoever looks next, both never get more than was ordered."""
    world = World(registry=registry(500, 1000), orders_kg=BOTH, workers=1, points=AROUND_THE_REQUEST)

    found = Walk(world, Budget(troubles=1), troubles=tuple(Trouble)).run()

    assert {"confirmed held", "held needs_person"} <= found.ends
    world.close()


@pytest.mark.long
@pytest.mark.parametrize(
    ("budget", "points"),
    [
        pytest.param(Budget(others=1), EVERY_READ, id="at every reading"),
        pytest.param(Budget(others=2), EVERY_WRITE, id="three looks"),
        pytest.param(Budget(others=1, crashes=1), AROUND_THE_REQUEST, id="with a crash"),
        pytest.param(Budget(others=1, troubles=1), AROUND_THE_REQUEST, id="with a trouble"),
    ],
)
def test_two_orders_interleave_at_every_step(budget: Budget, points: frozenset[str]) -> None:
    """The same at each durable write or before each reading, and with a trouble, a crash or a third look."""
    world = World(registry=registry(500, 1000), orders_kg=BOTH, points=points)

    found = Walk(world, budget).run()

    assert found.paths > 100
    world.close()
