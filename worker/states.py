"""The states of orders, firings, tasks and coverage, and the changes that are allowed.

`FIRING_CHANGES` is the one statement of what a firing may do; the migration writes it into the database, whose trigger
refuses anything else, and `docs/states.md` explains each arrow (DESIGN §6).
"""

from enum import StrEnum


class OrderState(StrEnum):
    """Where an order stands (DESIGN §5)."""

    OPEN = "open"  # a delivery is still on its way, or fewer have come than expected
    BLOCKED = "blocked"  # something about a delivery needs attention; the reason says what
    SETTLING = "settling"  # all completed; quiet time or the reading at the source is not over
    COMPLETE = "complete"  # complete, read at the source, linked
    UNLINKED = "unlinked"  # complete, but no link says what it is paid with
    CANCELLED = "cancelled"  # every delivery was cancelled


class FiringState(StrEnum):
    """Where a firing stands (DESIGN §6)."""

    HELD = "held"  # something is missing; nothing was sent
    PLANNED = "planned"  # would be sent, waits for the mode or a person
    ARMED = "armed"  # may be sent
    SENDING = "sending"  # frozen and committed; a request may be on its way
    AMBIGUOUS = "ambiguous"  # a request may have taken effect; being reconciled
    ABSENT = "absent"  # proved that no request took effect
    NEEDS_PERSON = "needs_person"  # the readings leave a doubt
    CONFIRMED = "confirmed"  # the registry has it; for ever
    REFUSED = "refused"  # the registry said no and nothing took effect
    WITHDRAWN = "withdrawn"  # the order re-opened before anything was sent
    ABANDONED = "abandoned"  # a person gave it up; for ever


_S = FiringState

FIRING_CHANGES: frozenset[tuple[FiringState, FiringState]] = frozenset(
    {
        (_S.PLANNED, _S.HELD),
        (_S.ARMED, _S.HELD),
        (_S.HELD, _S.PLANNED),
        (_S.PLANNED, _S.ARMED),
        (_S.ARMED, _S.PLANNED),
        (_S.PLANNED, _S.WITHDRAWN),
        (_S.HELD, _S.WITHDRAWN),
        (_S.ARMED, _S.WITHDRAWN),
        (_S.WITHDRAWN, _S.PLANNED),
        (_S.ARMED, _S.SENDING),
        (_S.SENDING, _S.ARMED),
        (_S.SENDING, _S.AMBIGUOUS),
        (_S.AMBIGUOUS, _S.ABSENT),
        (_S.AMBIGUOUS, _S.NEEDS_PERSON),
        (_S.ABSENT, _S.SENDING),
        (_S.ABSENT, _S.PLANNED),
        (_S.ABSENT, _S.REFUSED),
        (_S.ABSENT, _S.NEEDS_PERSON),
        (_S.REFUSED, _S.PLANNED),
        (_S.NEEDS_PERSON, _S.ABSENT),
        (_S.NEEDS_PERSON, _S.ABANDONED),
    }
    # Found at the registry by its marker, or told by an answer that came late: true from wherever we stood.
    | {(state, _S.CONFIRMED) for state in FiringState if state not in {_S.CONFIRMED, _S.ABANDONED}}
)

# Ended: no worker looks at these again.
ENDED = frozenset({_S.CONFIRMED, _S.ABANDONED})
# Frozen and not yet confirmed, refused or abandoned: reserves its kilograms and its pins.
UNRESOLVED = frozenset({_S.SENDING, _S.AMBIGUOUS, _S.ABSENT, _S.NEEDS_PERSON})
# Nothing was ever sent: the order may still take it back.
UNSENT = frozenset({_S.HELD, _S.PLANNED, _S.ARMED})


class TaskState(StrEnum):
    """Where a task stands."""

    WAITING = "waiting"  # open: to be done when due
    RUNNING = "running"  # claimed, with a token and a lease
    DONE = "done"  # closed by the transaction that did its work
    DISCARDED = "discarded"  # a dead letter: given up, until a person retries or drops it


class CoverageState(StrEnum):
    """What is known of a span of source time (DESIGN §1)."""

    CERTIFIED = "certified"
    PENDING = "pending"
    HOLE = "hole"


class WriteAction(StrEnum):
    """The source's own write calls (logistic.cloud developer docs, resources/deliveries)."""

    CREATE = "create"
    UPDATE = "update"
    APPROVE = "approve"


class WriteState(StrEnum):
    """Where a write at the source stands."""

    ASKED = "asked"  # wanted; nothing was sent, or provably nothing arrived
    SENDING = "sending"  # frozen and committed; a request may be on its way
    UNKNOWN = "unknown"  # a request may have taken effect; being looked up
    DONE = "done"  # the source has it
    REFUSED = "refused"  # it cannot be done as asked, and nothing took effect
    NEEDS_PERSON = "needs_person"  # what the source shows leaves a doubt


# A request may have taken effect: at most one write of a subject is in one of these.
WRITE_IN_DOUBT = frozenset({WriteState.SENDING, WriteState.UNKNOWN})
# Not ended: a worker goes on with it.
WRITE_OPEN = frozenset({WriteState.ASKED}) | WRITE_IN_DOUBT


class ResponseState(StrEnum):
    """Where a response to a customer order stands (DESIGN §7)."""

    WANTED = "wanted"  # committed; provably nothing is on its way
    SENDING = "sending"  # a request may be on its way
    UNKNOWN = "unknown"  # a request may have taken effect; being looked up
    SENT = "sent"  # barmate has it
    REFUSED = "refused"  # barmate said no, and does not show it
    SUPERSEDED = "superseded"  # did not take effect, and something else counts now
    NEEDS_PERSON = "needs_person"  # a request may have taken effect, and readings do not show it


_R = ResponseState

RESPONSE_CHANGES: frozenset[tuple[ResponseState, ResponseState]] = frozenset(
    {
        (_R.WANTED, _R.SENDING),
        (_R.WANTED, _R.SENT),
        (_R.WANTED, _R.SUPERSEDED),
        (_R.SENDING, _R.WANTED),
        (_R.SENDING, _R.SENT),
        (_R.SENDING, _R.UNKNOWN),
        (_R.UNKNOWN, _R.SENT),
        (_R.UNKNOWN, _R.WANTED),
        (_R.UNKNOWN, _R.REFUSED),
        (_R.UNKNOWN, _R.SUPERSEDED),
        (_R.UNKNOWN, _R.NEEDS_PERSON),
        (_R.NEEDS_PERSON, _R.SENT),
        (_R.NEEDS_PERSON, _R.SUPERSEDED),
        # By a person, who wants it tried again.
        (_R.REFUSED, _R.SUPERSEDED),
    }
)

# Not ended: a customer order has at most one response in one of these.
RESPONSE_OPEN = frozenset({_R.WANTED, _R.SENDING, _R.UNKNOWN, _R.NEEDS_PERSON})
# A request may have taken effect.
RESPONSE_IN_DOUBT = frozenset({_R.SENDING, _R.UNKNOWN, _R.NEEDS_PERSON})
