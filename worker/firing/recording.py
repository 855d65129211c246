"""Recording: what an answer does to its attempt and to the firing. A late answer is always recorded (DESIGN §6.5)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from worker.checkpoints import Checkpoint, nothing
from worker.db import Database
from worker.db.tables import attempts
from worker.firing import pins
from worker.firing.answers import Meaning, Reply
from worker.firing.binding import one_at_a_time
from worker.firing.brakes import CREDENTIALS, Brakes
from worker.firing.confirming import Confirming
from worker.firing.evidence import OK
from worker.firing.freezing import Frozen
from worker.firing.rows import FiringRow, FiringRows
from worker.states import FiringState

# In the transaction, with everything written that the answer changes.
ANSWER_WRITTEN = "firing: answer written"

# After n sends that made no connection the next one waits 2^n seconds, at most this long.
MAX_WAIT_SECONDS = 300.0
_WHERE_IT_MATTERS = (FiringState.AMBIGUOUS, FiringState.ABSENT)


class Recording:
    """Writes answers, each in one durable transaction."""

    def __init__(
        self,
        *,
        database: Database,
        rows: FiringRows,
        brakes: Brakes,
        confirming: Confirming,
        owner: str,
        checkpoint: Checkpoint = nothing,
    ) -> None:
        self._database = database
        self._rows = rows
        self._brakes = brakes
        self._confirming = confirming
        self._owner = owner
        self._checkpoint = checkpoint

    def record(self, frozen: Frozen, reply: Reply) -> FiringRow:
        """Record the answer and move the firing as it says; the firing as it stands then."""
        with self._database.write() as connection:
            recorded = self._record(connection, frozen, reply)
            self._checkpoint(ANSWER_WRITTEN)
            return recorded

    def _record(self, connection: sa.Connection, frozen: Frozen, reply: Reply) -> FiringRow:
        one_at_a_time(connection)
        firing = self._rows.load(connection, frozen.firing_id, lock=True)
        late = firing.state is not FiringState.SENDING or not self._is_latest(connection, frozen)
        self._end_attempt(connection, frozen, reply, late=late)
        if reply.meaning is Meaning.FOREIGN:
            self._brakes.put_on(connection, CREDENTIALS, reply.reason)
        if reply.delivery is not None:
            return self._confirming.confirm(connection, firing, reply.delivery, reason=reply.reason, by=self._owner)
        if late:
            return self._late(connection, firing, reply)
        if reply.meaning is Meaning.NOT_SENT and not frozen.resend:
            return self._never_sent(connection, firing, frozen, reply)
        return self._unclear(connection, firing, reply)

    def _never_sent(self, connection: sa.Connection, firing: FiringRow, frozen: Frozen, reply: Reply) -> FiringRow:
        pins.free(connection, firing.id)
        wait = min(2.0**frozen.number, MAX_WAIT_SECONDS)
        look_at = self._database.now(connection) + timedelta(seconds=wait)
        reason = f"nothing was sent: {reply.reason}"
        values = {"look_at": look_at}
        return self._rows.move(connection, firing, FiringState.ARMED, reason=reason, by=self._owner, values=values)

    def _unclear(self, connection: sa.Connection, firing: FiringRow, reply: Reply) -> FiringRow:
        values = {"look_at": self._database.now(connection), "refusal": refusal_of(reply)}
        return self._rows.move(
            connection, firing, FiringState.AMBIGUOUS, reason=reply.reason, by=self._owner, values=values
        )

    def _late(self, connection: sa.Connection, firing: FiringRow, reply: Reply) -> FiringRow:
        """An answer after somebody else took over: it confirms (done already), is remembered, or stops a resend."""
        if firing.state not in _WHERE_IT_MATTERS:
            return firing
        if reply.status == OK and firing.state is FiringState.AMBIGUOUS:
            # The readings may show what it meant; that there was one stops absence from being believed.
            return self._rows.note(connection, firing, look_at=self._database.now(connection))
        if reply.status == OK:
            reason = f"a late answer: {reply.reason}"
            return self._rows.move(connection, firing, FiringState.NEEDS_PERSON, reason=reason, by=self._owner)
        if reply.meaning is Meaning.NO and firing.state is FiringState.AMBIGUOUS:
            return self._rows.note(connection, firing, refusal=refusal_of(reply))
        return firing

    def _is_latest(self, connection: sa.Connection, frozen: Frozen) -> bool:
        statement = sa.select(sa.func.max(attempts.c.number)).where(attempts.c.firing_id == frozen.firing_id)
        return bool(connection.execute(statement).scalar_one() == frozen.number)

    def _end_attempt(self, connection: sa.Connection, frozen: Frozen, reply: Reply, *, late: bool) -> None:
        values = {
            "outcome": reply.meaning,
            "status": reply.status,
            "answer": reply.reason if reply.text is None else reply.text,
            "ended_at": self._database.now(connection),
            "late": late,
        }
        connection.execute(sa.update(attempts).where(attempts.c.id == frozen.attempt_id).values(**values))


def refusal_of(reply: Reply) -> Mapping[str, Any] | None:
    """The registry's own no, to be believed once absence is proved; None for anything else."""
    if reply.meaning is not Meaning.NO or reply.about is None:
        return None
    return {"status": reply.status, "about": reply.about.value, "reason": reply.reason}
