"""`waybill coverage`: which spans of source time were read completely, and which were not."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated

import sqlalchemy as sa
import typer

from worker.app import App
from worker.cli.in_words import duration
from worker.cli.options import Account, AsJson, Config, word_of
from worker.cli.output import cell, say, show_rows
from worker.cli.session import session
from worker.errors import UsageError
from worker.listings import COVERAGE_COLUMNS, holes, list_coverage
from worker.reading import accounts, coverage
from worker.reading.spans import Span, instant_of
from worker.states import CoverageState

app = typer.Typer(help="Certified spans and holes.", invoke_without_command=True)

Check = Annotated[bool, typer.Option("--check", help="Exit 1 if there is a hole.")]
State = Annotated[
    CoverageState | None,
    typer.Option(
        "--state",
        parser=word_of(CoverageState),
        metavar="STATE",
        help=f"Only spans in this state: {', '.join(CoverageState)}.",
    ),
]

# What a person sees; the last column only where there is something to say.
_COLUMNS = ("account", "since", "until", "length", "state", "proof", "rows", "requests")
_WHY = "why"


@app.callback()
def show(
    context: typer.Context,
    *,
    check: Check = False,
    account: Account = None,
    state: State = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List spans of source time by account: what proves each, what it took, and why a hole is one."""
    if context.invoked_subcommand is None:
        _show(account=account, state=state, check=check, as_json=as_json, config=config)


@app.command("list")
def list_command(
    *,
    check: Check = False,
    account: Account = None,
    state: State = None,
    as_json: AsJson = False,
    config: Config = None,
) -> None:
    """List spans of source time by account; the same as `waybill coverage`."""
    _show(account=account, state=state, check=check, as_json=as_json, config=config)


@app.command("reset-lag")
def reset_lag(*, account: Account = None, config: Config = None) -> None:
    """Put the lag back to LAG_SECONDS before a quiet day has passed, once the cause of late rows is gone."""
    with session(config) as here:
        floors = {one.name: one.lag_seconds for one in here.settings.accounts}
        if not floors:
            sentence = "No logistic.cloud account is configured; set WAYBILL_LOGISTIC_CLOUD__BASE_URL."
            raise UsageError(sentence)
        for name in _meant(floors, account):
            say(_reset(here, name, floors[name]))


def _meant(floors: Mapping[str, float], account: str | None) -> Sequence[str]:
    if account is None:
        return list(floors)
    if account not in floors:
        sentence = f"--account: there is no account {account!r}; configured are: {', '.join(floors) or 'none'}."
        raise UsageError(sentence)
    return [account]


def _reset(here: App, name: str, floor: float) -> str:
    with here.database.write() as connection:
        if accounts.find_or_none(connection, name) is None:
            return f"{name}: it was not read yet, so its lag is {floor:g} s."
        before = accounts.reset_lag(connection, name, floor)
    return f"{name}: the lag is {floor:g} s" + ("." if before == floor else f" again (it was {before:g} s).")


def _show(*, account: str | None, state: CoverageState | None, check: bool, as_json: bool, config: Path | None) -> None:
    with session(config) as here, here.database.read() as connection:
        rows = list_coverage(connection, account=account, state=state)
        if as_json:
            show_rows(rows, COVERAGE_COLUMNS, as_json=True)
        else:
            _for_a_person(rows)
            for line in _summary(connection, account):
                say(line)
        found = holes(connection, account=account)
    if check and found:
        raise typer.Exit(1)


def _for_a_person(rows: Iterable[dict[str, object]]) -> None:
    # Neighbours that say the same are one row, so there are few.
    told = [_in_words(row) for row in rows]
    columns = (*_COLUMNS, _WHY) if any(row[_WHY] for row in told) else _COLUMNS
    show_rows(told, columns, as_json=False)


def _in_words(row: Mapping[str, object]) -> dict[str, object]:
    retry_at = row["retry_at"]
    again = f"again from {cell(retry_at.replace(microsecond=0))} on" if isinstance(retry_at, datetime) else "again soon"
    tried = f"Tried {row['tries']} times, {again}. " if row["state"] == CoverageState.HOLE else ""
    return {
        **row,
        "length": duration(float(str(row["seconds"]))),
        "proof": None if row["certified"] is None else str(row["certified"]).replace("_", " ").replace("+", ", "),
        _WHY: f"{tried}{'' if row['reason'] is None else row['reason']}",
    }


def _summary(connection: sa.Connection, account: str | None) -> Iterable[str]:
    """A line an account: the answer to whether anything was missed."""
    names = [name for name in accounts.names(connection) if account in (None, name)]
    if not names:
        yield "Nothing was read yet: `waybill run` reads, `waybill doctor` says what it takes."
    for name in names:
        yield f"{name}: {_standing(connection, name)}"


def _standing(connection: sa.Connection, name: str) -> str:
    account = accounts.find(connection, name)
    until = coverage.certified_until(connection, name, account.start)
    spans = coverage.open_spans(connection, name)
    unproved = [span for span in spans if span.state is CoverageState.HOLE]
    whole = "not certified yet from its start on" if until is None else f"without a gap until {cell(instant_of(until))}"
    retries = [span.retry_at for span in unproved if span.retry_at is not None]
    parts = [
        whole,
        *_count(unproved, "hole"),
        *([f"tried again from {cell(min(retries).replace(microsecond=0))} on"] if retries else []),
        *_count([span for span in spans if span not in unproved], "span", " to be read"),
    ]
    return f"{'; '.join(parts)} (lag {account.lag_seconds:g} s)."


def _count(spans: Sequence[Span], what: str, more: str = "") -> list[str]:
    if not spans:
        return []
    seconds = sum(span.window.seconds for span in spans)
    return [f"{len(spans)} {what}{'' if len(spans) == 1 else 's'} of {duration(seconds)}{more}"]
