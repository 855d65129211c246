"""Freezing: the one durable transaction after which a request may be on its way (DESIGN §6.5).

It re-checks what could have changed since the readings, and writes owner, deadline, bytes, pins and baseline.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta

import sqlalchemy as sa

from worker.checkpoints import Checkpoint, nothing
from worker.clock import Clock
from worker.db import Database
from worker.db.tables import attempts, counted_deliveries
from worker.firing import pins
from worker.firing.answers import Asked
from worker.firing.ledger import unattributed_on
from worker.firing.lock import Held
from worker.firing.policy import REMOTE, Mode
from worker.firing.preparing import Prepared
from worker.firing.readiness import Readiness, Ready
from worker.firing.rows import FiringRow, FiringRows, Overtaken, unresolved_kg
from worker.leases import Lease
from worker.standing import FRESH_SECONDS, Standing
from worker.states import FiringState

# In the transaction, with everything of the intent written; and just after it, the account's lock still held.
INTENT_WRITTEN = "firing: intent written"
INTENT_COMMITTED = "firing: intent committed"

_CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """A committed intent: exactly these bytes may be sent once, until the deadline."""

    firing_id: int
    attempt_id: int
    number: int
    request: bytes
    asked: Asked
    # On the clock's monotonic scale.
    deadline: float
    resend: bool


class Freezing:
    """Commits the intent."""

    def __init__(
        self,
        *,
        database: Database,
        rows: FiringRows,
        readiness: Readiness,
        clock: Clock,
        owner: str,
        checkpoint: Checkpoint = nothing,
    ) -> None:
        self._database = database
        self._rows = rows
        self._readiness = readiness
        self._clock = clock
        self._owner = owner
        self._checkpoint = checkpoint

    def freeze(self, firing: FiringRow, prepared: Prepared, held: Held) -> Frozen:
        """Commit, or raise Overtaken if anything is not as it was when it was read; nothing is written then."""
        # Taken first: the deadline that others see can then only be later than ours.
        started = self._clock.monotonic()
        try:
            with self._database.write() as connection:
                _require(held.leases.holds(connection, held.lease), "the lease ran out")
                frozen = self._freeze(connection, firing, prepared, held.lease, started)
                self._checkpoint(INTENT_WRITTEN)
        except sa.exc.IntegrityError as error:
            otherwise = "another unresolved firing has one of the batches"
            raise Overtaken(otherwise) from error
        self._checkpoint(INTENT_COMMITTED)
        return frozen

    def _freeze(
        self, connection: sa.Connection, firing: FiringRow, prepared: Prepared, lease: Lease, started: float
    ) -> Frozen:
        current = self._rows.load(connection, firing.id, lock=True)
        # Somebody may have pushed the time of the next look meanwhile; that changes nothing.
        _require(replace(current, look_at=firing.look_at) == firing, "the firing changed")
        _require(self._clock.monotonic() - prepared.read_at <= FRESH_SECONDS, "the readings are too old")
        standing = self._readiness.standing(connection, firing.key)
        self._require_same(connection, current, prepared, standing)
        current = self._armed(connection, current)
        number = self._next_number(connection, current)
        attempt_id = self._write_attempt(connection, current, prepared, number, lease)
        if not prepared.resend:
            pins.pin(connection, current.id, number, prepared.pins)
        _count(connection, current, standing)
        self._move(connection, current, prepared)
        return Frozen(
            firing_id=current.id,
            attempt_id=attempt_id,
            number=number,
            request=prepared.request,
            asked=Asked(
                credit_order_id=prepared.ready.link.credit_order_id, kg=prepared.ready.kg, marker=prepared.marker
            ),
            deadline=started + self._readiness.policy.timeout_seconds,
            resend=prepared.resend,
        )

    def _require_same(
        self, connection: sa.Connection, current: FiringRow, prepared: Prepared, standing: Standing
    ) -> None:
        judged = self._readiness.judge(connection, standing, current)
        _require(isinstance(judged, Ready), "something is missing now")
        _require(judged == prepared.ready, "the link or the amount changed")
        _require(self._allowed(current, prepared), "the mode does not allow it")
        _require(standing.content_hash == prepared.content_hash, "the order changed")
        credit_order_id = prepared.ready.link.credit_order_id
        _require(not unattributed_on(connection, credit_order_id), "a delivery appeared that nobody claims")
        others = unresolved_kg(connection, credit_order_id, but=current.id)
        _require(prepared.remaining_kg - others >= prepared.ready.kg, "the kilograms are reserved now")

    def _allowed(self, firing: FiringRow, prepared: Prepared) -> bool:
        policy = self._readiness.policy
        approved = policy.mode is Mode.AUTOMATIC or firing.approved_hash == prepared.ready.bound_hash
        return policy.sends and (approved or prepared.resend)

    def _armed(self, connection: sa.Connection, firing: FiringRow) -> FiringRow:
        """A firing that was held for what only the registry knows passes through the states in between."""
        if firing.state is not FiringState.HELD:
            return firing
        _require(firing.cause in REMOTE, "it is held")
        planned = self._rows.move(
            connection, firing, FiringState.PLANNED, reason="what was missing is there", by=self._owner
        )
        return self._rows.move(connection, planned, FiringState.ARMED, reason=planned.reason, by=self._owner)

    def _next_number(self, connection: sa.Connection, firing: FiringRow) -> int:
        statement = sa.select(sa.func.coalesce(sa.func.max(attempts.c.number), 0))
        return int(connection.execute(statement.where(attempts.c.firing_id == firing.id)).scalar_one()) + 1

    def _write_attempt(
        self, connection: sa.Connection, firing: FiringRow, prepared: Prepared, number: int, lease: Lease
    ) -> int:
        now = self._database.now(connection)
        row = {
            "firing_id": firing.id,
            "number": number,
            "owner": self._owner,
            "term": lease.term,
            "started_at": now,
            "deadline": now + timedelta(seconds=self._readiness.policy.timeout_seconds),
            "request": prepared.request,
            "request_sha256": hashlib.sha256(prepared.request).hexdigest(),
            "late": False,
        }
        return int(connection.execute(sa.insert(attempts).values(row).returning(attempts.c.id)).scalar_one())

    def _move(self, connection: sa.Connection, firing: FiringRow, prepared: Prepared) -> None:
        now = self._database.now(connection)
        values = {
            **prepared.ready.values(),
            "marker": prepared.marker,
            "request": prepared.request,
            "request_sha256": hashlib.sha256(prepared.request).hexdigest(),
            "baseline": dict(prepared.baseline),
            "resend_allowed": False,
            "refusal": None,
            "look_at": now + timedelta(seconds=self._readiness.policy.timeout_seconds),
        }
        if prepared.resend:
            _require(firing.request == prepared.request, "the bytes are not the frozen ones")
            # What was read before the first attempt stays the measure of what came after it.
            del values["baseline"]
        reason = "sending the same bytes again" if prepared.resend else "frozen and being sent"
        self._rows.move(connection, firing, FiringState.SENDING, reason=reason, by=self._owner, values=values)


def _count(connection: sa.Connection, firing: FiringRow, standing: Standing) -> None:
    """Remember which deliveries this firing counts, with their contents."""
    for delivery in standing.deliveries:
        if delivery.status == _CANCELLED or not delivery.visible:
            continue
        where = (
            counted_deliveries.c.firing_id == firing.id,
            counted_deliveries.c.account == delivery.account,
            counted_deliveries.c.delivery_id == delivery.id,
        )
        changed = connection.execute(
            sa.update(counted_deliveries).where(*where).values(content_hash=delivery.content_hash)
        )
        if changed.rowcount == 0:
            row = {
                "firing_id": firing.id,
                "account": delivery.account,
                "delivery_id": delivery.id,
                "content_hash": delivery.content_hash,
            }
            connection.execute(sa.insert(counted_deliveries).values(row))


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        raise Overtaken(otherwise)
