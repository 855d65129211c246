"""`waybill orders`: links to credit orders, and how each order stands."""

from pathlib import Path
from typing import Annotated

import typer

from settings import Mode
from worker.cli.choosing import the_order
from worker.cli.options import Account, AsJson, Config, Customer, Limit, PurchaseOrder, word_of
from worker.cli.output import say, show_object, show_rows
from worker.cli.session import session
from worker.cli.story import tell
from worker.explain import explain
from worker.orders.link_file import load_links
from worker.orders.links import Links
from worker.orders.order_rows import list_orders
from worker.states import OrderState

app = typer.Typer(help="Orders and their links.", no_args_is_help=True)

_COLUMNS = (
    "account",
    "customer_id",
    "purchase_order",
    "state",
    "deliveries",
    "completed",
    "credit_order_id",
    "reason",
)

LinksFile = Annotated[Path, typer.Argument(metavar="FILE", help="Links as CSV or JSON.")]
State = Annotated[
    OrderState | None,
    typer.Option(
        "--state",
        parser=word_of(OrderState),
        metavar="STATE",
        help=f"Only orders in this state: {', '.join(OrderState)}.",
    ),
]
OrdinalFilter = Annotated[
    int | None, typer.Option("--ordinal", min=0, max=9, metavar="N", help="Only this firing of the order.")
]


@app.command("import")
def import_command(file: LinksFile, *, config: Config = None) -> None:
    """Import order links: those named are added or updated, others left alone. A mistake, and nothing is taken."""
    with session(config) as here:
        automatic = here.settings.credits.mode is Mode.AUTOMATIC
        rows = load_links(file, count_required=automatic)
        with here.database.write() as connection:
            report = Links().import_rows(connection, rows, here.database.now(connection))
    added = "1 link" if report.added == 1 else f"{report.added} links"
    say(f"{added} added, {report.changed} changed, {report.unchanged} unchanged.")


@app.command()
def unlink(
    purchase_order: PurchaseOrder, *, account: Account = None, customer: Customer = None, config: Config = None
) -> None:
    """Take the link of an order away; refused once its firing is armed."""
    with session(config) as here, here.database.write() as connection:
        now = here.database.now(connection)
        link = Links().unlink(connection, purchase_order, account=account, customer_id=customer, now=now)
    say(f"{link.purchase_order} is no longer linked to {link.credit_order_id}.")


@app.command("list")
def list_command(*, state: State = None, limit: Limit = None, as_json: AsJson = False, config: Config = None) -> None:
    """List orders with their state and its reason."""
    with session(config) as here, here.database.read() as connection:
        show_rows(list_orders(connection, Links(), state=state, limit=limit), _COLUMNS, as_json=as_json)


@app.command("explain")
def explain_command(
    purchase_order: PurchaseOrder,
    *,
    account: Account = None,
    customer: Customer = None,
    ordinal: OrdinalFilter = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show all that led to where an order stands, from the stored log alone.

    Readings, deliveries, decisions, the calculation line by line, attempts with their bytes and answers, and what the
    registry itself recorded.
    """
    with session(config) as here, here.database.read() as connection:
        key = the_order(connection, purchase_order, account=account, customer_id=customer)
        link = Links().find(connection, key)
        explained = explain(connection, key, link, ordinal, here.customers.side)
    if as_json:
        show_object(explained, as_json=True)
    else:
        tell(explained)
