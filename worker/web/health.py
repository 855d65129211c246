"""Whether this process gets on (health), and whether waybill can do its work (readiness)."""

from collections.abc import Mapping
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


def readiness(database: Database) -> tuple[bool, Document]:
    """Whether the database answers, its schema is ours, and every account that was ever read was read lately."""
    try:
        require_current(database)
        polls = _poll_ages(database)
    except (DatabaseUnavailable, NotReady) as error:
        return False, {"status": "not ready", "reason": error.sentence}
    late = [name for name, age in polls.items() if age > LATE_POLL_SECONDS]
    told = {name: round(age, 1) for name, age in polls.items()}
    if not late:
        return True, {"status": "ready", "last_answer_seconds": told}
    reason = f"Not read for long: {', '.join(late)}. Is a scheduler running?"
    return False, {"status": "not ready", "reason": reason, "last_answer_seconds": told}


def _poll_ages(database: Database) -> dict[str, float]:
    with database.read() as connection:
        now = database.now(connection)
        rows = connection.execute(
            sa.select(accounts.c.name, accounts.c.server_time)
            .where(accounts.c.server_time.is_not(None))
            .order_by(accounts.c.name)
        ).all()
    return {row.name: _age(now, row.server_time) for row in rows}


def _age(now: datetime, then: datetime) -> float:
    # The account's clock may be ahead of ours.
    return max(0.0, (now - then).total_seconds())
