"""The moves of an intent, each one durable transaction, from the state that it was read in."""

from dataclasses import replace
from datetime import timedelta

from worker.db import Database
from worker.states import WriteState
from worker.writing.decision import Send
from worker.writing.intents import Intents, Write

_ON_ITS_WAY = "on its way"


class Moves:
    """Moves intents on. Every method raises LostClaim where somebody else did so meanwhile."""

    def __init__(self, *, database: Database, intents: Intents) -> None:
        self._database = database
        self._intents = intents

    def freeze(self, write: Write, decided: Send, *, send_seconds: float, settle_seconds: float) -> Write | str:
        """Committed before a byte leaves: the body, and an absolute end. A sentence where another is still in doubt."""
        body = None if decided.body is None else decided.body.decode()
        with self._database.write() as connection:
            now = self._database.now(connection)
            other = self._intents.other_in_doubt(connection, write)
            if other is not None:
                return (
                    f"Write {other} about {write.subject} is still in doubt and has to end first: "
                    "ask for it again as it was, or retry its dead letter"
                )
            deadline = now + timedelta(seconds=send_seconds)
            frozen = replace(
                write,
                state=WriteState.SENDING,
                sends=write.sends + 1,
                body=body,
                baseline=decided.baseline,
                deadline=deadline,
                settled_at=deadline + timedelta(seconds=settle_seconds),
                reason=_ON_ITS_WAY,
            )
            self._intents.change(connection, write, frozen, now, answer=None, answer_status=None)
        return frozen

    def unsent(self, frozen: Write, reason: str) -> Write:
        """Provably nothing left: as if it had not been tried; what earlier requests did stays in doubt."""
        left = frozen.sends - 1
        state = WriteState.UNKNOWN if left else WriteState.ASKED
        return self._moved(frozen, replace(frozen, state=state, sends=left, reason=reason))

    def answered(self, frozen: Write, reason: str, *, status: int | None, kept: str) -> Write:
        """What came back does not settle it; it is kept as evidence."""
        return self._moved(frozen, replace(frozen, reason=reason), answer_status=status, answer=kept)

    def unknown(self, write: Write) -> Write:
        """Looked up and not there, which proves nothing before the settle time is over."""
        told = "its answer is not known" if write.reason == _ON_ITS_WAY else write.reason.rstrip(".")
        reason = f"{told}; not at the warehouse yet, waiting for the settle time."
        return self._moved(write, replace(write, state=WriteState.UNKNOWN, reason=reason))

    def reopened(self, write: Write) -> Write:
        """A person asks for it again: the next look decides, and sends count anew."""
        return self._moved(write, replace(write, state=WriteState.ASKED, sends=0, reason="asked for again"))

    def ended(self, write: Write, state: WriteState, reason: str) -> Write:
        """It cannot be done as asked, or a person must look."""
        return self._moved(write, replace(write, state=state, reason=f"{reason.rstrip('. ')}."))

    def done(self, write: Write, delivery_id: int, reason: str, **answer: object) -> Write:
        """The source has it; `answer` and `answer_status` are what it said, where it said something."""
        return self._moved(
            write, replace(write, state=WriteState.DONE, delivery_id=delivery_id, reason=reason), **answer
        )

    def noted(self, done: Write, reason: str) -> Write:
        """What was seen afterwards."""
        return self._moved(done, replace(done, reason=reason))

    def _moved(self, before: Write, after: Write, **more: object) -> Write:
        with self._database.write() as connection:
            self._intents.change(connection, before, after, self._database.now(connection), **more)
        return after
