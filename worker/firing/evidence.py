"""The rows of `readings`: what each look at the registry showed of an ambiguous firing; the evidence for a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.db.tables import attempts, readings
from worker.firing.absence import Sight, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class SoFar:
    """The readings since the settle time ended, and whether there was one before."""

    counted: int
    useless: int
    last: datetime | None
    looked_before: bool


def since(connection: sa.Connection, firing_id: int, *, unclear_at: datetime, settled_at: datetime) -> SoFar:
    """What was read of this firing since it became ambiguous."""
    rows = connection.execute(
        sa.select(readings.c.at, readings.c.counts)
        .where(readings.c.firing_id == firing_id, readings.c.at >= unclear_at)
        .order_by(readings.c.id)
    ).all()
    settled = [row for row in rows if row.at >= settled_at]
    return SoFar(
        counted=sum(row.counts for row in settled),
        useless=sum(not row.counts for row in settled),
        last=settled[-1].at if settled else None,
        looked_before=bool(rows),
    )


def keep(
    connection: sa.Connection, firing_id: int, at: datetime, verdict: Verdict, evidence: Mapping[str, object]
) -> None:
    """Store one reading. `at` is when it was begun."""
    row = {
        "firing_id": firing_id,
        "at": at,
        "counts": verdict.counts,
        "verdict": verdict.sight.value,
        "evidence": {"reason": verdict.reason, **evidence},
    }
    connection.execute(sa.insert(readings).values(row))


def doubted(connection: sa.Connection, firing_id: int, settled_at: datetime) -> str | None:
    """The reason of the last counted reading since then that was not a plain absence; None if all were."""
    statement = (
        sa.select(readings.c.evidence)
        .where(
            readings.c.firing_id == firing_id,
            readings.c.at >= settled_at,
            readings.c.verdict == Sight.DOUBT.value,
        )
        .order_by(readings.c.id.desc())
    )
    row = connection.execute(statement.limit(1)).first()
    return None if row is None else str(row.evidence["reason"])


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAttempt:
    """The newest attempt of a firing."""

    number: int
    deadline: datetime
    outcome: str | None


def last_attempt(connection: sa.Connection, firing_id: int) -> LastAttempt | None:
    """The newest attempt; None if nothing was ever frozen."""
    row = connection.execute(
        sa.select(attempts.c.number, attempts.c.deadline, attempts.c.outcome)
        .where(attempts.c.firing_id == firing_id)
        .order_by(attempts.c.number.desc())
        .limit(1)
    ).first()
    return None if row is None else LastAttempt(number=row.number, deadline=row.deadline, outcome=row.outcome)
