"""`waybill coverage`: which spans of source time were read completely, and which were not."""

from pathlib import Path
from typing import Annotated

import typer

from worker.cli.options import Account, AsJson, Config
from worker.cli.output import show_rows
from worker.cli.session import session
from worker.listings import COVERAGE_COLUMNS, holes, list_coverage
from worker.states import CoverageState

app = typer.Typer(help="Certified spans and holes.", invoke_without_command=True)

Check = Annotated[bool, typer.Option("--check", help="Exit 1 if there is a hole.")]
State = Annotated[CoverageState | None, typer.Option("--state", help="Only spans in this state.")]


@app.callback()
def coverage(
    context: typer.Context,
    *,
    check: Check = False,
    account: Account = None,
    state: State = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List spans of source time by account."""
    if context.invoked_subcommand is None:
        _show(account=account, state=state, check=check, as_json=as_json, config=config)


@app.command("list")
def list_command(
    *,
    check: Check = False,
    account: Account = None,
    state: State = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List spans of source time by account; the same as `waybill coverage`."""
    _show(account=account, state=state, check=check, as_json=as_json, config=config)


def _show(*, account: str | None, state: CoverageState | None, check: bool, as_json: bool, config: Path | None) -> None:
    with session(config) as here, here.database.read() as connection:
        show_rows(list_coverage(connection, account=account, state=state), COVERAGE_COLUMNS, as_json=as_json)
        found = holes(connection)
    if check and found:
        raise typer.Exit(1)
