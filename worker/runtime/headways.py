"""How far long jobs have come: kept with their tasks now and then, for whoever waits for them, and logged."""

from collections.abc import Callable, Mapping

import structlog

from worker.clock import Clock
from worker.db import Database
from worker.reading.headway import Headway, Tell
from worker.runtime.stopping import Stopped
from worker.tasks import Claim, Tasks

_log = structlog.get_logger(__name__)

# Seconds between two words in the database: often enough to watch, rare enough to cost nothing beside the reading.
TOLD_SECONDS = 1.0
# A line of the log every ten seconds says that it gets on without filling a disk.
LOGGED_SECONDS = 10.0
# The field of a task's result that holds it while the job is going on.
HEADWAY = "headway"


class Headways:
    """Follows the jobs of this process. Ends them between two requests where the process is to end."""

    def __init__(
        self, *, database: Database, tasks: Tasks, clock: Clock, is_stopping: Callable[[], bool] = lambda: False
    ) -> None:
        self._database = database
        self._tasks = tasks
        self._clock = clock
        self._is_stopping = is_stopping

    def of(self, claim: Claim, account: str) -> Tell:
        """What the claimed job tells about an account. Raises Stopped."""
        following = _Following(self._clock)
        to_tell, to_log = _Every(self._clock, TOLD_SECONDS), _Every(self._clock, LOGGED_SECONDS)

        def tell(headway: Headway) -> None:
            if self._is_stopping():
                raise Stopped
            document = following.document(headway)
            if to_tell.is_due:
                self._keep(claim, {account: document})
            if to_log.is_due:
                _log.info("reading", account=account, **document)

        return tell

    def _keep(self, claim: Claim, told: Mapping[str, object]) -> None:
        with self._database.write() as connection:
            self._tasks.note(connection, claim, {HEADWAY: told})


class _Following:
    """One account's part of a job: since when, and how much was done before it began."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._share_before: float | None = None

    def document(self, headway: Headway) -> dict[str, object]:
        """As JSON; `left_seconds` by the rate so far, null until there is one."""
        if self._share_before is None:
            self._share_before = headway.share
        seconds = self._clock.monotonic() - self._began
        done_here = headway.share - self._share_before
        left = None if done_here <= 0 or seconds <= 0 else seconds * (1.0 - headway.share) / done_here
        return {
            "share": round(headway.share, 4),
            "rows": headway.rows,
            "requests": headway.requests,
            "seconds": round(seconds, 1),
            "left_seconds": None if left is None else round(left, 1),
        }


class _Every:
    """Whether so many seconds have passed since it last said so; at first they have."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._last: float | None = None

    @property
    def is_due(self) -> bool:
        """Whether they have; then they begin anew."""
        now = self._clock.monotonic()
        due = self._last is None or now - self._last >= self._seconds
        self._last = now if due else self._last
        return due
