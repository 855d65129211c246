"""`waybill webhook`: the operator's receiver."""

from datetime import datetime

import orjson
import typer

from connectors.errors import ConnectorError
from connectors.webhook import Delivered, Gone, Outcome, RetryLater
from worker import switches
from worker.app import App
from worker.app.root import identity
from worker.cli.options import Config
from worker.cli.output import say
from worker.cli.session import session
from worker.errors import UsageError
from worker.events import Event

app = typer.Typer(help="The receiver of events.", no_args_is_help=True)


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
