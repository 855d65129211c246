"""The whole command line, put together from its nouns."""

from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from worker.cli import (
    barmate,
    coverage,
    daemon,
    database,
    dead_letters,
    deliveries,
    doctor,
    enqueue,
    events,
    firings,
    orders,
    reconcile,
    rehearse,
    status,
    webhook,
)
from worker.cli.options import Config
from worker.cli.output import say
from worker.cli.session import remember_config

app = typer.Typer(
    name="waybill",
    help="Syncs deliveries from logistic.cloud and fires credit deliveries at the Isometric registry, at most once.",
    no_args_is_help=True,
    # One sentence for a mistake, not a framed page; and never a traceback with values in it.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _show_version(asked: bool) -> None:  # noqa: FBT001 - the library calls it so
    if asked:
        say(f"waybill {version_of('waybill')}")
        raise typer.Exit


def version_of(name: str) -> str:
    """The version of an installed package, or words that say that it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "(a checkout that is not installed)"


@app.callback()
def _root(
    *,
    config: Config = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    remember_config(config)


daemon.register(app)
app.add_typer(enqueue.app, name="enqueue")
app.add_typer(orders.app, name="orders")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(events.app, name="events")
app.add_typer(coverage.app, name="coverage")
app.add_typer(firings.app, name="credits")
app.add_typer(reconcile.app, name="reconcile")
app.add_typer(webhook.app, name="webhook")
app.add_typer(barmate.app, name="barmate")
app.add_typer(dead_letters.app, name="dead-letters")
status.register(app)
doctor.register(app)
rehearse.register(app)
app.add_typer(database.app, name="db")
