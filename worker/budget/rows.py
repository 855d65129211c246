"""The rows of a budget: its turns and pace, and who waits. Methods take the caller's transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.budget.lanes import Lane, Waiting
from worker.budget.pace import MARGIN, slowed_now
from worker.db import Database, for_update
from worker.db.tables import budget_waiters, budgets

# A row written later than now by more than this was written before the clock was set back. Less is what transactions
# of several machines differ by.
_SET_BACK = timedelta(seconds=1)
# A waiter comes back within a few seconds; one that promises more wrote that before the clock was set back.
_FARTHEST = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetRow:
    """A budget as it stands. `turn` is the last number given at the system; nobody asks before `next_at`."""

    turn: int
    next_at: datetime
    taken_at: datetime | None
    slowed: float
    throttled_at: datetime | None
    failures: int
    probe_until: datetime | None
    last_lane: Lane | None
    holder: str | None
    awaited_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceInForce:
    """The pace in force. `slowed` above 1 means that the server has answered 429 of late."""

    requests_per_second: float
    slowed: float
    failures: int


class BudgetRows:
    """The rows of one budget."""

    def __init__(self, database: Database, *, name: str, interval: float, system: str) -> None:
        self._database = database
        self._name = name
        self._interval = interval
        # Numbers order observations of a system, whichever key they were made with: a new key's budget goes on above
        # those of the keys before it, or what they saw would never be overwritten.
        others = budgets.alias()
        same = others.c.name.startswith(f"{system} ", autoescape=True)
        highest = sa.select(sa.func.coalesce(sa.func.max(others.c.turn), 0)).where(same)
        self._mine = sa.select(budgets, highest.scalar_subquery().label("highest")).where(budgets.c.name == name)

    def load(self, connection: sa.Connection) -> tuple[BudgetRow, datetime]:
        """The row, locked, and the time. Where the clock was set back meanwhile, so are the row's times."""
        found = connection.execute(for_update(self._mine)).first()
        if found is None:
            found = self._first(connection)
        # Asked once the row is ours: waiting for it may have taken a while.
        now = self._database.now(connection)
        return self._straight(connection, _row(found), now), now

    def save(self, connection: sa.Connection, row: BudgetRow, now: datetime) -> None:
        """Write the row."""
        values = {**asdict(row), "taken_at": now, "interval_seconds": self._interval}
        connection.execute(sa.update(budgets).where(budgets.c.name == self._name).values(values))

    def others(self, connection: sa.Connection, row: BudgetRow, now: datetime, me: str) -> list[Waiting]:
        """Who waits in other processes; asked for only where somebody said so."""
        if row.awaited_until is None or row.awaited_until <= now:
            return []
        alive = sa.and_(budget_waiters.c.until > now, budget_waiters.c.until < now + _FARTHEST)
        found = connection.execute(
            sa.select(budget_waiters).where(budget_waiters.c.budget == self._name, budget_waiters.c.holder != me, alive)
        )
        return [Waiting(Lane(one.lane), one.since, one.holder) for one in found]

    def announce(
        self, connection: sa.Connection, waiting: Sequence[Waiting], until: datetime, now: datetime, me: str
    ) -> None:
        """Say who waits in this process, and when at the latest they come back; who is gone is forgotten."""
        same = budget_waiters.c.budget == self._name
        gone = sa.or_(
            budget_waiters.c.holder == me, budget_waiters.c.until < now, budget_waiters.c.until > now + _FARTHEST
        )
        connection.execute(sa.delete(budget_waiters).where(same, gone))
        heads = {one.lane: one for one in sorted(waiting, key=lambda one: one.since, reverse=True)}
        rows = [
            {"budget": self._name, "holder": me, "lane": one.lane.value, "since": one.since, "until": until}
            for one in heads.values()
        ]
        if rows:
            connection.execute(sa.insert(budget_waiters), rows)

    def _straight(self, connection: sa.Connection, row: BudgetRow, now: datetime) -> BudgetRow:
        if row.taken_at is None or row.taken_at - now <= _SET_BACK:
            return row
        row = _moved(row, row.taken_at - now)
        # Written at once: what is left of a wait counts from here.
        self.save(connection, row, now)
        return row

    def _first(self, connection: sa.Connection) -> sa.Row[tuple[object, ...]]:
        now = self._database.now(connection)
        # The savepoint lets two processes that both found none go on with the row of the first.
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(budgets).values(name=self._name, turn=0, next_at=now))
        except sa.exc.IntegrityError:
            pass
        return connection.execute(for_update(self._mine)).one()


def pace_of(connection: sa.Connection, name: str, now: datetime) -> PaceInForce | None:
    """The pace in force of a budget; None before its first turn."""
    found = connection.execute(sa.select(budgets).where(budgets.c.name == name)).first()
    if found is None or found.interval_seconds is None:
        return None
    slowed = slowed_now(found.slowed, found.throttled_at, now)
    # Without the margin: whoever reads it compares it with the settings.
    pace = MARGIN / (found.interval_seconds * slowed)
    return PaceInForce(requests_per_second=pace, slowed=slowed, failures=found.failures)


def _row(found: sa.Row[tuple[object, ...]]) -> BudgetRow:
    return BudgetRow(
        turn=max(found.turn, found.highest),
        next_at=found.next_at,
        taken_at=found.taken_at,
        slowed=found.slowed,
        throttled_at=found.throttled_at,
        failures=found.failures,
        probe_until=found.probe_until,
        last_lane=None if found.last_lane is None else Lane(found.last_lane),
        holder=found.holder,
        awaited_until=found.awaited_until,
    )


def _moved(row: BudgetRow, ahead: timedelta) -> BudgetRow:
    """The row with the waits it was written with, on a clock that was set back by that much."""
    return replace(
        row,
        next_at=row.next_at - ahead,
        throttled_at=_earlier(row.throttled_at, ahead),
        probe_until=_earlier(row.probe_until, ahead),
        awaited_until=_earlier(row.awaited_until, ahead),
    )


def _earlier(moment: datetime | None, by: timedelta) -> datetime | None:
    return None if moment is None else moment - by
