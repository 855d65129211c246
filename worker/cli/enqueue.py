"""`waybill enqueue`: jobs put on the queue by hand. A task is a row, so this works with and without a daemon."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import typer

from worker import kinds
from worker.app import App
from worker.cli.choosing import the_order
from worker.cli.job_results import has_findings, sentences
from worker.cli.options import (
    Account,
    AsJson,
    Config,
    Customer,
    OptionalSince,
    OptionalUntil,
    PurchaseOrder,
    Since,
    Until,
    Wait,
)
from worker.cli.output import say, to_json
from worker.cli.session import session
from worker.cli.waiting import wait_for
from worker.cli.watching import watching
from worker.clock import instant_text
from worker.errors import UsageError
from worker.event_log import load_event
from worker.runtime.jobs import ALL
from worker.tasks import NewTask

# Seconds of source time are counted from here.
_FIRST_YEAR = 1970

app = typer.Typer(help="Put a job on the queue by hand; prints the task's id.", no_args_is_help=True)

EventId = Annotated[str | None, typer.Argument(metavar="[EVENT]", help="An event's id.")]
Supplier = Annotated[bool, typer.Option("--supplier", help="All that the supplier delivered.")]


@app.command()
def poll(*, account: Account = None, wait: Wait = False, as_json: AsJson = False, config: Config = None) -> None:
    """Poll an account, or all of them and barmate, now."""
    with session(config) as here:
        _add(here, NewTask(kind=kinds.POLL, subject=_meant(here, account, barmate=True)), wait=wait, as_json=as_json)


@app.command()
def backfill(
    *,
    since: Since,
    until: Until,
    account: Account = None,
    wait: Wait = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Certify a span of source time; what is certified already is not read again."""
    with session(config) as here:
        span = _span_in_the_past(since, until, here.clock.now())
        meant = _meant(here, account)
        # Ranges of one account are read side by side, so the subject names the range.
        subject = f"{meant} {span['since']}/{span['until']}"
        job = NewTask(kind=kinds.BACKFILL, subject=subject, payload={**span, "account": meant})
        _add(here, job, wait=wait, as_json=as_json)


@app.command()
def sweep(*, account: Account = None, wait: Wait = False, as_json: AsJson = False, config: Config = None) -> None:
    """Read slowly what polling may have missed; barmate's list is read to its end."""
    with session(config) as here:
        _add(here, NewTask(kind=kinds.SWEEP, subject=_meant(here, account, barmate=True)), wait=wait, as_json=as_json)


@app.command()
def mirror(
    event: EventId = None,
    *,
    since: OptionalSince = None,
    until: OptionalUntil = None,
    wait: Wait = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Mirror one event again, or all that were recorded in a span."""
    payload = _what_to_mirror(event, since, until)
    with session(config) as here:
        if here.settings.webhook.url is None:
            sentence = "No receiver is configured, so nothing can be mirrored; set WAYBILL_WEBHOOK__URL."
            raise UsageError(sentence)
        _check_event(here, event)
        _add(here, NewTask(kind=kinds.MIRROR_AGAIN, subject=ALL, payload=payload), wait=wait, as_json=as_json)


@app.command()
def fire(
    purchase_order: PurchaseOrder,
    *,
    account: Account = None,
    customer: Customer = None,
    wait: Wait = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Look at an order and its firing now; mode and brakes are obeyed."""
    with session(config) as here:
        with here.database.read() as connection:
            key = the_order(connection, purchase_order, account=account, customer_id=customer)
        _add(here, NewTask(kind=kinds.FIRE, subject=key.text), wait=wait, as_json=as_json)


@app.command()
def reconcile(
    *, supplier: Supplier = False, wait: Wait = False, as_json: AsJson = False, config: Config = None
) -> None:
    """Compare the two ledgers."""
    with session(config) as here:
        _require_registry(here)
        _add(
            here, NewTask(kind=kinds.RECONCILE, subject=ALL, payload={"supplier": supplier}), wait=wait, as_json=as_json
        )


def _add(here: App, new: NewTask, *, wait: bool, as_json: bool) -> None:
    with here.database.write() as connection:
        joins = new.kind == kinds.BACKFILL
        identity = here.tasks.add_job(connection, new, here.database.now(connection), joins=joins)
    say(to_json({"task": identity}) if as_json else identity)
    if not wait:
        return
    with watching(here.clock, identity, as_json=as_json) as watch:
        result = wait_for(here, identity, watch)
    for line in [to_json({"task": identity, "result": result})] if as_json else sentences(new.kind, result):
        say(line)
    if has_findings(new.kind, result):
        raise typer.Exit(1)


def _meant(here: App, account: str | None, *, barmate: bool = False) -> str:
    names = [one.name for one in here.settings.accounts if one.api_key is not None]
    if barmate and here.customers.host is not None:
        names.append(here.customers.host)
    if not names:
        sentence = (
            "No logistic.cloud account with a key is configured; "
            "set WAYBILL_LOGISTIC_CLOUD__BASE_URL and WAYBILL_LOGISTIC_CLOUD__API_KEY."
        )
        raise UsageError(sentence)
    if account is not None and account not in names:
        sentence = f"--account: there is no account {account!r} with a key; configured are: {', '.join(names)}."
        raise UsageError(sentence)
    return ALL if account is None else account


def _span(since: datetime, until: datetime) -> Mapping[str, object]:
    if until < since:
        sentence = f"--until {instant_text(until)} is before --since {instant_text(since)}; exchange them."
        raise UsageError(sentence)
    return {"since": since.isoformat(), "until": until.isoformat()}


def _span_in_the_past(since: datetime, until: datetime, now: datetime) -> Mapping[str, object]:
    if since > now:
        sentence = f"--since {instant_text(since)} lies in the future; there is nothing to read yet."
        raise UsageError(sentence)
    if since.year < _FIRST_YEAR:
        sentence = f"--since {instant_text(since)} is before {_FIRST_YEAR}; nothing at the source is that old."
        raise UsageError(sentence)
    return _span(since, until)


def _what_to_mirror(event: str | None, since: datetime | None, until: datetime | None) -> Mapping[str, object]:
    if event is not None and since is None and until is None:
        return {"event": event}
    if event is None and since is not None and until is not None:
        return _span(since, until)
    sentence = "Give the id of an event, or --since and --until."
    raise UsageError(sentence)


def _check_event(here: App, event: str | None) -> None:
    if event is None:
        return
    with here.database.read() as connection:
        if load_event(connection, event) is None:
            sentence = f"There is no event {event!r} in the log; `waybill events list` shows those there are."
            raise UsageError(sentence)


def _require_registry(here: App) -> None:
    if not here.settings.isometric.has_credentials:
        sentence = (
            "No registry credentials are configured; "
            "set WAYBILL_ISOMETRIC__ACCESS_TOKEN and WAYBILL_ISOMETRIC__CLIENT_SECRET."
        )
        raise UsageError(sentence)
    # A database of another registry, supplier or marker key is a mistake of this command's caller, not of the job.
    here.crediting.firing.account.check_bindings()
