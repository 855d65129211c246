"""Waiting for a job: for the daemon to do it, or doing it here where there is no daemon."""

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import sqlalchemy as sa

from worker import outbox
from worker.app import App
from worker.cli.watching import WAITING
from worker.db.tables import leases, tasks
from worker.errors import WaybillError
from worker.kinds import RULES
from worker.reading import accounts
from worker.runtime.headways import HEADWAY
from worker.runtime.renewal import Renewal
from worker.runtime.runner import Runner
from worker.runtime.state_lock import Occupied, state_lock
from worker.runtime.status import waited_for
from worker.states import TaskState

# Seconds between two looks at a job that a daemon does.
_LOOK_SECONDS = 0.2
# Seconds for a job that is done here to come to the end of its present request.
_LEAVE_SECONDS = 10.0
# What a result says of an account that could not be read.
_TROUBLES = ("stopped", "error")


class JobFailed(WaybillError):
    """The job could not be done; a remote system is unreachable or refuses."""

    exit_status = 3


class LeftOff(WaybillError):
    """Whoever waited did not want to any longer; the job is none the worse for it."""

    # What a shell says of a command that Ctrl-C ended.
    exit_status = 130


# Hears how far the job has come, by account, now and then while it is waited for.
Watch = Callable[[Mapping[str, Any]], None]


def wait_for(app: App, identity: str, watch: Watch = lambda _headway: None) -> dict[str, Any]:
    """Wait until the job has ended; its result. Raises JobFailed, and LeftOff at Ctrl-C."""
    before = _row(app, identity).attempts
    solitude = _Solitude(app)
    waiting = _Waiting(app, lambda: _until_over(app, identity, before, solitude))
    try:
        waiting.watch(lambda: watch(_progress(app, identity)))
    except KeyboardInterrupt:
        waiting.leave_off()
        raise LeftOff(_left_off(identity, alone=solitude.is_ours)) from None
    row = _row(app, identity)
    _raise_if_failed(row)
    return {} if row.result is None else dict(row.result)


class _Waiting:
    """Waiting in a thread of its own, so that a person can be shown how it gets on, and can leave off."""

    def __init__(self, app: App, wait: Callable[[], None]) -> None:
        self._app = app
        self._wait = wait
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="wait", daemon=True)

    def watch(self, look: Callable[[], None]) -> None:
        """Until it is over; raises what went wrong."""
        self._thread.start()
        while self._thread.is_alive():
            look()
            self._thread.join(_LOOK_SECONDS)
        if self._error is not None:
            raise self._error

    def leave_off(self) -> None:
        """A job that is done here is put back between two requests; a request that hangs is left to the job's lease."""
        self._app.stop.request()
        self._thread.join(_LEAVE_SECONDS)

    def _run(self) -> None:
        try:
            self._wait()
        # It is raised again where somebody hears it.
        except Exception as error:  # noqa: BLE001 - the thread has nobody to tell
            self._error = error


def _until_over(app: App, identity: str, attempts_before: int, solitude: "_Solitude") -> None:
    tried = False
    with solitude:
        while not (_is_over(row := _row(app, identity), attempts_before) or app.stop.requested):
            # What was put off before we asked is done at once; what puts itself off while we wait knows why.
            if solitude.reached() and not (tried and _is_put_off(app, row)):
                tried = True
                _do_here(app, identity)
            else:
                app.clock.sleep(_LOOK_SECONDS)


def _progress(app: App, identity: str) -> Mapping[str, Any]:
    """How far the job has come, and which accounts have not answered yet, by account."""
    app.look_at_waits()
    told: dict[str, Any] = dict(_headway(_row(app, identity)))
    with app.database.read() as connection:
        now = app.database.now(connection)
        for name in accounts.names(connection):
            seconds = waited_for(accounts.find(connection, name), now)
            if seconds is not None:
                told[name] = {**told.get(name, {}), WAITING: round(seconds, 1)}
    return told


def _headway(row: sa.Row[Any]) -> Mapping[str, Any]:
    told = {} if row.result is None or row.state != TaskState.RUNNING else row.result.get(HEADWAY, {})
    return told if isinstance(told, dict) else {}


def _left_off(identity: str, *, alone: bool) -> str:
    if alone:
        return f"Job {identity} stays on the queue; a daemon, or the same command again, goes on where it was."
    return f"Job {identity} stays on the queue, where a daemon goes on: see `waybill status` and `waybill coverage`."


def _is_over(row: sa.Row[Any], attempts_before: int) -> bool:
    """Whether the job has ended, or was tried and failed since we asked: what failed before does not count."""
    ended = row.state in (TaskState.DONE, TaskState.DISCARDED)
    return ended or (row.state == TaskState.WAITING and row.error is not None and row.attempts > attempts_before)


def _is_put_off(app: App, row: sa.Row[Any]) -> bool:
    with app.database.read() as connection:
        return bool(row.due_at > app.database.now(connection))


class _Solitude:
    """Whether the job is ours to do: no daemon is there, or it has gone, or the command that kept daemons away has.

    Where there may be one daemon only, it is kept away from then on until we are done. The lock belongs to the thread.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._held = ExitStack()
        self.is_ours = False

    def __enter__(self) -> None:
        """Nothing is held yet."""

    def __exit__(self, *_: object) -> None:
        """Let the next one in."""
        self._held.close()

    def reached(self) -> bool:
        """Look again, unless it was reached before. Raises NotReady if the state directory cannot be used."""
        if not self.is_ours:
            self.is_ours = self._is_left_to_us()
        return self.is_ours

    def _is_left_to_us(self) -> bool:
        if self._app.shares_queue:
            return not _somebody_relays(self._app)
        try:
            self._held.enter_context(state_lock(self._app.settings.state_dir))
        except Occupied:
            return False
        # The lock is ours, so a command or a daemon that died over a job no longer has it.
        self._app.take_over()
        return True


def _somebody_relays(app: App) -> bool:
    with app.database.read() as connection:
        now = app.database.now(connection)
        lease = sa.select(leases.c.name).where(leases.c.name == "relay", leases.c.until > now)
        return connection.execute(lease).first() is not None


def _do_here(app: App, identity: str) -> None:
    lease_seconds = app.settings.tasks.lease_seconds
    renewal = Renewal(database=app.database, tasks=app.tasks, lease_seconds=lease_seconds)
    runner = Runner(
        database=app.database,
        tasks=app.tasks,
        rules=RULES,
        services=app.jobs.services(),
        renewal=renewal,
        owner=app.owner,
        lease_seconds=lease_seconds,
        random=app.random,
        is_stopping=lambda: False,
        checkpoint=app.checkpoint,
        tells_given_up=False,
    )
    renewal.start()
    try:
        runner.run(_up_to(app, identity))
    finally:
        renewal.stop()
    # A job that could not be done now for no fault of its own (somebody is at the account) is tried again soon.
    app.clock.sleep(_LOOK_SECONDS)


def _up_to(app: App, identity: str) -> list[str]:
    """The job and those before it in its line, which go first; whoever died over one of them no longer has it."""
    with app.database.write() as connection:
        outbox.release_expired(connection, app.database.now(connection))
        ours = connection.execute(sa.select(tasks).where(tasks.c.id == identity)).one()
        line = sa.select(tasks.c.id).where(
            tasks.c.ended_at.is_(None),
            tasks.c.kind == ours.kind,
            tasks.c.subject == ours.subject,
            tasks.c.number <= ours.number,
        )
        return list(connection.execute(line.order_by(tasks.c.number)).scalars())


def _row(app: App, identity: str) -> sa.Row[Any]:
    with app.database.read() as connection:
        return connection.execute(sa.select(tasks).where(tasks.c.id == identity)).one()


def _raise_if_failed(row: sa.Row[Any]) -> None:
    if row.error is not None:
        again = "" if row.state == TaskState.DISCARDED else f" Job {row.id} stays on the queue and is tried again."
        sentence = f"{row.error.rstrip('.')}.{again}"
        raise JobFailed(sentence)
    troubles = [_trouble(told) for told in ({} if row.result is None else row.result).values()]
    told = [trouble for trouble in troubles if trouble is not None]
    if told:
        raise JobFailed(" ".join(told))


def _trouble(told: object) -> str | None:
    """What the result says of an account that could not be read."""
    if not isinstance(told, dict):
        return None
    return next((str(told[name]) for name in _TROUBLES if told.get(name) is not None), None)
