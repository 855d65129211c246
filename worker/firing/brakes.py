"""The brakes: pause, the freeze of everything at an anomaly, and the hold while the registry does not let us in.

Rows of `switches`; a firing that is about to be sent re-checks them in the sending transaction.
"""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from worker.db import Database
from worker.db.tables import switches
from worker.event_log import EventLog
from worker.events import REGISTRY_SOURCE, EventDraft, EventType
from worker.firing.policy import Cause, Hold, Policy
from worker.firing.rows import kg_sent_since, wake
from worker.switches import turn

PAUSE = "pause"
FREEZE = "freeze"
CREDENTIALS = "credentials"

# The day of the limit per day, rolling: a calendar day would let twice the limit pass around midnight.
DAY = timedelta(hours=24)

_CAUSES = {PAUSE: Cause.BRAKE, FREEZE: Cause.BRAKE, CREDENTIALS: Cause.CREDENTIALS}
_WORDS = {
    PAUSE: "firing is paused: {}; `credits resume` ends the pause",
    FREEZE: "firing is frozen: {}; `credits resume --because` thaws it",
    CREDENTIALS: "the registry does not let us in: {}",
}


@dataclass(frozen=True, slots=True)
class Switch:
    """One brake that is on."""

    name: str
    reason: str

    @property
    def hold(self) -> Hold:
        """What a firing that would be sent is held for."""
        return Hold(_CAUSES[self.name], _WORDS[self.name].format(self.reason))


class Brakes:
    """Reads and sets the brakes in the caller's transaction."""

    def __init__(self, *, database: Database, event_log: EventLog) -> None:
        self._database = database
        self._event_log = event_log

    def first_on(self, connection: sa.Connection) -> Switch | None:
        """The brake that is on, the hardest first."""
        rows = connection.execute(sa.select(switches).where(switches.c.name.in_(_WORDS), switches.c.on))
        found = {row.name: Switch(row.name, row.reason) for row in rows}
        return next((found[name] for name in (FREEZE, PAUSE, CREDENTIALS) if name in found), None)

    def on(self, connection: sa.Connection, name: str) -> Switch | None:
        """The named brake, if it is on."""
        row = connection.execute(sa.select(switches).where(switches.c.name == name, switches.c.on)).first()
        return None if row is None else Switch(name, row.reason)

    def put_on(self, connection: sa.Connection, name: str, reason: str) -> None:
        """Put a brake on; one that is on keeps its first reason."""
        self._turn(connection, name, on=True, reason=reason)

    def release(self, connection: sa.Connection, name: str, reason: str) -> None:
        """Release a brake and wake what it held."""
        if self.on(connection, name) is not None:
            self._turn(connection, name, on=False, reason=reason)
        wake(connection, [_CAUSES[name]], self._database.now(connection))

    def freeze(self, connection: sa.Connection, reason: str) -> None:
        """Freeze all firing at an anomaly, and say so in the log once."""
        if not self._turn(connection, FREEZE, on=True, reason=reason):
            return
        now = self._database.now(connection)
        frozen = EventDraft(
            source=REGISTRY_SOURCE,
            subject="credits",
            type=EventType.CREDITS_FROZEN,
            time=now,
            fingerprint=reason,
            data={"reason": reason},
        )
        self._event_log.append(connection, [frozen], now)

    def _turn(self, connection: sa.Connection, name: str, *, on: bool, reason: str) -> bool:
        return turn(connection, name, on=on, reason=reason, now=self._database.now(connection))

    def over_limit(self, connection: sa.Connection, policy: Policy, firing_id: int, kg: int) -> Hold | None:
        """Whether these kilograms exceed a limit per delivery or per day."""
        most = policy.max_kg_per_delivery
        if most is not None and kg > most:
            return Hold(Cause.BRAKE, f"{kg} kg are more than the {most} kg that one delivery may have")
        day = policy.max_kg_per_day
        if day is None:
            return None
        sent = kg_sent_since(connection, self._database.now(connection) - DAY, but=firing_id)
        if sent + kg > day:
            return Hold(Cause.BRAKE, f"{kg} kg and the {sent} kg sent in the last 24 hours exceed {day} kg per day")
        return None
