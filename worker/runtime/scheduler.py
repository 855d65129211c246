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
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from connectors.errors import ConnectorError
from worker.clock import Clock
from worker.errors import DatabaseUnavailable
from worker.runtime.leadership import Leadership
from worker.runtime.stopping import Stopped

_log = structlog.get_logger(__name__)

# Nightly work is spread over this many seconds, so that several installations do not come at once.
_NIGHTLY_JITTER_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Something to be done again and again: every `seconds`, or nightly at `hour` o'clock UTC.

    The action may name the seconds after which it wants to be done again, if that is sooner.
    """

    name: str
    action: Callable[[], float | None]
    seconds: float | None = None
    hour: int | None = None


# How often the wall clock is held against the one that only grows, and how far back it may go unnoticed, in seconds.
_CLOCK_LOOK_SECONDS = 1.0
_CLOCK_STEP_SECONDS = 2.0


class ClockWatch:
    """Notices that the wall clock was set back: APScheduler would wait until it has caught up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead = self._difference()

    def stepped_back(self) -> bool:
        """Whether the wall clock was set back since the last look."""
        before, self._ahead = self._ahead, self._difference()
        return before - self._ahead > _CLOCK_STEP_SECONDS

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
        self, *, ticks: Sequence[Tick], leadership: Leadership, beat: Callable[[str], None], clock: Clock
    ) -> None:
        self._ticks = ticks
        self._clock = clock
        self._stopping = threading.Event()
        self._leadership = leadership
        self._beat = beat
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
        """Begin; what has an interval is done at once."""
        self.plan()
        self._scheduler.start()
        threading.Thread(target=self._mind_the_clock, name="clock watch", daemon=True).start()

    def plan(self) -> None:
        """Plan every tick by the wall clock as it stands, whatever was planned before."""
        for tick in self._ticks:
            at_once = {} if tick.seconds is None else {"next_run_time": self._clock.now()}
            self._scheduler.add_job(
                self._run, _trigger(tick), args=(tick,), id=tick.name, replace_existing=True, **at_once
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
            if watch.stepped_back():
                _log.warning("the clock was set back")
                self.plan()

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


def _trigger(tick: Tick) -> BaseTrigger:
    if tick.seconds is None:
        return CronTrigger(hour=tick.hour, jitter=_NIGHTLY_JITTER_SECONDS, timezone=UTC)
    return IntervalTrigger(seconds=tick.seconds, timezone=UTC)
