"""`waybill barmate`: what customers are told, and whether the warehouse and barmate agree."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated

import typer

from worker import kinds
from worker.app import App
from worker.cli.options import AsJson, Because, Config, Limit
from worker.cli.output import say, show_object, show_rows
from worker.cli.session import session
from worker.cli.waiting import JobFailed
from worker.cli.watching import say_aside
from worker.errors import UsageError
from worker.responding import agreement as report
from worker.responding import preview as previews
from worker.responding import reply_rows
from worker.responding.differences import Difference
from worker.responding.person import Finding
from worker.responding.person import resolve as believe
from worker.responding.terms import Terms
from worker.tasks import NewTask

app = typer.Typer(help="What customers are told at barmate, and whether both sides agree.", no_args_is_help=True)

# A week: what customers ask for is delivered within days.
_STILL_DAYS = 7.0

OrderId = Annotated[str, typer.Argument(metavar="ID", help="The customer order's id at barmate.")]
As = Annotated[Finding, typer.Option("--as", help="What you saw at barmate: the response is there, or it is not.")]
Everything = Annotated[bool, typer.Option("--all", help="Also customer orders about which nothing is to be said.")]
Days = Annotated[float, typer.Option("--days", min=0.0, metavar="N", help="Days without movement that are too many.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="First read at barmate what was not read in the last minute.")]


@app.command()
def preview(*, everything: Everything = False, as_json: AsJson = False, config: Config = None) -> None:
    """Show what would be said to whom, also while BARMATE__RESPOND is off. Asks and sends nothing.

    From what was read: just before sending, the customer order is read again.
    """
    with session(config) as here, here.database.read() as connection:
        now = here.database.now(connection)
        rows = previews.preview(connection, _terms(here), now, everything=everything)
        show_rows(rows, previews.COLUMNS, as_json=as_json)


@app.command()
def responses(*, limit: Limit = None, as_json: AsJson = False, config: Config = None) -> None:
    """List what was said or is being said, the newest first."""
    with session(config) as here, here.database.read() as connection:
        found = reply_rows.each(connection, _terms(here).host, limit=limit)
        show_rows((reply.document() for reply in found), reply_rows.COLUMNS, as_json=as_json)


@app.command()
def resolve(
    order_id: OrderId, *, finding: As, because: Because, as_json: AsJson = False, config: Config = None
) -> None:
    """Say what came of a response that waits for a person: it is at barmate, or it is not and is decided anew.

    `absent` also lets a response be tried again that barmate refused.
    """
    if not because.strip():
        sentence = "--because: say why; the reason is kept."
        raise UsageError(sentence)
    with session(config) as here:
        reply = believe(here.database, _terms(here).host, order_id, finding, because)
        with here.database.write() as connection:
            now = here.database.now(connection)
            here.tasks.add_job(connection, NewTask(kind=kinds.RESPOND, subject=order_id), now)
    if as_json:
        show_object(reply.document(), as_json=True)
    else:
        say(f"{reply.words.type} to customer order {order_id}: {reply.state}: {reply.reason}")


@app.command()
def agreement(
    *, days: Days = _STILL_DAYS, fresh: Fresh = False, as_json: AsJson = False, config: Config = None
) -> None:
    """Show what does not agree between the warehouse and barmate. Exit 0 where all agrees, 1 where not.

    Compares what was read; needs no daemon. What cannot be compared is shown, and is no difference.
    """
    found: list[Difference] = []
    with session(config) as here:
        terms = _terms(here)
        if fresh:
            _read(here)
        with here.database.read() as connection:
            now = here.database.now(connection)
            rows = report.agreement(connection, terms, now, still=timedelta(days=days))
            show_rows((one.document() for one in _kept(rows, found)), report.COLUMNS, as_json=as_json)
    if any(one.counts for one in found):
        raise typer.Exit(1)


def _kept(rows: Iterator[Difference], found: list[Difference]) -> Iterator[Difference]:
    for row in rows:
        found.append(row)
        yield row


def _read(here: App) -> None:
    """Read what is due, half a minute at a time. Raises JobFailed where barmate does not answer."""
    here.customers.prepare()
    result, requests = here.customers.poll(), 0
    while not (result["done"] or result["stopped"] or result["error"]):
        requests += int(str(result["requests"]))
        say_aside(f"{result['host']}: customer orders are being read; {requests} requests so far")
        result = here.customers.poll()
    trouble = result["stopped"] or result["error"]
    if trouble is not None:
        raise JobFailed(str(trouble))


def _terms(here: App) -> Terms:
    terms = here.answering.terms
    if terms is None:
        sentence = "barmate is not used; set WAYBILL_BARMATE__BASE_URL and WAYBILL_BARMATE__TOKEN."
        raise UsageError(sentence)
    return terms
