"""`waybill deliveries create`, `update`, `approve` and `writes`: the source's own write calls, by hand and as jobs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from worker.app import App
from worker.cli.options import Account, AsJson, Config, Limit
from worker.cli.output import say, show_object, show_rows, to_json
from worker.cli.session import session
from worker.cli.waiting import JobFailed, wait_for
from worker.errors import UsageError
from worker.states import WRITE_OPEN, WriteAction
from worker.writing import delivery_file
from worker.writing.intents import COLUMNS, Asked, Queued, Write, list_writes
from worker.writing.preview import POSSIBLE

# Reasons told at the end; the listing tells the rest.
_TOLD = 5

File = Annotated[Path, typer.Argument(metavar="FILE", help="JSON: a delivery as the vendor documents it.")]
Files = Annotated[Path, typer.Argument(metavar="FILE", help="JSON: a delivery as the vendor documents it, or a list.")]
DeliveryId = Annotated[int, typer.Argument(metavar="ID", min=1, help="The delivery's id at logistic.cloud.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done, or only put it on the queue.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(create)
    app.command()(update)
    app.command()(approve)
    app.command()(writes)


def create(
    file: Files,
    *,
    account: Account = None,
    wait: Wait = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Create drafts at logistic.cloud, each once: a number that is there already is not created again.

    Needs an API key with Delivery.Write. Done at once where no daemon runs, else by the daemon.
    """
    wanted = delivery_file.load_new(file)
    with session(config) as here:
        name = _the_account(here, account)
        asked = [Asked(account=name, action=WriteAction.CREATE, delivery_id=None, wanted=one) for one in wanted]
        _write(here, asked, wait=wait, dry_run=dry_run, as_json=as_json)


def update(
    delivery_id: DeliveryId,
    file: File,
    *,
    account: Account = None,
    wait: Wait = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Change the fields that the file names; every other field of the head keeps its value.

    Line items can be changed while it is a draft only. Needs an API key with Delivery.Write.
    """
    wanted = delivery_file.load_changes(file)
    with session(config) as here:
        name = _the_account(here, account)
        asked = Asked(account=name, action=WriteAction.UPDATE, delivery_id=delivery_id, wanted=wanted)
        _write(here, [asked], wait=wait, dry_run=dry_run, as_json=as_json)


def approve(
    delivery_id: DeliveryId,
    *,
    account: Account = None,
    wait: Wait = True,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Approve a draft: it is ready to be processed, and its line items are fixed. What is approved stays as it is.

    Needs an API key with Delivery.Write.
    """
    with session(config) as here:
        name = _the_account(here, account)
        asked = Asked(account=name, action=WriteAction.APPROVE, delivery_id=delivery_id, wanted={})
        _write(here, [asked], wait=wait, dry_run=dry_run, as_json=as_json)


def writes(*, limit: Limit = None, as_json: AsJson = False, config: Config = None) -> None:
    """List what was asked to be written at logistic.cloud, and what came of it."""
    with session(config) as here, here.database.read() as connection:
        show_rows(list_writes(connection, limit=limit), COLUMNS, as_json=as_json)


def _write(here: App, asked: Sequence[Asked], *, wait: bool, dry_run: bool, as_json: bool) -> None:
    if dry_run:
        _preview(here, asked, as_json=as_json)
        return
    with here.database.write() as connection:
        now = here.database.now(connection)
        queued = [here.writing.intents.ask(connection, one, now) for one in asked]
    here.checkpoint("writing: asked")
    if wait:
        _follow(here, queued, as_json=as_json)
    else:
        for place, intent in enumerate(queued, 1):
            _show(_intent(here, intent), place, len(queued), as_json=as_json, task=intent.task)


def _preview(here: App, asked: Sequence[Asked], *, as_json: bool) -> None:
    possible = True
    for one in asked:
        shown = here.writing.preview(one)
        show_object(shown, as_json=as_json)
        possible &= shown["verdict"] in POSSIBLE
    if not possible:
        raise typer.Exit(1)


def _follow(here: App, queued: Sequence[Queued], *, as_json: bool) -> None:
    """Wait for each in turn, telling each as it ends; one that cannot be done holds up no other."""
    failed: list[str] = []
    found = False
    for place, one in enumerate(queued, 1):
        try:
            found |= bool(wait_for(here, one.task).get("differs"))
        except JobFailed as error:
            failed.append(error.sentence)
            if _intent(here, one).state in WRITE_OPEN:
                _unfinished(len(queued) - place, failed)
        _show(_intent(here, one), place, len(queued), as_json=as_json, task=one.task)
    if failed:
        raise JobFailed(_together(failed))
    if found:
        raise typer.Exit(1)


def _unfinished(left: int, failed: Sequence[str]) -> None:
    """The source cannot be reached: what follows would only wait for the same."""
    more = f" {left} more are on the queue and were not tried." if left else ""
    sentence = f"{_together(failed)}{more}"
    raise JobFailed(sentence)


def _together(failed: Sequence[str]) -> str:
    left = len(failed) - _TOLD
    more = f" And {left} more; `waybill deliveries writes` lists them all." if left > 0 else ""
    return f"{' '.join(failed[:_TOLD])}{more}"


def _show(write: Write, place: int, count: int, *, as_json: bool, task: str) -> None:
    document = {**write.document(), "task": task}
    if as_json:
        say(to_json(document))
        return
    progress = f"{place}/{count} " if count > 1 else ""
    known = "" if write.delivery_id is None else f" (delivery {write.delivery_id})"
    say(f"{progress}{write.action} {write.subject}{known}: {write.state}: {write.reason}")


def _intent(here: App, queued: Queued) -> Write:
    with here.database.read() as connection:
        write = here.writing.intents.find(connection, queued.write)
    if write is None:
        sentence = f"Write {queued.write} is not in the database any more; was another one put in its place?"
        raise UsageError(sentence)
    return write


def _the_account(here: App, account: str | None) -> str:
    names = [one.name for one in here.settings.accounts if one.api_key is not None]
    if not names:
        sentence = (
            "No logistic.cloud account with a key is configured; "
            "set WAYBILL_LOGISTIC_CLOUD__BASE_URL and WAYBILL_LOGISTIC_CLOUD__API_KEY."
        )
        raise UsageError(sentence)
    if account is None and len(names) > 1:
        sentence = f"--account: say at which account; configured are: {', '.join(names)}."
        raise UsageError(sentence)
    if account is not None and account not in names:
        sentence = f"--account: there is no account {account!r} with a key; configured are: {', '.join(names)}."
        raise UsageError(sentence)
    return names[0] if account is None else account
