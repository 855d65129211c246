"""`waybill db`: the database's schema."""

import typer

from worker.app import App
from worker.cli.options import Config
from worker.cli.output import say
from worker.cli.session import read_settings
from worker.db.upgrade import upgrade

app = typer.Typer(help="The database.", no_args_is_help=True)


@app.command("upgrade")
def upgrade_command(*, config: Config = None) -> None:
    """Bring the schema to the newest revision; harmless when it is there already."""
    with App(read_settings(config)) as here:
        revision = upgrade(here.database)
    say(f"The database is at revision {revision}.")
