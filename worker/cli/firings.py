"""`waybill credits`: firings, and what a person may do about them."""

from typing import Annotated

import typer

from worker.app import App
from worker.cli.choosing import the_order
from worker.cli.options import Account, AsJson, Because, Config, Customer, Limit, Ordinal, PurchaseOrder, word_of
from worker.cli.output import say, show_object, show_rows
from worker.cli.session import session
from worker.events import OrderKey
from worker.firing.listing import list_credits
from worker.firing.person import Decision
from worker.firing.preview import Preview
from worker.firing.rows import FiringRow
from worker.states import FiringState

app = typer.Typer(help="Firings: credit deliveries from plan to confirmation.", no_args_is_help=True)

_COLUMNS = (
    "account",
    "customer_id",
    "purchase_order",
    "ordinal",
    "credit_order_id",
    "kg",
    "state",
    "credit_delivery_id",
    "attempts",
    "reason",
)
_ADOPTED = "adopted by a person"
_DISMISSED = "dismissed by a person"
_HELD = "a person holds it"
_PAUSED = "by a person"

State = Annotated[
    FiringState | None,
    typer.Option(
        "--state",
        parser=word_of(FiringState),
        metavar="STATE",
        help=f"Only firings in this state: {', '.join(FiringState)}.",
    ),
]
As = Annotated[Decision, typer.Option("--as", help="What is true of it.")]
DeliveryOption = Annotated[
    str | None, typer.Option("--delivery", metavar="dlv_…", help="The credit delivery of a confirmed one.")
]
DeliveryArgument = Annotated[str, typer.Argument(metavar="dlv_…", help="A credit delivery of the registry.")]
Kilograms = Annotated[int, typer.Option("--kg", min=1, metavar="N", help="Whole kilograms.")]
OptionalBecause = Annotated[str | None, typer.Option("--because", metavar="TEXT", help="The reason; it is kept.")]


@app.command("list")
def list_command(*, state: State = None, limit: Limit = None, as_json: AsJson = False, config: Config = None) -> None:
    """List firings with their state and its reason."""
    with session(config) as here, here.database.read() as connection:
        show_rows(list_credits(connection, state=state, limit=limit), _COLUMNS, as_json=as_json)


@app.command()
def plan(
    purchase_order: PurchaseOrder,
    *,
    account: Account = None,
    customer: Customer = None,
    ordinal: Ordinal = 0,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Show the exact bytes that would be sent for an order, and how its kilograms come about."""
    with session(config) as here:
        key = _order(here, purchase_order, account, customer)
        show_object(_preview(here).of(key, ordinal), as_json=as_json)


@app.command()
def approve(
    purchase_order: PurchaseOrder,
    *,
    account: Account = None,
    customer: Customer = None,
    ordinal: Ordinal = 0,
    config: Config = None,
) -> None:
    """Approve what is planned: credit order, kilograms, project and calculation."""
    with session(config) as here:
        key = _order(here, purchase_order, account, customer)
        _goes_on(here.crediting.firing.person.approve(key, ordinal), "approved")


@app.command()
def hold(
    purchase_order: PurchaseOrder,
    *,
    because: Because = _HELD,
    account: Account = None,
    customer: Customer = None,
    ordinal: Ordinal = 0,
    config: Config = None,
) -> None:
    """Hold a firing that was not sent, until it is released."""
    with session(config) as here:
        key = _order(here, purchase_order, account, customer)
        _told(here.crediting.firing.person.hold(key, ordinal, because), "held")


@app.command()
def release(
    purchase_order: PurchaseOrder,
    *,
    account: Account = None,
    customer: Customer = None,
    ordinal: Ordinal = 0,
    config: Config = None,
) -> None:
    """Let a held firing go on, or plan a refused one anew."""
    with session(config) as here:
        key = _order(here, purchase_order, account, customer)
        _goes_on(here.crediting.firing.person.release(key, ordinal), "released")


@app.command()
def resolve(
    purchase_order: PurchaseOrder,
    *,
    as_: As,
    because: Because,
    delivery: DeliveryOption = None,
    account: Account = None,
    customer: Customer = None,
    ordinal: Ordinal = 0,
    config: Config = None,
) -> None:
    """Decide about a firing that needs a person."""
    with session(config) as here:
        key = _order(here, purchase_order, account, customer)
        person = here.crediting.firing.person
        _told(person.resolve(key, as_, because=because, delivery_id=delivery, ordinal=ordinal), "resolved")


@app.command()
def adopt(
    purchase_order: PurchaseOrder,
    delivery: DeliveryArgument,
    *,
    because: Because = _ADOPTED,
    account: Account = None,
    customer: Customer = None,
    ordinal: Ordinal = 0,
    config: Config = None,
) -> None:
    """Say that a credit delivery which nobody claims is this order's."""
    with session(config) as here:
        key = _order(here, purchase_order, account, customer)
        _told(here.crediting.firing.person.adopt(key, delivery, ordinal, because), "adopted")


@app.command()
def dismiss(delivery: DeliveryArgument, *, because: Because = _DISMISSED, config: Config = None) -> None:
    """Say that a credit delivery is none of ours; it holds its credit order no longer."""
    with session(config) as here:
        here.crediting.firing.person.dismiss(delivery, because)
    say(f"{delivery} is dismissed.")


@app.command()
def supplement(
    purchase_order: PurchaseOrder,
    *,
    kg: Kilograms,
    because: Because,
    account: Account = None,
    customer: Customer = None,
    config: Config = None,
) -> None:
    """Plan a further credit delivery for an order whose firings have ended."""
    with session(config) as here:
        key = _order(here, purchase_order, account, customer)
        _told(here.crediting.firing.person.supplement(key, kg, because), "supplemented")


@app.command()
def pause(*, because: Because = _PAUSED, config: Config = None) -> None:
    """Send nothing until `resume`."""
    with session(config) as here:
        here.crediting.firing.person.pause(because)
    say("Firing is paused.")


@app.command()
def resume(*, because: OptionalBecause = None, config: Config = None) -> None:
    """End the pause, and thaw after a freeze, which needs a reason."""
    with session(config) as here:
        here.crediting.firing.person.resume(because)
    say("Firing goes on.")


def _order(here: App, purchase_order: str, account: str | None, customer: int | None) -> OrderKey:
    with here.database.read() as connection:
        return the_order(connection, purchase_order, account=account, customer_id=customer)


def _preview(here: App) -> Preview:
    parts = here.crediting.firing
    return Preview(database=here.database, rows=parts.rows, account=parts.account, readiness=parts.readiness)


def _goes_on(firing: FiringRow, deed: str) -> None:
    # Its state is still the one before: whoever looks at it next moves it.
    say(f"{deed}: {firing.name}. It goes on within seconds while waybill runs; `waybill orders explain` shows how.")


def _told(firing: FiringRow, deed: str) -> None:
    say(f"{deed}: {firing.name} is {firing.state} ({firing.reason}).")
