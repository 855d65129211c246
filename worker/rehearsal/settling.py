"""When a rehearsal is over: what is still open, in sentences. Pure."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime

from worker.rehearsal.facts import Facts, Order
from worker.rehearsal.twins import Progress
from worker.states import FiringState, OrderState, ResponseState

# On their way to an end by themselves; a held one waits, and is settled as far as anybody can tell.
_UNDER_WAY = (
    FiringState.PLANNED,
    FiringState.ARMED,
    FiringState.SENDING,
    FiringState.AMBIGUOUS,
    FiringState.ABSENT,
)
# One that needs a person waits as well.
_BEING_SAID = (ResponseState.WANTED, ResponseState.SENDING, ResponseState.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`story_ended`: when the last change was made, as seconds since 1970; `to_deliver`: orders that must end.

    `customers_ended`: when a customer did something last.
    """

    story_ended: float
    customers_ended: float
    to_deliver: AbstractSet[Order]


def still_open(progress: Progress, facts: Facts, goal: Goal | None) -> list[str]:
    """What is not settled yet; nothing once all is. Without a goal the story itself goes on."""
    if goal is None:
        return [f"the story has {progress.steps_left} changes left"]
    return [
        *_reading(facts, goal),
        *(f"{count} {kind} tasks are open" for kind, count in sorted(facts.open_tasks.items())),
        *_moving(facts),
        *_customers(facts),
        *_undelivered(facts, goal),
    ]


def has_read_all(facts: Facts, goal: Goal | None) -> bool:
    """Whether everything that happened is certified."""
    return goal is not None and not _reading(facts, goal)


def signature(facts: Facts) -> tuple[object, ...]:
    """Changes whenever anything moves."""
    groups = (facts.open_tasks, facts.orders, facts.firings, facts.responses)
    return facts.events, facts.ended, facts.customer_reads, *(tuple(sorted(group.items())) for group in groups)


def _reading(facts: Facts, goal: Goal) -> list[str]:
    if facts.certified_until is not None and facts.certified_until >= goal.story_ended:
        return []
    shown = "not at all" if facts.certified_until is None else f"until {_clock(facts.certified_until)}"
    return [f"deliveries are certified {shown} and the story ended at {_clock(goal.story_ended)}"]


def _moving(facts: Facts) -> list[str]:
    settling = facts.orders.get(OrderState.SETTLING, 0)
    moving = {state: facts.firings.get(state, 0) for state in _UNDER_WAY}
    said = [f"{settling} orders are settling"] if settling else []
    return said + [f"{count} firings are {state}" for state, count in moving.items() if count]


def _customers(facts: Facts) -> list[str]:
    """What is not read or said at barmate yet."""
    reads, said = facts.customer_reads, {state: facts.responses.get(state, 0) for state in _BEING_SAID}
    owed = [f"{reads} customer orders are to be read"] if reads else []
    return owed + [f"{count} responses to customer orders are {state}" for state, count in said.items() if count]


def _undelivered(facts: Facts, goal: Goal) -> list[str]:
    waiting = goal.to_deliver - facts.ended
    return (
        [f"{len(waiting)} of {len(goal.to_deliver)} orders to be delivered have not come to an end"] if waiting else []
    )


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S")
