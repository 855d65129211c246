"""The daemon and its parts: what a process does from start to stop (DESIGN §8: run, scheduler, work, web).

The first SIGTERM or SIGINT stops it in good order: what is being done gets ten seconds, leases are given back. The
second ends it at once.
"""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType

import structlog

from worker.app import App
from worker.errors import DatabaseUnavailable, UsageError
from worker.runtime.engine import Engine, Part
from worker.runtime.idleness import DEFAULT_PATIENCE_SECONDS
from worker.runtime.progress import Progress
from worker.runtime.scheduler import Scheduler
from worker.runtime.state_lock import state_lock
from worker.runtime.stopping import Stop
from worker.runtime.supervision import Supervisor
from worker.runtime.waiting import Unreachable, UntilIdle, Verdict

_log = structlog.get_logger(__name__)

# Enough to post events while a few orders wait for the source; two cores are busy with that.
DEFAULT_THREADS = 8
# Seconds for what is being done when the process is to stop; containers are killed after half a minute or less.
GRACE_SECONDS = 10.0
# Seconds between two looks at whether to go on.
_LOOK_SECONDS = 0.25
# As a shell reports a process that was ended by a signal.
_BY_SIGNAL = 128

DONE = 0
FOUND_SOMETHING = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How `run` was asked to run. `patience_seconds`: what is due sooner is waited for."""

    threads: int = DEFAULT_THREADS
    until_idle: bool = False
    patience_seconds: float = DEFAULT_PATIENCE_SECONDS


def run(app: App, options: RunOptions, progress: Progress) -> int:
    """Everything in one process; the exit status. Raises NotReady and UsageError where it cannot begin."""
    if not app.accounts.names():
        sentence = "There are no credentials: set WAYBILL_LOGISTIC_CLOUD__BASE_URL and WAYBILL_LOGISTIC_CLOUD__API_KEY."
        raise UsageError(sentence)
    with _alone(app), _stopping(app.stop):
        app.prepare()
        app.take_over()
        engine = app.engine(Part(threads=options.threads, relays=True, shared=app.shares_queue))
        with _web(app), _hearing(app), _running(engine), _scheduling(app):
            return _watch(app, engine, options, progress)


def schedule(app: App) -> int:
    """Scheduler and relay, for workers elsewhere."""
    _require_redis(app, "scheduler")
    with _stopping(app.stop):
        app.prepare()
        engine = app.engine(Part(threads=0, relays=True, shared=True))
        with _web(app), _running(engine), _scheduling(app):
            return _until_stopped(app)


def work(app: App, *, threads: int) -> int:
    """Workers only."""
    _require_redis(app, "work")
    with _stopping(app.stop):
        app.prepare()
        with _running(app.engine(Part(threads=threads, relays=False, shared=True))):
            return _until_stopped(app)


def work_in_processes(app: App, *, command: Sequence[str], processes: int) -> int:
    """Several processes of workers; `command` starts one of them."""
    _require_redis(app, "work")
    with _stopping(app.stop):
        app.prepare()
        Supervisor(command=command, count=processes, clock=app.clock, stop=app.stop).run()
    return DONE


def web(app: App) -> int:
    """The web part only."""
    with _stopping(app.stop):
        app.prepare()
        with _web(app), _hearing(app):
            return _until_stopped(app)


def _watch(app: App, engine: Engine, options: RunOptions, progress: Progress) -> int:
    with progress as shown:
        watch = _Watch(app, engine, options, shown)
        while not app.stop.wait(_LOOK_SECONDS):
            app.pulse.beat("main")
            verdict = watch.look()
            if verdict is not Verdict.GO_ON:
                return _ended(app, verdict)
    _log.info("stopping")
    return DONE


class _Watch:
    """Shows how work gets on, and tells when it is over."""

    def __init__(self, app: App, engine: Engine, options: RunOptions, progress: Progress) -> None:
        self._app = app
        self._progress = progress
        self._until_idle = options.until_idle
        self._shown_at = app.clock.monotonic()
        self._waiting = UntilIdle(
            reading=app.intake,
            due=app.due,
            engine=engine,
            clock=app.clock,
            patience_seconds=options.patience_seconds,
        )

    def look(self) -> Verdict:
        """Show if it is time, then judge; a database that fails is waited for."""
        try:
            self._show()
            return self._waiting.look() if self._until_idle else Verdict.GO_ON
        except DatabaseUnavailable as error:
            _log.warning("waiting for the database", error=error.sentence)
            return Verdict.GO_ON

    def _show(self) -> None:
        now = self._app.clock.monotonic()
        if now - self._shown_at >= self._progress.seconds:
            self._shown_at = now
            self._progress.show(self._app.status())


def _ended(app: App, verdict: Verdict) -> int:
    trouble = app.intake.trouble()
    if verdict is Verdict.UNREACHABLE and trouble is not None:
        raise Unreachable(trouble)
    status = app.status()
    _log.info("nothing but schedules is due", orders=dict(status.orders), firings=dict(status.firings))
    for finding in status.findings:
        _log.warning("something is left", what=finding)
    return FOUND_SOMETHING if status.findings else DONE


def _until_stopped(app: App) -> int:
    while not app.stop.wait(_LOOK_SECONDS):
        app.pulse.beat("main")
    _log.info("stopping")
    return DONE


def _require_redis(app: App, command: str) -> None:
    if not app.shares_queue:
        sentence = (
            f"`waybill {command}` is for several processes: set WAYBILL_DATABASE_URL (PostgreSQL) and "
            "WAYBILL_REDIS_URL, or use `waybill run`."
        )
        raise UsageError(sentence)


@contextmanager
def _alone(app: App) -> Iterator[None]:
    """The right to be the only process, where the broker is in memory."""
    if app.shares_queue:
        yield
        return
    with state_lock(app.settings.state_dir):
        yield


@contextmanager
def _stopping(stop: Stop) -> Iterator[None]:
    """Turn SIGTERM and SIGINT into a request to stop, for as long as it lasts."""

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.requested:
            # Whoever asks twice does not want to wait; every promise holds for a process that is killed, too.
            os._exit(_BY_SIGNAL + number)
        stop.request()

    # Only the main thread may set handlers; elsewhere (tests) whoever runs it stops it.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextmanager
def _running(engine: Engine) -> Iterator[None]:
    engine.start()
    try:
        yield
    finally:
        engine.stop(GRACE_SECONDS)


@contextmanager
def _scheduling(app: App) -> Iterator[None]:
    scheduler: Scheduler = app.scheduler()
    scheduler.start()
    try:
        yield
    finally:
        app.stop.request()
        scheduler.stop(GRACE_SECONDS)


@contextmanager
def _web(app: App) -> Iterator[None]:
    with ExitStack() as stack:
        served = app.serve_web()
        stack.callback(served.stop)
        _log.info("web listens", address=served.address)
        yield


@contextmanager
def _hearing(app: App) -> Iterator[None]:
    """The listener for barmate's webhooks, where the settings want one."""
    with ExitStack() as stack:
        heard = app.listening.serve()
        if heard is not None:
            stack.callback(heard.stop)
            _log.info("barmate's webhooks are heard", address=heard.address)
        yield
