"""What an actor's service and the runtime say to each other."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

# Called by a service once, in the transaction that did the work; closes the task with the token it was claimed with
# (raises LostClaim if somebody else has it now). Where rows are rescanned without a task it does nothing.
Close = Callable[[sa.Connection], None]


@dataclass(frozen=True, slots=True)
class Done:
    """The service called `close` in its transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """Not done: look again then. `counted` is False where waiting is normal and nothing went wrong."""

    until: datetime
    reason: str
    counted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """As Later, so many seconds after this is settled: of whoever has no transaction that tells the database's time."""

    seconds: float
    reason: str
    counted: bool = True


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Can never be done: a dead letter, with the reason."""

    reason: str


Outcome = Done | Later | After | GiveUp
