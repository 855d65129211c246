"""The model check: every way that the real code can go within a budget of faults, walked to its end.

At every state: no double, never more than ordered, no confirmation without its delivery, no other bytes than the frozen
ones. Where nothing goes on any more: nobody is forgotten, and what the registry has is confirmed. A circle in which
something is still under way, and a state that nobody leaves, break the walk, so everything ends.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import COUNTED
from tests.firing_kit import SETTLE
from tests.model_registry import LATE_SECONDS, LocalRegistry, Trouble
from tests.model_rules import never_found
from tests.model_walk import TOO_LONG, Broken, Budget, Walk
from tests.model_world import AROUND_THE_REQUEST, EVERY_READ, EVERY_WRITE, World


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A walk: what may happen, in which world, and how many states and paths it has at the least."""

    name: str
    budget: Budget
    paths: int
    points: frozenset[str] = EVERY_WRITE
    policy: dict[str, Any] = field(default_factory=dict)
    walk: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """The name of the test."""
        return self.name


RESENDS = {"resend_after_absence": True}
# Who slept through the settle time, or found another installation's deed, is put right by the nightly comparison.
BY_NIGHT = {"at_end": never_found}

CASES = [
    Case(name="two troubles, and a person after that", budget=Budget(troubles=2), paths=50),
    Case(name="a crash and a trouble", budget=Budget(troubles=1, crashes=1), paths=200),
    Case(name="two crashes", budget=Budget(crashes=2), paths=90),
    Case(name="bad readings and a trouble", budget=Budget(reads=1, troubles=1), paths=100),
    Case(
        name="a message that comes twice",
        budget=Budget(early=1, troubles=1, crashes=1),
        points=AROUND_THE_REQUEST,
        paths=200,
    ),
    Case(name="a second worker and a crash", budget=Budget(others=1, crashes=1), paths=1000),
    Case(
        name="a second worker and a trouble",
        budget=Budget(others=1, troubles=1),
        points=AROUND_THE_REQUEST,
        policy=RESENDS,
        paths=100,
    ),
    Case(
        name="a second worker while one sleeps", budget=Budget(others=1, sleeps=1), points=AROUND_THE_REQUEST, paths=60
    ),
    Case(
        name="a second worker while one sleeps too long",
        budget=Budget(others=1, sleeps=1),
        points=AROUND_THE_REQUEST,
        walk={"sleeps": (TOO_LONG,), **BY_NIGHT},
        paths=30,
    ),
    Case(
        name="a second installation after the first",
        budget=Budget(swaps=1, troubles=1),
        points=AROUND_THE_REQUEST,
        paths=70,
    ),
    Case(
        name="the first installation again after the second",
        budget=Budget(swaps=2, crashes=1),
        points=AROUND_THE_REQUEST,
        walk=BY_NIGHT,
        paths=50,
    ),
    Case(
        name="a restored copy of the database",
        budget=Budget(copies=1, swaps=1, crashes=1),
        points=AROUND_THE_REQUEST,
        paths=150,
    ),
    Case(
        name="a person who says that nothing took effect",
        budget=Budget(decisions=1, troubles=2),
        points=AROUND_THE_REQUEST,
        paths=100,
    ),
]

LONG = [
    Case(name="two troubles, and three requests", budget=Budget(troubles=2), policy=RESENDS, paths=100),
    Case(name="three troubles", budget=Budget(troubles=3), policy=RESENDS, paths=1000),
    Case(name="two crashes and two troubles", budget=Budget(troubles=2, crashes=2), policy=RESENDS, paths=1000),
    Case(
        name="a second worker, a sleep, a crash, a trouble",
        budget=Budget(others=1, sleeps=1, crashes=1, troubles=1),
        points=AROUND_THE_REQUEST,
        policy=RESENDS,
        walk=BY_NIGHT,
        paths=3000,
    ),
    Case(
        name="a second worker twice, and two troubles",
        budget=Budget(others=2, troubles=2),
        points=AROUND_THE_REQUEST,
        policy=RESENDS,
        paths=1000,
    ),
    Case(
        name="a second worker at every reading",
        budget=Budget(others=1, crashes=1),
        points=EVERY_READ,
        policy=RESENDS,
        paths=2000,
    ),
    Case(
        name="a restored copy and a trouble",
        budget=Budget(copies=1, swaps=2, troubles=1),
        walk=BY_NIGHT,
        paths=1000,
    ),
    Case(
        name="two bad readings, a trouble, a crash",
        budget=Budget(reads=2, troubles=1, crashes=1),
        points=AROUND_THE_REQUEST,
        policy=RESENDS,
        paths=1000,
    ),
    Case(
        name="a person, two troubles and a crash",
        budget=Budget(decisions=2, troubles=2, crashes=1),
        points=AROUND_THE_REQUEST,
        paths=1000,
    ),
]


def walked(case: Case, record: Callable[[str, object], None]) -> None:
    """Walk it, and tell how far that was."""
    world = World(points=case.points, **case.policy)
    try:
        found = Walk(world, case.budget, **case.walk).run()
    finally:
        world.close()
    record(f"{COUNTED}states of the model of a firing", found.states)
    record(f"{COUNTED}paths through the model of a firing", found.paths)

    assert found.paths >= case.paths
    assert "confirmed" in found.ends


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_way_ends_with_one_delivery_or_with_a_reason(
    case: Case, record_property: Callable[[str, object], None]
) -> None:
    """No double, no silent loss, and everything ends."""
    walked(case, record_property)


@pytest.mark.long
@pytest.mark.parametrize("case", LONG, ids=str)
def test_every_longer_way_ends_with_one_delivery_or_with_a_reason(
    case: Case, record_property: Callable[[str, object], None]
) -> None:
    """The same with more that may happen."""
    walked(case, record_property)


def test_a_registry_that_takes_used_batches_is_noticed_and_everything_freezes() -> None:
    """A gateway that repeats a request can not be prevented there; once somebody reads, nothing is sent any more."""
    world = World(
        registry=lambda clock: LocalRegistry(clock, used_batches_refused=False),
        points=AROUND_THE_REQUEST,
        resend_after_absence=True,
    )

    found = Walk(
        world,
        Budget(troubles=1, crashes=1),
        troubles=(Trouble.SENT_TWICE,),
        doubles=True,
        at_end=not_frozen,
    ).run()

    assert found.states > 20
    world.close()


def not_frozen(world: World) -> str | None:
    """A double that nobody noticed, although everything the supplier delivered was read."""
    never_found(world)
    frozen = world.raw.execute("SELECT 1 FROM switches WHERE name = 'freeze' AND \"on\"").fetchone()
    doubled = len(world.registry.happened()) > len(world.kg)
    return "two deliveries carry one marker, and nothing is frozen" if doubled and frozen is None else None


def test_a_registry_that_takes_used_batches_gets_no_request_again_before_the_settle_time() -> None:
    """A request that takes effect late has done so before its absence is believed."""
    walk_with_settle_time(SETTLE)


def test_the_walk_finds_the_double_of_a_settle_time_that_is_too_short() -> None:
    """The same walk bites: it tells the way to two deliveries with one marker."""
    with pytest.raises(Broken, match="two deliveries carry one marker"):
        walk_with_settle_time(LATE_SECONDS / 2)


def walk_with_settle_time(seconds: float) -> None:
    """Walk where a late commit comes and used batches are taken again."""
    late = (Trouble.COMMITTED_LATE_STAMPED_EARLY, Trouble.COMMITTED_LATE_STAMPED_LATE)
    world = World(
        registry=lambda clock: LocalRegistry(clock, used_batches_refused=False),
        points=AROUND_THE_REQUEST,
        resend_after_absence=True,
        settle_seconds=seconds,
    )
    try:
        Walk(world, Budget(troubles=1), troubles=late).run()
    finally:
        world.close()
