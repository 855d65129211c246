"""`waybill dead-letters`: what was given up, until a person decides."""

from typing import Annotated

import typer

from worker.cli.options import AsJson, Config, Limit
from worker.cli.output import say, show_rows
from worker.cli.session import session
from worker.dead_letters import DeadLetters
from worker.listings import DEAD_LETTER_COLUMNS, list_dead_letters
from worker.reading.observations import Observations

app = typer.Typer(help="Discarded tasks and records set aside.", no_args_is_help=True)

Ids = Annotated[list[str], typer.Argument(metavar="ID…", help="Ids as `dead-letters list` shows them.")]
OptionalIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID…]", help="Ids as `dead-letters list` shows them; none: all.")
]


@app.command("list")
def list_command(*, limit: Limit = None, as_json: AsJson = False, config: Config = None) -> None:
    """List discarded tasks and records that did not parse, with the reasons."""
    with session(config) as here, here.database.read() as connection:
        show_rows(list_dead_letters(connection, limit=limit), DEAD_LETTER_COLUMNS, as_json=as_json)


@app.command()
def retry(ids: OptionalIds = None, *, config: Config = None) -> None:
    """Try again: tasks wait with fresh attempts, records are parsed once more. Exit 1 if a record still does not."""
    with session(config) as here, here.database.write() as connection:
        letters = DeadLetters(tasks=here.tasks, observations=Observations(here.event_log))
        # The library gives an empty list where no id was named.
        named = None if ids is None or len(ids) == 0 else ids
        retried = letters.retry(connection, named, here.database.now(connection))
    say(f"{retried.tasks} tasks wait again, {retried.records} records parse now.")
    if retried.still_set_aside:
        say(f"{retried.still_set_aside} records still do not parse; `dead-letters list` says why.")
        raise typer.Exit(1)


@app.command()
def drop(ids: Ids, *, config: Config = None) -> None:
    """Close dead letters for good; a record that is dropped no longer blocks its order."""
    with session(config) as here, here.database.write() as connection:
        letters = DeadLetters(tasks=here.tasks, observations=Observations(here.event_log))
        dropped = letters.drop(connection, ids, here.database.now(connection))
    say(f"{dropped} dropped.")
