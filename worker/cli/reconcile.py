"""`waybill reconcile`: our ledger against the registry's. Read-only there, and needs no daemon."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from worker.app import App
from worker.cli.options import AsJson, Because, Config
from worker.cli.output import say, show_rows
from worker.cli.session import session
from worker.reconciler import Mismatch, Reconciler, Report

app = typer.Typer(help="The two ledgers compared.", invoke_without_command=True)

_COLUMNS = ("id", "kind", "subject", "found_at", "detail")

Supplier = Annotated[bool, typer.Option("--supplier", help="All that the supplier delivered, linked or not.")]
MismatchId = Annotated[str, typer.Argument(metavar="ID", help="A mismatch, as `reconcile` lists it.")]


@app.callback()
def reconcile(
    context: typer.Context, *, supplier: Supplier = False, as_json: AsJson = False, config: Config = None
) -> None:
    """Compare the two ledgers: a line per mismatch. Exit 0 when they agree, 1 when not."""
    if context.invoked_subcommand is None:
        _compare(supplier=supplier, as_json=as_json, config=config)


@app.command()
def close(identity: MismatchId, *, because: Because, config: Config = None) -> None:
    """Close a mismatch for good, with a reason."""
    with session(config) as here:
        _reconciler(here).close(identity, because)
    say(f"{identity} is closed.")


def _compare(*, supplier: bool, as_json: bool, config: Path | None) -> None:
    with session(config) as here:
        report = _reconciler(here).run(supplier=supplier)
    show_rows(_rows(report.mismatches), _COLUMNS, as_json=as_json)
    if not as_json:
        say(_summary(report))
    if not report.agrees:
        raise typer.Exit(1)


def _reconciler(here: App) -> Reconciler:
    parts = here.crediting.firing
    return Reconciler(database=here.database, account=parts.account, ledger=parts.ledger)


def _rows(found: tuple[Mismatch, ...]) -> Iterator[dict[str, object]]:
    for one in found:
        yield {
            "id": one.id,
            "kind": one.kind,
            "subject": one.subject,
            "found_at": one.found_at,
            "detail": dict(one.detail),
        }


def _summary(report: Report) -> str:
    verdict = "The ledgers agree" if report.agrees else f"{len(report.mismatches)} mismatches are open"
    return (
        f"{verdict}: {report.matched} credit deliveries match on {report.credit_orders} credit orders, "
        f"{report.pending} are under way."
    )
