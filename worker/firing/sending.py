"""Sending: one POST of frozen bytes, on a fresh connection, before an absolute deadline. No retry, no redirect."""

from connectors.errors import ConnectorError
from worker.checkpoints import Checkpoint
from worker.clock import Clock
from worker.firing import answers
from worker.firing.account import RegistryAccount
from worker.firing.answers import Reply
from worker.firing.freezing import Frozen

BEFORE_FREEZE = "firing: before freeze"
FROZEN = "firing: frozen"
CONNECTING = "firing: connecting"
ANSWERED = "firing: answered"
RECORDED = "firing: recorded"


class DeadlinePassed(Exception):
    """The deadline passed before a connection was made: nothing was sent."""


class Sending:
    """Sends what was frozen; decides nothing."""

    def __init__(self, *, account: RegistryAccount, clock: Clock, checkpoint: Checkpoint) -> None:
        self._account = account
        self._clock = clock
        self._checkpoint = checkpoint

    def send(self, frozen: Frozen) -> Reply:
        """The meaning of whatever came back; never raises for what the registry or the network does."""
        reply = self._reply(frozen)
        self._checkpoint(ANSWERED)
        return reply

    def _reply(self, frozen: Frozen) -> Reply:
        left = frozen.deadline - self._clock.monotonic()
        if left <= 0:
            return answers.not_sent("the deadline passed before connecting")
        try:
            answer = self._account.require().create_delivery(
                frozen.request, deadline_seconds=left, before_connect=lambda: self._before_connect(frozen)
            )
        except DeadlinePassed:
            return answers.not_sent("the deadline passed before connecting")
        except ConnectorError as error:
            return answers.of_error(error)
        return answers.of_answer(answer, frozen.asked)

    def _before_connect(self, frozen: Frozen) -> None:
        self._checkpoint(CONNECTING)
        # The process may have been suspended since the commit, and the row may belong to somebody else by now.
        if self._clock.monotonic() >= frozen.deadline:
            raise DeadlinePassed
