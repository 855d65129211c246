"""`waybill doctor`: is everything set up as it should be, and what to do where it is not."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from settings import Settings, SettingsError
from worker.app import App
from worker.app.examining import examine, replay_probe
from worker.cli.options import AsJson, Config
from worker.cli.output import show_rows
from worker.cli.session import prepare_schema, read_settings, session
from worker.db.upgrade import revision_of
from worker.doctor.finding import Finding, exit_status, problem
from worker.doctor.replay_probe import promise
from worker.errors import UsageError, WaybillError

_COLUMNS = ("check", "level", "says", "do")
# As long as what it permits: nobody types it by accident.
_CONFIRMATION = "--yes-deliver-for-real-in-the-sandbox"

Probe = Annotated[
    bool,
    typer.Option("--replay-probe", help="Find out, in the registry's sandbox only, whether used batches are refused."),
]
CreditOrder = Annotated[
    str | None, typer.Option("--credit-order", metavar="ord_…", help="With --replay-probe: delivers on this one.")
]
Kilograms = Annotated[int, typer.Option("--kg", min=1, metavar="N", help="With --replay-probe: so many kilograms.")]
Confirmed = Annotated[
    bool, typer.Option(_CONFIRMATION, help="With --replay-probe: do it. Without this it only says what it would do.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    *,
    replay: Probe = False,
    credit_order: CreditOrder = None,
    kg: Kilograms = 1,
    confirmed: Confirmed = False,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """Examine configuration, credentials, clocks, Redis, the database and the links; say what to do about each.

    Exit 0 if all is well, 1 with a warning, 2 if something has to be changed here, 3 if a system outside fails.
    """
    if replay:
        found = _probe(credit_order, kg, confirmed=confirmed, as_json=as_json, config=config)
    elif credit_order is not None or confirmed:
        sentence = f"--credit-order and {_CONFIRMATION} belong to --replay-probe; add it."
        raise UsageError(sentence)
    else:
        found = list(_examined(config))
    _show(found, as_json=as_json)
    status = exit_status(found)
    if status:
        raise typer.Exit(status)


def _show(found: Sequence[Finding], *, as_json: bool) -> None:
    show_rows((one.document() for one in found), _COLUMNS, as_json=as_json)


def _examined(config: Path | None) -> Iterator[Finding]:
    try:
        settings = read_settings(config)
    except SettingsError as error:
        for sentence in error.sentences:
            yield problem("settings", sentence, "correct that setting")
        return
    yield from _with_database(settings)


def _with_database(settings: Settings) -> Iterator[Finding]:
    try:
        with App(settings) as here:
            prepare_schema(here)
            yield from examine(here, revision_of(here.database))
    except WaybillError as error:
        # Without its database nothing else can be looked at.
        do = "see WAYBILL_DATABASE_URL, WAYBILL_STATE_DIR and `waybill db upgrade`"
        yield problem("database", error.sentence, do)


def _probe(credit_order: str | None, kg: int, *, confirmed: bool, as_json: bool, config: Path | None) -> list[Finding]:
    if credit_order is None:
        sentence = "--replay-probe needs --credit-order: one of the sandbox with room for twice the kilograms."
        raise UsageError(sentence)
    with session(config) as here:
        probe = replay_probe(here)
        intent = probe.plan(credit_order, kg)
        # Said before it is done: the very bytes.
        _show(promise(intent, here.crediting.firing.account.host), as_json=as_json)
        if not confirmed:
            return [problem("replay probe", "nothing was sent", f"add {_CONFIRMATION} to do this")]
        return [probe.run(intent)]
