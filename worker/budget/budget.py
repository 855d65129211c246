"""A process's part of a budget: its callers stand in one queue, and the first of them asks the database for a turn.

A turn's number is taken when the request goes out, so that the order of numbers is the order of requests, whoever
makes them. As long as no other process was seen at the budget, a turn is one transaction and waiting costs none.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random

import sqlalchemy as sa

from connectors.errors import NotConnected
from connectors.policy import Observation
from worker.budget.lanes import Lane, first
from worker.budget.line import Caller, Line
from worker.budget.pace import (
    MARGIN,
    OUTAGE_FAILURES,
    PROBE_SECONDS,
    numbers_at_once,
    slowed_more,
    slowed_now,
    wait_after_429,
    wait_in_outage,
)
from worker.budget.rows import BudgetRow, BudgetRows
from worker.clock import Clock
from worker.db import Database

# Seconds until a waiting caller says again that it is there; whoever does not is forgotten after the grace.
_NAP_SECONDS = 5.0
_GRACE_SECONDS = 2.0
# Bounds of a look whether somebody who goes first has gone, in seconds: neither a busy loop nor a lost turn.
_SHORTEST_LOOK, _LONGEST_LOOK = 0.001, 0.25
# Shorter waits than this are not slept, in seconds: sleeping takes as long.
_NO_WAIT = 0.0005
# Seconds for which another process counts as being at the budget after it was seen there.
_SHARED_SECONDS = 60.0
# Seconds that a reading for an order waits for a system that does not answer: its thread is wanted elsewhere.
_OUTAGE_PATIENCE = 2.0
_IMPATIENT = frozenset({Lane.SENDING, Lane.FIRING})
_FAULT = 500


@dataclass(slots=True)
class _Numbers:
    """Turns that were taken together: the next, the last, seconds between them, and until when they may be used."""

    following: int
    last: int
    interval: float
    until: float


@dataclass(frozen=True, slots=True)
class LaneTurns:
    """The budget as the callers of one lane see it (`connectors.policy.TurnTaker`)."""

    budget: "Budget"
    lane: Lane
    # How to wait, where it is not as the others of the process do.
    sleep: Callable[[float], None] | None = None

    def take(self) -> int:
        """The number of the turn, once a request may be made."""
        return self.budget.take(self.lane, self.sleep)

    def throttled(self, retry_after: float | None) -> None:
        """The server answered 429: nobody asks again before that long, and turns come slower for a while."""
        self.budget.throttled(retry_after)

    def observed(self, observation: Observation) -> None:
        """Learn from an attempt whether the system answers."""
        self.budget.observed(observation)


class Budget:
    """Gives out turns at `requests_per_second`; blocks the caller until its turn has come."""

    def __init__(
        self,
        database: Database,
        *,
        name: str,
        requests_per_second: float,
        sleep: Callable[[float], None],
        clock: Clock,
        random: Random,
        system: str = "the system",
    ) -> None:
        """`system` is what an error calls it, and how the names of all its budgets begin: one for each key."""
        self._database = database
        self._system = system
        self._interval = MARGIN / requests_per_second
        self._rows = BudgetRows(database, name=name, interval=self._interval, system=system)
        # Who is in which lane matters among processes only where turns are rare: blocks are over in a moment.
        self._in_blocks = numbers_at_once(self._interval) > 1
        self._sleep = sleep
        self._clock = clock
        self._random = random
        self._me = f"{random.getrandbits(64):016x}"
        self._lock = threading.Lock()
        self._line = Line(holder=self._me, clock=clock)
        self._numbers: _Numbers | None = None
        # By the monotonic clock: before this nobody here need ask, and until that another process may be waiting.
        self._next = 0.0
        self._shared_until = 0.0
        self._announced: frozenset[Lane] = frozenset()
        self._announced_until = 0.0
        self._last: Lane | None = None
        self._failing = False
        self._out = False
        self._slowed = 1.0

    @property
    def turn_seconds(self) -> float:
        """Seconds between two turns, as far as this process knows."""
        return self._interval * self._slowed

    def lane(self, lane: Lane, sleep: Callable[[float], None] | None = None) -> LaneTurns:
        """The budget for callers of that lane; `sleep` where they wait in a way of their own."""
        return LaneTurns(self, lane, sleep)

    def take(self, lane: Lane = Lane.POLL, sleep: Callable[[float], None] | None = None) -> int:
        """The number of the turn, once a request may be made. What `sleep` raises passes through.

        Raises NotConnected in the lanes of firing, while the system does not answer and somebody else finds out.
        """
        with self._lock:
            caller = self._line.enter(lane)
        try:
            while True:
                with self._lock:
                    turn, wait = self._look(caller)
                if turn is not None:
                    return turn
                self._give_up(caller, wait)
                (self._sleep if sleep is None else sleep)(wait)
        finally:
            with self._lock:
                self._line.leave(caller)

    def _give_up(self, caller: Caller, wait: float) -> None:
        """In an outage, readings that orders wait for hold no thread: there are tasks that come again."""
        if self._out and caller.lane in _IMPATIENT and self._line.waited(caller) + wait > _OUTAGE_PATIENCE:
            detail = "it has not answered the last requests; another one finds out when it does again"
            raise NotConnected(self._system, "wait for a turn", detail)

    def throttled(self, retry_after: float | None) -> None:
        """The server answered 429: nobody asks again before that long, and turns come slower for a while."""
        with self._lock, self._database.write() as connection:
            row, now = self._rows.load(connection)
            wait = wait_after_429(retry_after, self._random)
            slowed = slowed_more(row.slowed, row.throttled_at, now)
            row, self._slowed = replace(row, slowed=slowed, throttled_at=now), slowed
            self._put_off(connection, row, now, wait)

    def observed(self, observation: Observation) -> None:
        """Learn from an attempt: several without an answer, and only one is out at a time until one is answered."""
        answered = observation.status is not None and observation.status < _FAULT
        if answered and not self._failing:
            return
        with self._lock, self._database.write() as connection:
            row, now = self._rows.load(connection)
            if answered:
                self._answers_again(connection, row, now)
            else:
                self._failed(connection, row, now)

    def _answers_again(self, connection: sa.Connection, row: BudgetRow, now: datetime) -> None:
        self._failing = self._out = False
        if row.failures:
            self._rows.save(connection, replace(row, failures=0, probe_until=None), now)
            self._next = min(self._next, self._clock.monotonic() + self._seconds(row, now))

    def _failed(self, connection: sa.Connection, row: BudgetRow, now: datetime) -> None:
        self._failing = True
        row = replace(row, failures=row.failures + 1, probe_until=None)
        self._out = row.failures >= OUTAGE_FAILURES
        wait = wait_in_outage(row.failures, self._interval, self._random) if self._out else 0.0
        self._put_off(connection, row, now, wait)

    def _put_off(self, connection: sa.Connection, row: BudgetRow, now: datetime, seconds: float) -> None:
        row = replace(row, next_at=max(row.next_at, now + timedelta(seconds=seconds)))
        self._rows.save(connection, row, now)
        if seconds:
            self._numbers = None
            self._next = max(self._next, self._clock.monotonic() + seconds)

    def _look(self, caller: Caller) -> tuple[int | None, float]:
        """The turn, or how long to wait before looking again."""
        now = self._clock.monotonic()
        if self._next - now > _NO_WAIT:
            self._be_seen(caller, now)
            return None, min(self._next - now, _NAP_SECONDS)
        if not self._line.is_first(caller, self._last):
            return None, self._short_look()
        if self._numbers is not None and now < self._numbers.until:
            return self._from_block(self._numbers, caller, now), 0.0
        with self._database.write() as connection:
            return self._ask(connection, caller)

    def _from_block(self, numbers: _Numbers, caller: Caller, now: float) -> int:
        turn, numbers.following = numbers.following, numbers.following + 1
        if turn >= numbers.last:
            self._numbers = None
        self._next, self._last = now + numbers.interval, caller.lane
        return turn

    def _ask(self, connection: sa.Connection, caller: Caller) -> tuple[int | None, float]:
        asked = self._clock.monotonic()
        row, now = self._rows.load(connection)
        others = [] if self._in_blocks else self._rows.others(connection, row, now, self._me)
        if others or (row.holder not in {None, self._me} and not self._in_blocks):
            self._shared_until = asked + _SHARED_SECONDS
        self._last, self._failing, self._out = row.last_lane, row.failures > 0, row.failures >= OUTAGE_FAILURES
        wait = self._seconds(row, now)
        if wait > _NO_WAIT:
            self._next = asked + wait
            return None, self._stand_in_line(connection, row, now, wait)
        ours = [self._line.told(one, now) for one in self._line]
        if first([*ours, *others], row.last_lane) != self._line.told(caller, now):
            return None, self._stand_in_line(connection, row, now, self._short_look())
        return self._give(connection, row, now, caller), 0.0

    def _give(self, connection: sa.Connection, row: BudgetRow, now: datetime, caller: Caller) -> int:
        began = self._clock.monotonic()
        self._slowed = slowed_now(row.slowed, row.throttled_at, now)
        interval = self.turn_seconds
        out = row.failures >= OUTAGE_FAILURES
        count = 1 if out else numbers_at_once(interval)
        until = timedelta(seconds=count * interval)
        turn = row.turn + 1
        row = replace(
            row,
            turn=row.turn + count,
            next_at=now + until,
            probe_until=now + timedelta(seconds=PROBE_SECONDS) if out else None,
            last_lane=caller.lane,
            holder=self._me,
        )
        self._rows.save(connection, row, now)
        if self._announced:
            self._announce(connection, now, [one for one in self._line if one is not caller], interval)
        self._numbers = _Numbers(turn + 1, row.turn, interval, began + until.total_seconds()) if count > 1 else None
        self._next, self._last = began + interval, caller.lane
        return turn

    def _seconds(self, row: BudgetRow, now: datetime) -> float:
        """Until the next turn may be given: one that is out in an outage is waited for."""
        at = row.next_at
        if row.failures >= OUTAGE_FAILURES and row.probe_until is not None and row.probe_until > at:
            # Whoever is out may be back at any moment; its process alone hears of it at once.
            return min((row.probe_until - now).total_seconds(), max(_LONGEST_LOOK, self._interval))
        return (at - now).total_seconds()

    def _stand_in_line(self, connection: sa.Connection, row: BudgetRow, now: datetime, wait: float) -> float:
        """Let other processes know who waits here, where there are any; how long to wait."""
        wait = min(wait, _NAP_SECONDS)
        if self._clock.monotonic() < self._shared_until:
            until = self._announce(connection, now, list(self._line), wait)
            row = replace(row, awaited_until=until if row.awaited_until is None else max(until, row.awaited_until))
            self._rows.save(connection, row, now)
        return wait

    def _be_seen(self, caller: Caller, now: float) -> None:
        """Say that somebody waits here, where another process might else go first; once a nap."""
        if now >= self._shared_until or self._next - now <= _LONGEST_LOOK:
            return
        if caller.lane in self._announced and now < self._announced_until:
            return
        with self._database.write() as connection:
            row, moment = self._rows.load(connection)
            self._stand_in_line(connection, row, moment, min(self._next - now, _NAP_SECONDS))

    def _announce(self, connection: sa.Connection, now: datetime, callers: list[Caller], wait: float) -> datetime:
        began = self._clock.monotonic()
        until = now + timedelta(seconds=wait + _GRACE_SECONDS)
        waiting = [self._line.told(one, now) for one in callers]
        self._rows.announce(connection, waiting, until, now, self._me)
        self._announced, self._announced_until = frozenset(one.lane for one in callers), began + wait
        return until

    def _short_look(self) -> float:
        return min(_LONGEST_LOOK, max(_SHORTEST_LOOK, self._interval / 4))
