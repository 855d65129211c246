"""One rehearsal from beginning to end (DESIGN §8, `rehearse`)."""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import orjson

from worker.clock import Clock, SystemClock
from worker.db import Database
from worker.errors import UsageError
from worker.rehearsal import report
from worker.rehearsal.audit import audit
from worker.rehearsal.audit_gates import gated
from worker.rehearsal.course import Watch
from worker.rehearsal.encore import DATES, to_put_off
from worker.rehearsal.evidence import Evidence, PutOff, our_side
from worker.rehearsal.fleet import Fleet
from worker.rehearsal.options import Disturbance, Options, Plan, plan
from worker.rehearsal.processes import Processes, ProcessFailed
from worker.rehearsal.progress import ProgressLine
from worker.rehearsal.scene import Scene, plain_environment, set_up
from worker.rehearsal.store import require_empty
from worker.rehearsal.twins import Twins, start_twins

PASSED = 0
FAILED = 1
# Columns of a report that is not written to a terminal.
_COLUMNS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """Everything that was set up for one rehearsal."""

    plan: Plan
    scene: Scene
    twins: Twins
    fleet: Fleet
    database: Database


def run(options: Options, out: TextIO, clock: Clock | None = None) -> int:
    """Rehearse, report on `out`, and return 0 only if nothing was missed, doubled or forgotten, else 1.

    Whatever happens, no process is left behind. Raises UsageError for options that do not fit, and
    DatabaseUnavailable where the named database does not answer.
    """
    time = SystemClock() if clock is None else clock
    thought = plan(options)
    _require_writable(options.report)
    require_empty(options, time)
    progress = ProgressLine(out, time)
    try:
        with _interruptible(), ExitStack() as stack:
            stage = _set_up(thought, stack, time, progress)
            told = _rehearse(stage, time, progress)
    except ProcessFailed as failure:
        progress.say(failure.sentence)
        return FAILED
    progress.clear()
    out.write(report.text(told, columns=shutil.get_terminal_size((_COLUMNS, 0)).columns))
    if options.report is not None:
        options.report.write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")
    return PASSED if told["passed"] else FAILED


def _set_up(thought: Plan, stack: ExitStack, clock: Clock, progress: ProgressLine) -> _Stage:
    directory = stack.enter_context(_scratch(progress, keep=thought.options.keep))
    logs = directory / "logs"
    logs.mkdir()
    processes = stack.enter_context(Processes(directory=directory, logs=logs))
    twins = start_twins(processes, thought, plain_environment(os.environ))
    scene = set_up(thought, twins.addresses, twins.story(), directory, clock.now())
    fleet = Fleet(processes=processes, scene=scene, options=thought.options)
    progress.say(f"Rehearsing against simulators on loopback; {_sizes(thought)}.")
    fleet.import_links()
    database = Database(scene.database_url, clock)
    stack.callback(database.close)
    return _Stage(plan=thought, scene=scene, twins=twins, fleet=fleet, database=database)


def _rehearse(stage: _Stage, clock: Clock, progress: ProgressLine) -> dict[str, object]:
    stage.fleet.start()
    watch = Watch(
        plan=stage.plan,
        scene=stage.scene,
        twins=stage.twins,
        fleet=stage.fleet,
        database=stage.database,
        clock=clock,
        say=progress.show,
    )
    stage.twins.call_at(stage.scene.hook_url, stage.scene.hook_headers)
    watch.until_polled()
    began = clock.monotonic()
    stage.twins.begin()
    left = watch.until_settled()
    settled = clock.monotonic() - began
    put_off = None if left else _put_off(stage)
    if put_off:
        left = watch.until_settled_again()
    swept = not left and _sweep(stage)
    if swept:
        left = watch.until_settled()
    left += stage.fleet.stop()
    evidence = _evidence(stage, swept=swept, put_off=put_off)
    course = report.Course(
        seconds=clock.monotonic() - began,
        settled_after=settled,
        disturbed=watch.state.disturbed,
        still_open=left,
    )
    return report.document(stage.plan, evidence, audit(evidence), course)


def _put_off(stage: _Stage) -> tuple[PutOff, ...] | None:
    """In a rehearsal with faults, put some goods off; None where that is left out."""
    if not stage.plan.has_faults:
        return None
    found = to_put_off(_gathered(stage))
    for one in found:
        stage.twins.put_off(one.key, DATES)
    return found


def _sweep(stage: _Stage) -> bool:
    """Where deliveries vanished, look for them as the nightly sweep would; whether that was needed."""
    if not stage.twins.truth("warehouse")["removed"]:
        return False
    # Without --wait: a try that fails is no failure of the rehearsal, and the job's task is waited for like any other.
    stage.fleet.command("sweep", "enqueue", "sweep")
    return True


def _evidence(stage: _Stage, *, swept: bool, put_off: tuple[PutOff, ...] | None) -> Evidence:
    stage.twins.calm()
    # Whatever it ends with is evidence.
    reconciled = stage.fleet.command("reconcile", "reconcile", "--supplier", allowed=range(256))
    return gated(replace(_gathered(stage), swept=swept, reconciled=reconciled, put_off=put_off))


def _gathered(stage: _Stage) -> Evidence:
    return Evidence(
        story=stage.twins.story(),
        warehouse=stage.twins.truth("warehouse"),
        registry=stage.twins.truth("registry"),
        barmate=stage.twins.truth("barmate"),
        webhook=stage.twins.truth("webhook"),
        ours=our_side(stage.database),
        lost_database=any(planned.kind is Disturbance.LOSE_DATABASE for planned in stage.plan.disturbances),
    )


def _sizes(thought: Plan) -> str:
    options = thought.options
    return f"seed {options.seed}, {options.deliveries} deliveries, {options.orders} orders"


def _require_writable(path: Path | None) -> None:
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        sentence = f"--report: {path} cannot be written; name a file in a folder that exists."
        raise UsageError(sentence)


@contextmanager
def _scratch(progress: ProgressLine, *, keep: bool) -> Iterator[Path]:
    if not keep:
        with tempfile.TemporaryDirectory(prefix="waybill-rehearsal-", ignore_cleanup_errors=True) as name:
            yield Path(name)
        return
    directory = Path(tempfile.mkdtemp(prefix="waybill-rehearsal-"))
    progress.say(f"Everything is kept in {directory}.")
    yield directory


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let a polite end or a closed terminal unwind as Ctrl-C does, so that the processes are ended."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    # Only the main thread may set handlers; elsewhere whoever called unwinds.
    ours = threading.current_thread() is threading.main_thread()
    former = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP) if ours}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
