"""What becomes of a call of barmate's webhooks with the right credentials: a durable hint, or nothing.

A call is believed in one thing, that it may be worth reading that order. A forged, repeated or senseless one therefore
costs one reading at most, and changes nothing else.
"""

from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from connectors.barmate_call import BadCall, Call, UnknownCall, read_call
from worker.checkpoints import Checkpoint
from worker.customers import hints
from worker.customers.hints import Hint
from worker.db import Database

# A year of a busy supplier's calls. Beyond that barmate cannot be read anyway, and polling finds what was missed.
MOST_WAITING = 10_000

# Passed once a hint is durable, before the caller is answered.
HINT_KEPT = "listener: hint kept"


class Heard(StrEnum):
    """What became of a call."""

    TAKEN = "taken"
    REPEATED = "repeated"  # taken before, under the same key
    UNKNOWN_TYPE = "unknown_type"
    MALFORMED = "malformed"
    TOO_MANY = "too_many"  # hints wait for being read


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """Takes calls for one account at barmate, from any thread."""

    database: Database
    host: str
    checkpoint: Checkpoint
    most_waiting: int = MOST_WAITING

    def take(self, body: bytes) -> Heard:
        """Keep the hint of a call; durable when this returns. Raises DatabaseUnavailable."""
        match read_call(body):
            case BadCall():
                return Heard.MALFORMED
            case UnknownCall():
                return Heard.UNKNOWN_TYPE
            case Call() as call:
                hint = Hint(idempotency_key=call.key, order_id=call.order_id, type=call.type.value)
        with self.database.write() as connection:
            heard = self._keep(connection, hint)
        self.checkpoint(HINT_KEPT)
        return heard

    def _keep(self, connection: sa.Connection, hint: Hint) -> Heard:
        if hints.is_kept(connection, self.host, hint.idempotency_key):
            return Heard.REPEATED
        if hints.are_many(connection, self.host, self.most_waiting):
            return Heard.TOO_MANY
        added = hints.add(connection, self.host, hint, self.database.now(connection))
        return Heard.TAKEN if added else Heard.REPEATED
