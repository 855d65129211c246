"""The night's work: each piece once a night, and soon after the start where a night was slept through."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from worker.clock import Clock
from worker.db import Database
from worker.db.tables import nights

_log = structlog.get_logger(__name__)

# Seconds after the start until what was missed is made up: the first polls come first.
_FIRST_SECONDS = 120.0
# Nightly work is spread over this long, so that several installations do not come at once.
SPREAD = timedelta(minutes=10)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nightly:
    """Something to be done every night at `hour` o'clock UTC, or a little later."""

    name: str
    action: Callable[[], None]
    hour: int


class Nights:
    """Does what is due, one piece at a look; remembers in the database what was done when."""

    def __init__(self, *, database: Database, clock: Clock, table: Sequence[Nightly], later: timedelta) -> None:
        """`later` is this installation's own part of the spread."""
        self._database = database
        self._clock = clock
        self._table = table
        self._later = later
        self._first = clock.monotonic() + _FIRST_SECONDS

    def look(self) -> None:
        """Do the first piece that is due; what fails is due again at the next look."""
        if self._clock.monotonic() < self._first:
            return
        for nightly in self._table:
            if self._is_due(nightly):
                _log.info("nightly work", name=nightly.name)
                nightly.action()
                self._done(nightly)
                return

    def _is_due(self, nightly: Nightly) -> bool:
        with self._database.read() as connection:
            now = self._database.now(connection)
            done_at = connection.execute(sa.select(nights.c.done_at).where(nights.c.name == nightly.name)).scalar()
        if done_at is None or done_at > now:
            # Never seen before, or done before the clock was set back: the coming night is the first.
            self._done(nightly)
            return False
        moment: datetime = done_at
        return moment < last_due(now - self._later, nightly.hour) + self._later

    def _done(self, nightly: Nightly) -> None:
        with self._database.write() as connection:
            now = self._database.now(connection)
            mine = nights.c.name == nightly.name
            if not connection.execute(sa.update(nights).where(mine).values(done_at=now)).rowcount:
                connection.execute(sa.insert(nights).values(name=nightly.name, done_at=now))


def last_due(now: datetime, hour: int) -> datetime:
    """The last time that it was that hour in UTC."""
    today = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    return today if today <= now else today - _DAY
