"""What the operator decided about firing, and the vocabulary of what a firing can lack. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Mode(StrEnum):
    """How far firing goes by itself (DESIGN §6.2)."""

    PLAN = "plan"
    APPROVE = "approve"
    AUTOMATIC = "automatic"


class Cause(StrEnum):
    """What a held firing lacks: decides when it is looked at again."""

    ORDER = "order"
    LINK = "link"
    AMOUNT = "amount"
    SINCE = "since"
    PERSON = "person"
    BRAKE = "brake"
    CREDENTIALS = "credentials"
    UNATTRIBUTED = "unattributed"
    BATCHES = "batches"
    RESERVED = "reserved"
    CREDIT_ORDER = "credit_order"
    FRESHNESS = "freshness"


# Seen only by the readings before sending: a held firing with one of these is judged anew by fresh ones.
REMOTE = frozenset({Cause.BATCHES, Cause.RESERVED, Cause.CREDIT_ORDER, Cause.FRESHNESS})

# A held firing is looked at again this often, in seconds; what wakes it earlier is in `docs/states.md`.
HELD_SECONDS = 300.0
# Credentials come back by a person's deed, who then waits for the effect.
CREDENTIALS_SECONDS = 60.0
# A delivery that nobody claims yet may belong to an order that is about to be read.
UNATTRIBUTED_SECONDS = 15.0
# Another firing is resolved within seconds, as a rule.
RESERVED_SECONDS = 20.0
# Customers receive what they asked for, and a slow barmate recovers, within minutes; finding too many costs nothing.
FRESHNESS_SECONDS = 60.0

_RECHECK = {
    Cause.CREDENTIALS: CREDENTIALS_SECONDS,
    Cause.UNATTRIBUTED: UNATTRIBUTED_SECONDS,
    Cause.RESERVED: RESERVED_SECONDS,
    Cause.FRESHNESS: FRESHNESS_SECONDS,
}
# These change only by an event or a command, which look at the firing themselves.
_NEVER = frozenset({Cause.PERSON, Cause.SINCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The settings of DESIGN §8 that firing obeys; times in seconds, amounts in kilograms."""

    mode: Mode
    host: str
    since: datetime | None = None
    max_kg_per_delivery: int | None = None
    max_kg_per_day: int | None = None
    # How long one answer of the registry is waited for.
    timeout_seconds: float = 30.0
    # Wait before an unclear delivery is reconciled.
    settle_seconds: float = 300.0
    resend_after_absence: bool = False

    @property
    def sends(self) -> bool:
        """Whether the mode is one in which credit deliveries are made."""
        return self.mode is not Mode.PLAN


@dataclass(frozen=True, slots=True)
class Hold:
    """Something is missing: what kind of thing, and a sentence for a person."""

    cause: Cause
    reason: str


def recheck_at(cause: Cause, now: datetime) -> datetime | None:
    """When to look again at a firing that is held for this; None where only an event or a person changes it."""
    if cause in _NEVER:
        return None
    return now + timedelta(seconds=_RECHECK.get(cause, HELD_SECONDS))
