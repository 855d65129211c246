"""`waybill dead-letters`: what was given up, until a person decides."""

from datetime import datetime
from typing import Annotated

import typer

from worker.app import App
from worker.cli.options import AsJson, Config, Limit, OptionalSince, OptionalUntil
from worker.cli.output import say, show_rows
from worker.cli.session import session
from worker.dead_letters import Chosen, DeadLetters
from worker.errors import UsageError
from worker.events import EventType
from worker.kinds import RULES
from worker.letters import RECORD, Which
from worker.listings import DEAD_LETTER_COLUMNS, list_dead_letters
from worker.reading.observations import Observations

app = typer.Typer(help="Discarded tasks and records set aside.", no_args_is_help=True)

_KINDS = (*sorted(RULES), RECORD)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="Ids as `dead-letters list` shows them.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Of this kind, such as `mirror` or `record`.")]
Subject = Annotated[
    str | None, typer.Option("--subject", metavar="S", help="About this subject, with or without its source.")
]
Type = Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Of events of this type.")]


@app.command("list")
def list_command(
    *,
    kind: Kind = None,
    subject: Subject = None,
    event_type: Type = None,
    since: OptionalSince = None,
    until: OptionalUntil = None,
    limit: Limit = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List discarded tasks and records that did not parse, with the reasons.

    --since and --until are about when they were given up.
    """
    which = _which(kind, subject, event_type, since, until)
    with session(config) as here, here.database.read() as connection:
        show_rows(list_dead_letters(connection, which=which, limit=limit), DEAD_LETTER_COLUMNS, as_json=as_json)


@app.command()
def retry(
    ids: Ids = None,
    *,
    kind: Kind = None,
    subject: Subject = None,
    event_type: Type = None,
    since: OptionalSince = None,
    until: OptionalUntil = None,
    config: Config = None,
) -> None:
    """Try again: tasks wait with fresh attempts, records are parsed once more. Exit 1 if a record still does not.

    Those named, those that fit, or all. Of a subject they go in the order they had.
    """
    chosen = _chosen(ids, _which(kind, subject, event_type, since, until))
    with session(config) as here, here.database.write() as connection:
        retried = _letters(here).retry(connection, chosen, here.database.now(connection))
    say(f"{retried.tasks} tasks wait again, {retried.records} records parse now.")
    if retried.still_set_aside:
        say(f"{retried.still_set_aside} records still do not parse; `dead-letters list` says why.")
        raise typer.Exit(1)


@app.command()
def drop(
    ids: Ids = None,
    *,
    kind: Kind = None,
    subject: Subject = None,
    event_type: Type = None,
    since: OptionalSince = None,
    until: OptionalUntil = None,
    config: Config = None,
) -> None:
    """Close dead letters for good: those named, or those that fit. A dropped record no longer blocks its order."""
    chosen = _chosen(ids, _which(kind, subject, event_type, since, until))
    if isinstance(chosen, Which) and chosen.is_all:
        sentence = "Nothing says which dead letters to drop; name ids, or narrow with --kind, --since or the like."
        raise UsageError(sentence)
    with session(config) as here, here.database.write() as connection:
        dropped = _letters(here).drop(connection, chosen, here.database.now(connection))
    say(f"{dropped} dropped.")


def _letters(here: App) -> DeadLetters:
    return DeadLetters(tasks=here.tasks, observations=Observations(here.event_log))


def _which(
    kind: str | None, subject: str | None, event_type: str | None, since: datetime | None, until: datetime | None
) -> Which:
    _one_of("--kind", kind, _KINDS)
    _one_of("--type", event_type, tuple(EventType))
    if since is not None and until is not None and since > until:
        sentence = "--since is after --until; swap them."
        raise UsageError(sentence)
    return Which(kind=kind, subject=subject, type=event_type, since=since, until=until)


def _one_of(option: str, value: str | None, known: tuple[str, ...]) -> None:
    if value is not None and value not in known:
        sentence = f"{option} {value} is not known; choose one of {', '.join(known)}."
        raise UsageError(sentence)


def _chosen(ids: list[str] | None, which: Which) -> Chosen:
    # The library gives an empty list where no id was named.
    if ids is None or len(ids) == 0:
        return which
    if not which.is_all:
        sentence = "Name ids or narrow by options, not both."
        raise UsageError(sentence)
    return ids
