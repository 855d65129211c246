"""The scheduler: APScheduler's ticks, acted on by the one process that leads.

Polls are done right here and write no task; longer work (sweep, reconcile) is put on the queue like a job by hand.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from connectors.errors import ConnectorError
from worker.clock import Clock
from worker.errors import DatabaseUnavailable
from worker.runtime.leadership import Leadership
from worker.runtime.stopping import Stopped

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Something to be done again and again, every `seconds`.

    The action may name the seconds after which it wants to be done again, if that is sooner.
    """

    name: str
    action: Callable[[], float | None]
    seconds: float


# How often the wall clock is held against the one that only grows, and how far back it may go unnoticed, in seconds.
_CLOCK_LOOK_SECONDS = 1.0
_CLOCK_STEP_SECONDS = 2.0


class ClockWatch:
    """Notices that the wall clock was set back: APScheduler would wait until it has caught up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = self._difference()

    def set_back_by(self) -> float:
        """Seconds that the wall clock was set back since the last look; 0 where it was not."""
        before, self._ahead = self._ahead, self._difference()
        seconds = before - self._ahead
        return seconds if seconds > _CLOCK_STEP_SECONDS else 0.0

    def _difference(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()


# APScheduler carries no types.
class _Threads(BaseExecutor):  # type: ignore[misc]
    """A thread for each run that does not keep the process alive, as those of the library's own pool do."""

    def _do_submit_job(self, job: Job, run_times: Sequence[datetime]) -> None:
        threading.Thread(target=self._work, args=(job, run_times), name=f"tick {job.id}", daemon=True).start()

    def _work(self, job: Job, run_times: Sequence[datetime]) -> None:
        self._run_job_success(job.id, run_job(job, "default", run_times, self._logger.name))


class Scheduler:
    """Runs ticks in threads of its own; a tick that is still running is not started again."""

    def __init__(
        self,
        *,
        ticks: Sequence[Tick],
        leadership: Leadership,
        beat: Callable[[str], None],
        clock: Clock,
        set_back: Callable[[float], None],
    ) -> None:
        """`set_back` is told by how many seconds the clock was set back."""
        self._ticks = ticks
        self._clock = clock
        self._stopping = threading.Event()
        self._leadership = leadership
        self._beat = beat
        self._set_back = set_back
        self._running = 0
        self._ended = threading.Condition()
        # A tick that comes while its last one is running is skipped: that is meant, and no reason for a warning.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._scheduler = BackgroundScheduler(
            executors={"default": _Threads()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )

    def start(self) -> None:
        """Begin; every tick comes at once."""
        self.plan()
        self._scheduler.start()
        threading.Thread(target=self._mind_the_clock, name="clock watch", daemon=True).start()

    def plan(self) -> None:
        """Plan every tick by the wall clock as it stands, whatever was planned before."""
        for tick in self._ticks:
            self._scheduler.add_job(
                self._run,
                IntervalTrigger(seconds=tick.seconds, timezone=UTC),
                args=(tick,),
                id=tick.name,
                replace_existing=True,
                next_run_time=self._clock.now(),
            )

    def stop(self, seconds: float) -> None:
        """Start nothing more, wait that long for what runs, and let another process lead."""
        self._stopping.set()
        self._scheduler.shutdown(wait=False)
        with self._ended:
            self._ended.wait_for(lambda: not self._running, timeout=seconds)
        self._leadership.resign()

    def _mind_the_clock(self) -> None:
        watch = ClockWatch(self._clock)
        while not self._stopping.wait(_CLOCK_LOOK_SECONDS):
            seconds = watch.set_back_by()
            if seconds:
                self.plan()
                self._pull(seconds)

    def _pull(self, seconds: float) -> None:
        try:
            self._set_back(seconds)
        except DatabaseUnavailable as error:
            _log.warning("what is due is late by as much as the clock was set back", error=error.sentence)

    def _run(self, tick: Tick) -> None:
        with self._ended:
            self._running += 1
        try:
            with structlog.contextvars.bound_contextvars(tick=tick.name):
                again = self._act(tick)
                while again is not None and not self._stopping.wait(again):
                    again = self._act(tick)
        finally:
            with self._ended:
                self._running -= 1
                self._ended.notify_all()

    def _act(self, tick: Tick) -> float | None:
        try:
            again = tick.action() if self._leadership.acts() else None
            self._beat("scheduler")
        except Stopped:
            _log.debug("tick left off")
        except (ConnectorError, DatabaseUnavailable) as error:
            _log.warning("tick failed", error=error.sentence)
        # The next tick comes whatever happened to this one.
        except Exception:  # noqa: BLE001 - the loop goes on
            _log.exception("tick failed unexpectedly")
        else:
            return again
        return None
