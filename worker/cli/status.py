"""`waybill status`: one object that says how everything stands."""

import typer

from worker.cli.in_words import customers, in_words, reading, things
from worker.cli.options import AsJson, Config
from worker.cli.output import say, show_object, to_json
from worker.cli.session import session
from worker.runtime.status import Status, read_status

_NO_ACCOUNT = "none was read yet: see WAYBILL_LOGISTIC_CLOUD__BASE_URL and `waybill run`"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(*, as_json: AsJson = False, config: Config = None) -> None:
    """Show whether it is idle, tasks and firings by state, how far accounts were read, and what is switched off."""
    with session(config) as here:
        mirroring = here.settings.webhook.url is not None
        found = read_status(here.database, mirroring=mirroring)
    if as_json:
        say(to_json(found.document()))
    else:
        show_object(_for_a_person(found), as_json=False)


def _for_a_person(status: Status) -> dict[str, object]:
    """Only what there is: the states that something is in, what is due, what is off."""
    due = {"tasks": status.due.tasks, "orders": status.due.orders, "firings": status.due.firings}
    return {
        "idle": status.idle,
        "accounts": {account.account: reading(account) for account in status.accounts} or _NO_ACCOUNT,
        **({"barmate": {one.account: customers(one) for one in status.barmate}} if status.barmate else {}),
        **({"responses": in_words(status.responses)} if status.barmate else {}),
        "orders": in_words(status.orders),
        "firings": in_words(status.firings),
        "tasks": in_words(status.tasks),
        "due soon": things(due),
        "events": status.events,
        "records set aside": status.set_aside,
        "webhook": status.webhook,
        "off": dict(status.off),
    }
