"""The rows of `readings`: what each look at the registry showed of an ambiguous firing; the evidence for a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.db.tables import attempts, firing_history, readings
from worker.firing.absence import Sight, Verdict

# A delivery was made, says the answer; whether it is the one asked for is another matter.
OK = 200
# Who decided in the history, where it was no worker.
PERSON = "person"


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


def said_done(connection: sa.Connection, firing_id: int) -> str | None:
    """An answer 200 to any of the firing's requests that did not confirm it, since a person last decided; else None."""
    decided = sa.select(sa.func.max(firing_history.c.at)).where(
        firing_history.c.firing_id == firing_id, firing_history.c.by == PERSON
    )
    decided_at = connection.execute(decided).scalar_one()
    statement = sa.select(attempts.c.answer).where(attempts.c.firing_id == firing_id, attempts.c.status == OK)
    if decided_at is not None:
        statement = statement.where(attempts.c.ended_at > decided_at)
    return connection.execute(statement.order_by(attempts.c.number.desc()).limit(1)).scalar_one_or_none()
