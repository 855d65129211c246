"""`waybill run`, and its parts for several machines: `scheduler`, `work`, `web`."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from worker import daemon
from worker.app import App
from worker.cli.live import progress_for
from worker.cli.options import Config
from worker.cli.session import chosen_config, read_settings
from worker.daemon import DEFAULT_THREADS, RunOptions
from worker.runtime.idleness import DEFAULT_PATIENCE_SECONDS

# More threads than that wait for each other, whatever the machine.
_MOST_THREADS = 128
# More processes than that belong on several machines.
_MOST_PROCESSES = 64

UntilIdle = Annotated[bool, typer.Option("--until-idle", help="End once nothing but schedules is due.")]
Patience = Annotated[
    float, typer.Option("--patience", min=0, metavar="S", help="Seconds that what is due soon is waited for.")
]
Threads = Annotated[int, typer.Option("--threads", min=1, max=_MOST_THREADS, metavar="N", help="Worker threads.")]
Processes = Annotated[
    int, typer.Option("--processes", min=1, max=_MOST_PROCESSES, metavar="N", help="Worker processes.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(scheduler)
    app.command()(work)
    app.command()(web)


def run(
    *,
    until_idle: UntilIdle = False,
    patience: Patience = DEFAULT_PATIENCE_SECONDS,
    threads: Threads = DEFAULT_THREADS,
    config: Config = None,
) -> None:
    """Run scheduler, relay, actors and the web part in one process.

    With --until-idle, exit 1 if a hole, an ambiguous or a needs_person firing, or a response in doubt remains.
    """
    options = RunOptions(threads=threads, until_idle=until_idle, patience_seconds=patience)
    _serve(config, lambda app: daemon.run(app, options, progress_for(app.clock)))


def scheduler(*, config: Config = None) -> None:
    """Run the scheduler and the relay only; workers run elsewhere. Needs PostgreSQL and Redis."""
    _serve(config, daemon.schedule)


def work(*, threads: Threads = DEFAULT_THREADS, processes: Processes = 1, config: Config = None) -> None:
    """Run workers only. Needs PostgreSQL and Redis."""
    if processes == 1:
        _serve(config, lambda app: daemon.work(app, threads=threads))
    one = [sys.executable, "-m", "worker", *_config_option(config), "work", "--threads", str(threads)]
    _serve(config, lambda app: daemon.work_in_processes(app, command=one, processes=processes))


def web(*, config: Config = None) -> None:
    """Run the web part only: health, readiness, metrics; and barmate's webhooks, where they are heard."""
    _serve(config, daemon.web)


def _config_option(config: Path | None) -> list[str]:
    chosen = chosen_config(config)
    return [] if chosen is None else ["--config", str(chosen)]


def _serve(config: Path | None, part: Callable[[App], int]) -> None:
    app = App(read_settings(config, quiet=False))
    try:
        status = part(app)
    finally:
        app.close()
    raise typer.Exit(status)
