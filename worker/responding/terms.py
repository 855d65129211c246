"""What the operator decided about responses, and how long is waited for what."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from connectors.barmate_records import ResponseType
from worker.customers.linking import LinkBy
from worker.responding.words import Words

# Seconds for one response, its turn of the budget included; no byte leaves afterwards.
SEND_SECONDS = 30.0
# Readings after the settle time, as far apart as a part of it, that have to agree that a response is not there.
LOOKS = 3
_APART = 5
# Requests of one response that may go out by themselves: what is lost three times is no accident.
MAX_SENDS = 3
# Seconds that nothing is sent after barmate did not accept the credential: then one response tries it again.
DENIED_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The settings of responses. `accounts`: those whose deliveries may name customer orders."""

    host: str
    link_by: LinkBy
    respond: bool
    respond_reject: bool
    quiet: timedelta
    settle: timedelta
    resend_after_absence: bool
    zone: ZoneInfo | None
    accounts: tuple[str, ...]

    @property
    def any(self) -> bool:
        """Whether anything may be said."""
        return self.respond or self.respond_reject

    @property
    def apart(self) -> timedelta:
        """The time between two readings that look for a response."""
        return self.settle / _APART

    def allow(self, words: Words) -> bool:
        """Whether that may be said."""
        return self.respond_reject if words.type is ResponseType.REJECT else self.respond
