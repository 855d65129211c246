"""The kinds of task there are, how each is treated, and the lane that it travels in.

A lane is one actor and one queue: what shares a lane waits for each other, what has its own does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from worker.tasks import KindRule

MIRROR = "mirror"
COMPLETION = "completion"
FIRING = "firing"
# What is to be said to a customer: the subject is a customer order.
RESPOND = "respond"

POLL = "poll"
BACKFILL = "backfill"
SWEEP = "sweep"
RECONCILE = "reconcile"
MIRROR_AGAIN = "mirror_again"
FIRE = "fire"
WRITE = "write"
JOBS = frozenset({POLL, BACKFILL, SWEEP, RECONCILE, MIRROR_AGAIN, FIRE, WRITE})
# Jobs that read for long.
LONG_JOBS = frozenset({BACKFILL, SWEEP})

# Seconds until the next try of one event at the receiver, published in docs/events.md. Quick at first, since the next
# event of the subject waits; three days in all, so that a long weekend's outage loses nothing.
MIRROR_SCHEDULE = (
    5.0,
    15.0,
    60.0,
    300.0,
    1800.0,
    7200.0,
    18_000.0,
    36_000.0,
    50_400.0,
    64_800.0,
    79_200.0,
)
# Waits are stretched by up to a tenth, so that what failed together does not come back together.
MIRROR_JITTER = 0.1

# Claims of an order's or a firing's task: with the waits between them more than half a day. Their rows are
# rescanned anyway, so a dead letter here says that something is wrong and forgets nothing.
_ORDER_ATTEMPTS = 20
# Claims of a job asked for by hand: whoever asked is waiting for an answer.
_JOB_ATTEMPTS = 5

RULES: Mapping[str, KindRule] = {
    MIRROR: KindRule(max_attempts=len(MIRROR_SCHEDULE) + 1),
    COMPLETION: KindRule(max_attempts=_ORDER_ATTEMPTS, coalesce=True),
    FIRING: KindRule(max_attempts=_ORDER_ATTEMPTS, coalesce=True),
    RESPOND: KindRule(max_attempts=_ORDER_ATTEMPTS, coalesce=True),
    **{kind: KindRule(max_attempts=_JOB_ATTEMPTS) for kind in JOBS},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One actor with its queue. `priority`: lower goes first on a worker's thread (dramatiq's own order)."""

    name: str
    kinds: frozenset[str]
    # Ids in one message.
    per_message: int
    priority: int
    # Only tasks that were tried before (True) or never (False); None: both.
    tried: bool | None = None

    def takes(self, kind: str, *, tried: bool) -> bool:
        """Whether a task of that kind, tried before or not, travels in this lane."""
        return kind in self.kinds and self.tried in (None, tried)


FIRING_LANE = Lane(name="firing", kinds=frozenset({FIRING}), per_message=1, priority=0)
# A few an order's facts: each may ask the source, and a message is one thread's work.
ORDERS_LANE = Lane(name="orders", kinds=frozenset({COMPLETION}), per_message=4, priority=10)
# A barmate that is slow keeps nothing else waiting. Most tasks find nothing to be said, so several share a message.
RESPONSES_LANE = Lane(name="responses", kinds=frozenset({RESPOND}), per_message=10, priority=15)
JOBS_LANE = Lane(name="jobs", kinds=JOBS - LONG_JOBS, per_message=1, priority=20)
# Hours at a request a second; a poll asked for by hand does not wait for them.
LONG_JOBS_LANE = Lane(name="long_jobs", kinds=LONG_JOBS, per_message=1, priority=25)
# Twenty claims share a transaction, which is what lets a backlog of events drain. What failed before travels apart, so
# that subjects whose receiver hangs never take the places of those that are well.
MIRROR_LANE = Lane(name="mirror", kinds=frozenset({MIRROR}), per_message=20, priority=30, tried=False)
MIRROR_TRIED_LANE = Lane(name="mirror_tried", kinds=frozenset({MIRROR}), per_message=20, priority=30, tried=True)
MIRROR_LANES = (MIRROR_LANE, MIRROR_TRIED_LANE)
LANES = (FIRING_LANE, ORDERS_LANE, RESPONSES_LANE, JOBS_LANE, LONG_JOBS_LANE, *MIRROR_LANES)

# Rows looked at again without a task travel as hints in the lane of their tasks.
LOOK_AT_ORDERS = "look_at_orders"
LOOK_AT_FIRINGS = "look_at_firings"
