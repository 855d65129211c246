"""What is crossed: everything that can go wrong at the registry with every point at which a process can end."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Any

from connectors.simulated.switches import LateStamp, PostFault
from tests.crash_process import COMMITTING, KG, SETTLE, WRITTEN
from worker.firing.freezing import INTENT_COMMITTED, INTENT_WRITTEN
from worker.firing.recording import ANSWER_WRITTEN
from worker.firing.resolving import VERDICT_WRITTEN
from worker.firing.sending import ANSWERED, CONNECTING, FROZEN
from worker.states import FiringState

_EITHER = frozenset({FiringState.NEEDS_PERSON, FiringState.CONFIRMED})

# Points on the other side: the twin ends the process that asked.
REQUEST_OUT = "registry: request came"
COMMITTED = "registry: request done"

# The intent stands and the request never left: nothing can come of it.
UNSENT = (INTENT_COMMITTED, FROZEN, CONNECTING)
# The answer, whatever it was, died with the process.
ANSWER_LOST = (REQUEST_OUT, COMMITTED, ANSWERED, ANSWER_WRITTEN)
# Before and after every commit, whatever it is.
DURABLE = (COMMITTING, WRITTEN)
# Inside a transaction: who is suspended there has the database, and everybody waits for it.
INSIDE = (INTENT_WRITTEN, ANSWER_WRITTEN, VERDICT_WRITTEN, COMMITTING)


class How(Enum):
    """What happens to the process; the value is the signal that does it."""

    KILL = signal.SIGKILL
    SUSPEND = signal.SIGSTOP


class Effect(StrEnum):
    """What the first request that comes does at the registry, whatever is answered."""

    DELIVERS = "delivers"
    NOTHING = "nothing"
    DELIVERS_AFTER_ALL_LOOKED = "delivers after all looked"
    DELIVERS_TWICE = "delivers twice"
    DELIVERS_LESS = "delivers less"
    # The registry's own no: somebody else took the batches between the readings and the request.
    REFUSES = "refuses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One way for the registry to misbehave."""

    name: str
    effect: Effect
    script: tuple[PostFault, ...] = ()
    # Switches for all of the case, and those that last only until the first survivor gave up.
    switches: Mapping[str, Any] = field(default_factory=dict)
    passing: Mapping[str, Any] = field(default_factory=dict)
    hangs: bool = False

    @property
    def timeout_seconds(self) -> float:
        """How long the answer is waited for: real time only where none comes."""
        return 0.2 if self.hangs else 5.0

    @property
    def resendable(self) -> bool:
        """Whether an operator may have allowed resending: only where used batches are refused."""
        return self.effect is not Effect.DELIVERS_TWICE


def _post(fault: PostFault, effect: Effect, *, suffix: str = "", hangs: bool = False, **switches: Any) -> Fault:  # noqa: ANN401
    name = f"{fault.value}{suffix}"
    return Fault(name=name, effect=effect, script=(fault,), switches=switches, hangs=hangs)


def _late(when: str, effect: Effect, seconds: float) -> tuple[Fault, ...]:
    """A commit so many seconds after the request, or just before the next one, with either stamp."""
    return tuple(
        Fault(
            name=f"{PostFault.COMMIT_LATE.value}{when}, stamped {stamp.value}",
            effect=effect,
            script=(PostFault.COMMIT_LATE,),
            switches={"late_commit_seconds": seconds, "late_stamp": stamp.value},
        )
        for stamp in LateStamp
    )


def _read(name: str, **switches: Any) -> tuple[Fault, ...]:  # noqa: ANN401 - values of switches
    """Troubled reads, with a request that succeeds, one that does in silence, and one that is lost."""
    return (
        Fault(name=f"{name}, none", effect=Effect.DELIVERS, passing=switches),
        Fault(
            name=f"{name}, commit_then_drop",
            effect=Effect.DELIVERS,
            script=(PostFault.COMMIT_THEN_DROP,),
            passing=switches,
        ),
        Fault(
            name=f"{name}, drop_before_commit",
            effect=Effect.NOTHING,
            script=(PostFault.DROP_BEFORE_COMMIT,),
            passing=switches,
        ),
    )


POST_FAULTS = (
    Fault(name="none", effect=Effect.DELIVERS),
    _post(PostFault.REFUSE_BEFORE_COMMIT, Effect.NOTHING),
    _post(PostFault.DROP_BEFORE_COMMIT, Effect.NOTHING),
    _post(PostFault.HANG_BEFORE_COMMIT, Effect.NOTHING, hangs=True),
    _post(PostFault.THROTTLE_BEFORE_COMMIT, Effect.NOTHING),
    _post(PostFault.FOREIGN_404, Effect.NOTHING),
    _post(PostFault.COMMIT_THEN_DROP, Effect.DELIVERS),
    _post(PostFault.COMMIT_THEN_500, Effect.DELIVERS),
    _post(PostFault.COMMIT_THEN_HANG, Effect.DELIVERS, hangs=True),
    _post(PostFault.THROTTLE_AFTER_COMMIT, Effect.DELIVERS),
    _post(PostFault.BROKEN_JSON, Effect.DELIVERS),
    _post(PostFault.FEWER_KG_IN_BODY, Effect.DELIVERS),
    _post(PostFault.OTHER_ORDER_IN_BODY, Effect.DELIVERS),
    _post(PostFault.GATEWAY_TWICE, Effect.DELIVERS),
    *_late("", Effect.DELIVERS, 100.0),
    *_late(" between the readings", Effect.DELIVERS, SETTLE + 150.0),
    *_late(" after all looked", Effect.DELIVERS_AFTER_ALL_LOOKED, 4000.0),
    *_late(" just before another request", Effect.NOTHING, 1e6),
    _post(PostFault.GATEWAY_TWICE, Effect.DELIVERS_TWICE, suffix=", used batches accepted", used_batches_refused=False),
    Fault(
        name="fewer kilograms delivered",
        effect=Effect.DELIVERS_LESS,
        switches={"partial_acceptance": True},
    ),
    Fault(name="batches taken by somebody else", effect=Effect.REFUSES),
)

READ_FAULTS = (
    *_read("stale reads", read_stale=0.5, stale_seconds=100.0),
    *_read("partial lists", read_partial=0.5),
    *_read("reads failing", read_error=0.5),
    *_read("lists lag", list_lag_seconds=100.0),
    *_read("everything lags", list_lag_seconds=100.0, lag_covers_orders=True, lag_covers_batches=True),
    *_read("lists lag beyond the settle time", list_lag_seconds=3000.0),
    *_read(
        "everything lags beyond the settle time",
        list_lag_seconds=3000.0,
        lag_covers_orders=True,
        lag_covers_batches=True,
    ),
)


# Readings that lie for longer than we wait, each by itself.
_STALE_FOR_LONG = {"read_stale": 0.6, "stale_seconds": 5000.0}
READ_FAULTS += (
    *_read("stale beyond the settle time", **_STALE_FOR_LONG),
    Fault(
        name="stale beyond the settle time, gateway_twice",
        effect=Effect.DELIVERS,
        script=(PostFault.GATEWAY_TWICE,),
        passing=_STALE_FOR_LONG,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One combination. Without a point nobody ends early."""

    fault: Fault
    resend: bool = False
    point: str | None = None
    nth: int = 1
    how: How = How.KILL
    # Where the process that recovers is killed as well.
    then: str | None = None
    orders: int = 1
    seed: int = 7

    @property
    def is_exact(self) -> bool:
        """Whether the name of the point says what was done before it."""
        return self.nth == 1 and self.point not in DURABLE

    def __str__(self) -> str:
        end = "nobody ends" if self.point is None else f"{self.how.name} at {self.point}#{self.nth}, then {self.then}"
        return f"{self.fault.name} x {end} x resend={self.resend} x orders={self.orders} x seed={self.seed}"


def expected(case: Case) -> frozenset[FiringState]:
    """How the firing of a single order may end; exact for every named point at its first passing.

    For unnamed points and later passings, and where a second process ends as well and nothing is sent again by
    itself, it names what the request that left, or did not, can come to; that what is confirmed was delivered, and
    nothing else, is compared with the registry's own ledger in any case.

    A person is needed in these combinations and no others:

    * the request never left, or left and did nothing, and resending is not allowed;
    * used batches were named, so that the no died with the process: the frozen bytes can not be sent again;
    * less was delivered than was asked for, or the same twice: everything is frozen.
    """
    left = case.point not in UNSENT
    effect = case.fault.effect
    if effect is Effect.DELIVERS_LESS:
        return _one(FiringState.NEEDS_PERSON)
    if left and (effect is Effect.DELIVERS_TWICE or (effect is Effect.REFUSES and not case.is_exact)):
        return _EITHER
    if effect is Effect.REFUSES and left and case.then is None:
        return _one(FiringState.NEEDS_PERSON if case.point in ANSWER_LOST else FiringState.CONFIRMED)
    if case.resend:
        return _one(FiringState.CONFIRMED)
    if case.then is not None or (not case.is_exact and left):
        return _EITHER
    return _one(FiringState.CONFIRMED if left and effect is not Effect.NOTHING else FiringState.NEEDS_PERSON)


def _one(state: FiringState) -> frozenset[FiringState]:
    return frozenset({state})


# What an order gets where the registry takes half of what it is asked.
LESS_KG = KG // 2
