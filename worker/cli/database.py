"""`waybill db`: the database's schema."""

import typer

from worker.cli.options import Config
from worker.cli.output import say
from worker.cli.session import open_database, read_settings
from worker.clock import SystemClock
from worker.db.upgrade import upgrade

app = typer.Typer(help="The database.", no_args_is_help=True)


@app.command("upgrade")
def upgrade_command(*, config: Config = None) -> None:
    """Bring the schema to the newest revision; harmless when it is there already."""
    database = open_database(read_settings(config), SystemClock())
    try:
        revision = upgrade(database)
    finally:
        database.close()
    say(f"The database is at revision {revision}.")
