"""Whether this process gets on (health), and whether waybill can do its work (readiness)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from worker.db import Database
from worker.db.tables import accounts
from worker.db.upgrade import require_current
from worker.errors import DatabaseUnavailable, NotReady
from worker.runtime.pulse import Pulse

# Seconds since the last answer of an account after which it counts as not polled. The longest interval between two
# polls that the settings allow is an hour, and one may be missed.
LATE_POLL_SECONDS = 7500.0

Document = Mapping[str, object]


def health(pulse: Pulse) -> tuple[bool, Document]:
    """Whether every loop of this process gets on, and what is told about it."""
    stuck = pulse.stuck()
    ages = {name: round(age, 1) for name, age in pulse.ages().items()}
    if not stuck:
        return True, {"status": "ok", "loops": ages}
    return False, {"status": "stuck", "reason": f"No progress in: {', '.join(stuck)}.", "loops": ages}


def readiness(database: Database, configured: Sequence[str] = ()) -> tuple[bool, Document]:
    """Whether the database answers, its schema is ours, and every account was read lately.

    Those are the `configured` ones; where a process knows none, all that were ever asked.
    """
    try:
        require_current(database)
        polls = _poll_ages(database, configured)
    except (DatabaseUnavailable, NotReady) as error:
        return False, {"status": "not ready", "reason": error.sentence}
    told = {name: None if age is None else round(age, 1) for name, age in polls.items()}
    reason = _reason(polls)
    if reason is None:
        return True, {"status": "ready", "last_answer_seconds": told}
    return False, {"status": "not ready", "reason": reason, "last_answer_seconds": told}


def _reason(polls: Mapping[str, float | None]) -> str | None:
    silent = [name for name, age in polls.items() if age is None]
    late = [name for name, age in polls.items() if age is not None and age > LATE_POLL_SECONDS]
    told = [
        *([f"Never answered yet: {', '.join(silent)}; `waybill status` says why."] if silent else []),
        *([f"Not read for long: {', '.join(late)}. Is a scheduler running?"] if late else []),
    ]
    return " ".join(told) or None


def _poll_ages(database: Database, configured: Sequence[str]) -> dict[str, float | None]:
    """Seconds since the last answer of each account; none before its first."""
    with database.read() as connection:
        now = database.now(connection)
        rows = connection.execute(sa.select(accounts.c.name, accounts.c.server_time)).all()
    known = {row.name: _age(now, row.server_time) for row in rows}
    return {name: known.get(name) for name in (sorted(configured) if configured else sorted(known))}


def _age(now: datetime, then: datetime | None) -> float | None:
    # The account's clock may be ahead of ours.
    return None if then is None else max(0.0, (now - then).total_seconds())
