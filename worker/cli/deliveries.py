"""`waybill deliveries`: what we hold of the warehouse, and what is written there."""

from typing import Annotated

import typer

from worker.cli import writes
from worker.cli.options import Account, AsJson, Config, Limit
from worker.cli.output import show_rows
from worker.cli.session import session
from worker.listings import DELIVERY_COLUMNS, list_deliveries

app = typer.Typer(help="Deliveries as last seen, and the warehouse's own write calls.", no_args_is_help=True)

Status = Annotated[str | None, typer.Option("--status", metavar="STATUS", help="Only deliveries with this status.")]


@app.command("list")
def list_command(
    *,
    account: Account = None,
    status: Status = None,
    limit: Limit = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List deliveries by account and id."""
    with session(config) as here, here.database.read() as connection:
        rows = list_deliveries(connection, account=account, status=status, limit=limit)
        show_rows(rows, DELIVERY_COLUMNS, as_json=as_json)


writes.register(app)
