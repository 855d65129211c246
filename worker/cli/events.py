"""`waybill events`: the log."""

from typing import Annotated

import typer

from worker.cli.options import AsJson, Config, Limit, OptionalSince
from worker.cli.output import show_rows
from worker.cli.session import session
from worker.listings import EVENT_COLUMNS, list_events

app = typer.Typer(help="The event log.", no_args_is_help=True)

Subject = Annotated[
    str | None, typer.Option("--subject", metavar="S", help="Only this subject, such as deliveries/21001206.")
]
Type = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="Only this type, such as waybill.order.completed.")
]


@app.command("list")
def list_command(
    *,
    subject: Subject = None,
    type_: Type = None,
    since: OptionalSince = None,
    limit: Limit = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List events, oldest first; with a limit, the newest so many. JSON lines are CloudEvents 1.0."""
    with session(config) as here, here.database.read() as connection:
        rows = list_events(connection, subject=subject, type_=type_, since=since, limit=limit)
        show_rows(rows, EVENT_COLUMNS, as_json=as_json)
