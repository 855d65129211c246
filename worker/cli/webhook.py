"""`waybill webhook`: the operator's receiver."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer

from connectors.errors import ConnectorError
from connectors.webhook import Delivered, Gone, Outcome, RetryLater
from connectors.webhook_signature import Signers
from worker import switches
from worker.app import App
from worker.app.opening import identity
from worker.cli.options import AsJson, Config, parse_instant
from worker.cli.output import say, show_object
from worker.cli.saved_request import parse_request
from worker.cli.session import session
from worker.errors import UsageError
from worker.event_log import load_event
from worker.events import Event
from worker.received import Judgement, Message, judge

app = typer.Typer(help="The receiver of events.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="The message as it arrived; - for standard input.")]
Headers = Annotated[
    list[str] | None, typer.Option("--header", metavar="'NAME: VALUE'", help="A header of the message; repeatable.")
]
At = Annotated[
    datetime | None,
    typer.Option("--at", parser=parse_instant, metavar="TIME", help="When it arrived; now, if it is not said."),
]


@app.command("test")
def send_ping(*, config: Config = None) -> None:
    """Post a signed ping, now. Exit 3 if the receiver does not take it."""
    with session(config) as here:
        outcome = _post_ping(here)
    if not isinstance(outcome, Delivered):
        raise _refusal(outcome)
    say(f"The receiver took the ping (HTTP {outcome.status}).")


@app.command()
def enable(*, config: Config = None) -> None:
    """Switch the receiver on again after it answered 410 Gone; what waits is posted then."""
    with session(config) as here, here.database.write() as connection:
        _require_url(here)
        now = here.database.now(connection)
        switches.turn(connection, switches.WEBHOOK, on=True, reason="switched on by a person", now=now)
    say("The receiver is switched on.")


@app.command()
def verify(
    file: File,
    *,
    headers: Headers = None,
    at: At = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Check a message as a receiver would, with the secrets of the settings. Exit 1 if it does not fit.

    FILE holds headers, an empty line and the body (`-`: standard input), or a JSON object with headers and body, or
    the body alone, with its headers given by --header.
    """
    message = parse_request(_content(file), [] if headers is None else headers)
    with session(config) as here:
        signers = _signers(here)
        with here.database.read() as connection:
            event = load_event(connection, message.id)
        logged = None if event is None else orjson.dumps(event.cloud_event())
        found = judge(message, signers, at=here.clock.now() if at is None else at, logged=logged)
    _tell(message, found, as_json=as_json)
    if not found.fits:
        raise typer.Exit(1)


def _tell(message: Message, found: Judgement, *, as_json: bool) -> None:
    if as_json:
        document = {"fits": found.fits, "message_id": message.id, "secret": found.secret, "sent_at": found.sent_at}
        show_object({**document, "reason": found.reason}, as_json=True)
    else:
        say(found.reason)


def _content(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        sentence = f"The file {file} cannot be read: {error.strerror}."
        raise UsageError(sentence) from error


def _signers(here: App) -> Signers:
    hook = here.settings.webhook
    secrets = [one.get_secret_value() for one in (hook.secret, hook.previous_secret) if one is not None]
    if not secrets:
        sentence = "There is no secret to check with; set WAYBILL_WEBHOOK__SECRET."
        raise UsageError(sentence)
    return Signers("webhook", secrets)


def _require_url(here: App) -> None:
    if here.settings.webhook.url is None:
        sentence = "No receiver is configured; set WAYBILL_WEBHOOK__URL and WAYBILL_WEBHOOK__SECRET."
        raise UsageError(sentence)


def _post_ping(here: App) -> Outcome:
    _require_url(here)
    target = here.clients.webhook(here.settings.webhook)
    if target is None:
        sentence = "The receiver has no secret; set WAYBILL_WEBHOOK__SECRET."
        raise UsageError(sentence)
    now = here.clock.now()
    event = _ping(now)
    return target.deliver(message_id=event.id, sent_at=now, body=orjson.dumps(event.cloud_event()))


def _ping(now: datetime) -> Event:
    """Not from the log: a receiver that looks at the type passes it over."""
    return Event(
        id=f"ping_{identity()}",
        source="/waybill",
        subject="webhook",
        type="waybill.webhook.ping",
        sequence=0,
        time=now,
        data={},
    )


def _refusal(outcome: RetryLater | Gone) -> ConnectorError:
    why = outcome.reason if isinstance(outcome, RetryLater) else "the receiver answered 410 Gone: it wants no events"
    return ConnectorError("webhook", "deliver a ping", why, status=outcome.status)
