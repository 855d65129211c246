"""Sending one frozen write: the bytes of its row, once, before its deadline. Makes no decision and touches no row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from connectors.logistic_cloud_writes import DeliveryWrites, Outcome
from worker.states import WriteAction
from worker.writing.intents import Write

# Seconds for a write, its turn of the budget included: a turn may wait behind a poll and its repeats; an answer of the
# source comes within a few. No byte leaves afterwards.
SEND_SECONDS = 30.0


class TooLate(Exception):
    """The deadline passed before the connection was made: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends to any account that has a key."""

    writers: Mapping[str, DeliveryWrites] = field(repr=False)
    seconds: float = SEND_SECONDS

    def send(self, write: Write, *, may_still: Callable[[], bool]) -> Outcome:
        """Send; `may_still` has the last word before connecting. Raises TooLate where it says no."""
        writer = self.writers[write.account]

        def last_word() -> None:
            if not may_still():
                raise TooLate

        body = b"" if write.body is None else write.body.encode()
        if write.action is WriteAction.CREATE:
            return writer.create(body, deadline_seconds=self.seconds, before_connect=last_word)
        known = _known(write)
        if write.action is WriteAction.UPDATE:
            return writer.update(known, body, deadline_seconds=self.seconds, before_connect=last_word)
        return writer.approve(known, deadline_seconds=self.seconds, before_connect=last_word)


def _known(write: Write) -> int:
    """The delivery's id, which the table requires of everything but a creation."""
    if write.delivery_id is None:
        raise ValueError(write.id)
    return write.delivery_id
