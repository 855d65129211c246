"""`waybill status`: one object that says how everything stands."""

import typer

from worker.cli.options import AsJson, Config
from worker.cli.output import show_object
from worker.cli.session import session
from worker.runtime.status import read_status


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(*, as_json: AsJson = False, config: Config = None) -> None:
    """Show whether it is idle, tasks and firings by state, how far accounts were read, and what is switched off."""
    with session(config) as here:
        mirroring = here.settings.webhook.url is not None
        show_object(read_status(here.database, mirroring=mirroring).document(), as_json=as_json)
