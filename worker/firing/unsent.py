"""Firings of which nothing was sent: created, held, planned, armed, withdrawn, as the order and the operator stand."""

from datetime import timedelta

import sqlalchemy as sa

from worker.db import Database
from worker.events import OrderKey
from worker.firing.policy import REMOTE, Cause, Hold, Mode, recheck_at
from worker.firing.readiness import Gone, Readiness, Ready
from worker.firing.rows import FiringRow, FiringRows, Overtaken
from worker.standing import Standing
from worker.states import FiringState, OrderState

# Who arms goes on to send at once; this is when somebody else takes over from a process that died there, in seconds.
ARMED_SECONDS = 15.0
_PLANNED = "nothing is missing; the mode automatic or an approval sends it"
_BACK = "what was missing is there"
_APPROVAL_OVER = "what was approved has changed: look at `credits plan` and approve again"


class Unsent:
    """Moves firings as far as nothing but our own database is needed; each call is one transaction."""

    def __init__(self, *, database: Database, rows: FiringRows, readiness: Readiness, owner: str) -> None:
        self._database = database
        self._rows = rows
        self._readiness = readiness
        self._owner = owner

    def begin(self, key: OrderKey) -> FiringRow | None:
        """Create the order's first firing if it is complete and linked and has none; None if it is not."""
        try:
            return self._begin(key)
        except (sa.exc.IntegrityError, Overtaken):
            # Somebody else created it in this moment.
            return None

    def _begin(self, key: OrderKey) -> FiringRow | None:
        with self._database.write() as connection:
            existing = [firing for firing in self._rows.of_order(connection, key) if firing.ordinal == 0]
            standing = self._readiness.standing(connection, key)
            if existing or standing.state is not OrderState.COMPLETE or standing.link is None:
                return None
            judged = self._readiness.judge(connection, standing, None)
            if isinstance(judged, Gone):
                return None
            return self._create(connection, standing, judged)

    def settle(self, firing: FiringRow) -> FiringRow:
        """The firing after everything that is known was taken into account. Raises Overtaken."""
        with self._database.write() as connection:
            current = self._rows.load(connection, firing.id, lock=True)
            standing = self._readiness.standing(connection, current.key)
            judged = self._readiness.judge(connection, standing, current)
            if isinstance(judged, Gone):
                return self._gone(connection, current, judged)
            if current.state is FiringState.WITHDRAWN:
                current = self._planned(connection, current, "the order is complete again", {})
            if isinstance(judged, Hold):
                return self.hold_in(connection, current, judged)
            return self._ready(connection, current, judged)

    def ready(self, firing: FiringRow) -> Ready | None:
        """What would be sent, if nothing that we know of is missing now."""
        with self._database.read() as connection:
            standing = self._readiness.standing(connection, firing.key)
            judged = self._readiness.judge(connection, standing, firing)
        return judged if isinstance(judged, Ready) else None

    def hold(self, firing: FiringRow, hold: Hold) -> FiringRow:
        """Hold the firing, to be looked at again as its cause asks. Raises Overtaken."""
        with self._database.write() as connection:
            return self.hold_in(connection, firing, hold)

    def hold_in(self, connection: sa.Connection, firing: FiringRow, hold: Hold) -> FiringRow:
        """As `hold`, in the caller's transaction."""
        look_at = recheck_at(hold.cause, self._database.now(connection))
        if firing.state is FiringState.HELD:
            return self._rows.note(connection, firing, reason=hold.reason, cause=hold.cause.value, look_at=look_at)
        values = {"cause": hold.cause.value, "look_at": look_at}
        return self._rows.move(connection, firing, FiringState.HELD, reason=hold.reason, by=self._owner, values=values)

    def may_try(self, firing: FiringRow, ready: Ready) -> bool:
        """Whether the readings before sending are worth making: armed, or held for what only they can show."""
        if firing.state is FiringState.ARMED:
            return True
        waits = firing.state is FiringState.HELD and firing.cause in REMOTE
        return waits and self._arms(firing, ready)

    def _create(self, connection: sa.Connection, standing: Standing, judged: Ready | Hold) -> FiringRow:
        if isinstance(judged, Hold):
            link = standing.link
            values: dict[str, object] = {
                "cause": judged.cause.value,
                "look_at": recheck_at(judged.cause, self._database.now(connection)),
                "credit_order_id": None if link is None else link.credit_order_id,
                "completed_at": standing.completed_at,
            }
            return self._add(connection, standing.key, FiringState.HELD, judged.reason, values)
        created = self._add(connection, standing.key, FiringState.PLANNED, _PLANNED, judged.values())
        return self._ready(connection, created, judged)

    def _add(
        self, connection: sa.Connection, key: OrderKey, state: FiringState, reason: str, values: dict[str, object]
    ) -> FiringRow:
        return self._rows.create(connection, key, 0, state=state, reason=reason, by=self._owner, values=values)

    def _gone(self, connection: sa.Connection, firing: FiringRow, gone: Gone) -> FiringRow:
        if firing.state is FiringState.WITHDRAWN:
            return firing
        if firing.request is not None:
            # A request was frozen once and proved absent: its record must not look as if nothing had been.
            return self.hold_in(connection, firing, Hold(Cause.ORDER, gone.reason))
        return self._rows.move(
            connection,
            firing,
            FiringState.WITHDRAWN,
            reason=gone.reason,
            by=self._owner,
            values={"approved_hash": None},
        )

    def _ready(self, connection: sa.Connection, firing: FiringRow, ready: Ready) -> FiringRow:
        if firing.state is FiringState.HELD:
            if self._waits_for_readings(firing, ready):
                return self._rows.note(connection, firing, **ready.values())
            firing = self._planned(connection, firing, _BACK, ready.values())
        if firing.state is FiringState.ARMED and not self._arms(firing, ready):
            firing = self._planned(connection, firing, "what was approved has changed, or the mode", ready.values())
        firing = self._rows.note(connection, firing, **ready.values())
        if firing.state is not FiringState.PLANNED:
            return firing
        return self._arm(connection, firing) if self._arms(firing, ready) else self._wait(connection, firing, ready)

    def _wait(self, connection: sa.Connection, firing: FiringRow, ready: Ready) -> FiringRow:
        """Planned until something changes: nothing is to be looked at, and an approval of other values is over."""
        if firing.approved_hash is None or firing.approved_hash == ready.bound_hash:
            return self._rows.note(connection, firing, look_at=None)
        return self._rows.note(connection, firing, look_at=None, approved_hash=None, reason=_APPROVAL_OVER)

    def _waits_for_readings(self, firing: FiringRow, ready: Ready) -> bool:
        # Going through `planned` at every look would fill the history and the webhook with nothing.
        return firing.cause in REMOTE and self._arms(firing, ready)

    def _arms(self, firing: FiringRow, ready: Ready) -> bool:
        mode = self._readiness.policy.mode
        return mode is Mode.AUTOMATIC or (mode is Mode.APPROVE and firing.approved_hash == ready.bound_hash)

    def _planned(
        self, connection: sa.Connection, firing: FiringRow, reason: str, values: dict[str, object]
    ) -> FiringRow:
        return self._rows.move(connection, firing, FiringState.PLANNED, reason=reason, by=self._owner, values=values)

    def _arm(self, connection: sa.Connection, firing: FiringRow) -> FiringRow:
        reason = "armed by the mode" if self._readiness.policy.mode is Mode.AUTOMATIC else "armed by approval"
        values = {"look_at": self._database.now(connection) + timedelta(seconds=ARMED_SECONDS)}
        return self._rows.move(connection, firing, FiringState.ARMED, reason=reason, by=self._owner, values=values)
