"""Who gets the next turn: the lanes and their order (DESIGN §4). No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Lane(StrEnum):
    """What a request is for."""

    # Readings just before a credit delivery, at a system that shows a record a request: none may be old (DESIGN §6.4),
    # so they have every turn, and are over within seconds.
    SENDING = "sending"
    POLL = "poll"
    # Readings that completion and firing wait for: every second turn while there are any.
    FIRING = "firing"
    # Backfill, sweep, and the filling of what is pending: whatever the others leave.
    BACKGROUND = "background"


# What is about to be sent goes first. Unless the last turn was for firing, the next one is, whoever else waits; the one
# after goes to the others.
_IN_ORDER = (Lane.SENDING, Lane.FIRING, Lane.POLL, Lane.BACKGROUND)
_AFTER_FIRING = (Lane.SENDING, Lane.POLL, Lane.BACKGROUND, Lane.FIRING)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Somebody who waits in a lane since then; `holder` names the process."""

    lane: Lane
    since: datetime
    holder: str


def first(waiting: Iterable[Waiting], last: Lane | None) -> Waiting | None:
    """Whose turn is next, `last` being the lane of the turn before; None if nobody waits.

    In a lane the longest waiting goes first: callers that ask again and again take turns about.
    """
    order = _AFTER_FIRING if last is Lane.FIRING else _IN_ORDER
    return min(waiting, key=lambda one: (order.index(one.lane), one.since, one.holder), default=None)
