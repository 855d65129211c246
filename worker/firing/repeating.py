"""Repeating: what follows once it is proved that no request took effect (DESIGN §6, rows from `absent`)."""

import sqlalchemy as sa

from worker.db import Database
from worker.firing import pins
from worker.firing.evidence import last_attempt
from worker.firing.policy import Hold, Policy
from worker.firing.preparing import PinsGone
from worker.firing.readiness import Readiness, Ready
from worker.firing.rows import FiringRow, FiringRows, wake_orders_sharing
from worker.states import FiringState

# Fresh pins after a no about the batches, at most so often.
MAX_REPINS = 3
# Sends of one firing before a person is asked why they never arrive.
MAX_ATTEMPTS = 6


class Repeating:
    """Decides about absent firings; each call is one transaction."""

    def __init__(
        self, *, database: Database, rows: FiringRows, readiness: Readiness, policy: Policy, owner: str
    ) -> None:
        self._database = database
        self._rows = rows
        self._readiness = readiness
        self._policy = policy
        self._owner = owner

    def decide(self, firing: FiringRow) -> FiringRow:
        """Where an absent firing goes; still absent means that the same bytes may be sent again. Raises Overtaken."""
        with self._database.write() as connection:
            current = self._rows.load(connection, firing.id, lock=True)
            if current.state is not FiringState.ABSENT:
                return current
            believed = None if current.refusal is None else current.refusal.get("believed")
            if believed is not None:
                return self._after_no(connection, current, str(believed))
            return self._after_silence(connection, current)

    def ready(self, firing: FiringRow) -> Ready | None:
        """What the frozen bytes ask for, if nothing is missing and the order still says the same; None to wait."""
        with self._database.read() as connection:
            standing = self._readiness.standing(connection, firing.key)
            judged = self._readiness.judge(connection, standing, firing)
        if not self._policy.sends or not isinstance(judged, Ready):
            return None
        return judged if (judged.link.credit_order_id, judged.kg) == (firing.credit_order_id, firing.kg) else None

    def not_again(self, firing: FiringRow, found: Hold | PinsGone) -> FiringRow | None:
        """The readings before sending the same bytes again say no: a person decides."""
        with self._database.write() as connection:
            return self._to_person(connection, firing, f"the same bytes can not be sent again: {found.reason}")

    def _after_no(self, connection: sa.Connection, firing: FiringRow, about: str) -> FiringRow:
        said = str((firing.refusal or {}).get("reason", "the registry said no"))
        if about == "batches" and firing.repins < MAX_REPINS:
            pins.free(connection, firing.id)
            values = {"repins": firing.repins + 1, "refusal": None, "look_at": self._database.now(connection)}
            reason = f"fresh batches are needed: {said}"
            return self._rows.move(
                connection, firing, FiringState.PLANNED, reason=reason, by=self._owner, values=values
            )
        if about == "order":
            pins.free(connection, firing.id)
            wake_orders_sharing(connection, firing, self._database.now(connection))
            return self._rows.move(connection, firing, FiringState.REFUSED, reason=said, by=self._owner)
        return self._to_person(connection, firing, said)

    def _after_silence(self, connection: sa.Connection, firing: FiringRow) -> FiringRow:
        if not (self._policy.resend_after_absence or firing.resend_allowed):
            return self._to_person(
                connection, firing, "nothing took effect, and sending again is not allowed by itself"
            )
        attempt = last_attempt(connection, firing.id)
        if attempt is not None and attempt.number >= MAX_ATTEMPTS and not firing.resend_allowed:
            return self._to_person(connection, firing, f"{attempt.number} requests took no effect")
        return firing

    def _to_person(self, connection: sa.Connection, firing: FiringRow, reason: str) -> FiringRow:
        return self._rows.move(connection, firing, FiringState.NEEDS_PERSON, reason=reason, by=self._owner)
