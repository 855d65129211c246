"""The one object of `waybill status`: what is going on, from the rows alone (DESIGN §8)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker import switches
from worker.budget import pace_of
from worker.customers.overview import CustomersStatus, customers_status
from worker.db import Database
from worker.db.tables import accounts as account_rows
from worker.db.tables import events, firings, orders, set_aside, tasks
from worker.db.tables import switches as switch_rows
from worker.reading import accounts, coverage
from worker.reading.accounts import Account
from worker.reading.spans import instant_of
from worker.reading.waits import NO_ANSWER_YET
from worker.responding import reply_rows
from worker.runtime.idleness import DEFAULT_PATIENCE_SECONDS, Due, due
from worker.states import CoverageState, FiringState, OrderState, ResponseState, TaskState

NOTHING_MIRRORED = "no WAYBILL_WEBHOOK__URL is set: nothing is mirrored"

# Firings that a person has to know of: `run --until-idle` ends with 1 while there is one.
_IN_DOUBT = (FiringState.AMBIGUOUS, FiringState.NEEDS_PERSON)
# Responses likewise: one that is looked for is settled by the next run, the other by a person.
_RESPONSES_IN_DOUBT = {
    ResponseState.UNKNOWN: "they are looked for at the next run",
    ResponseState.NEEDS_PERSON: "`barmate responses` lists them, `barmate resolve` says what became of them",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStatus:
    """How far an account was read. `lag_seconds`: how far the certified end is behind the database's time.

    `stopped` is a refusal (a person must act), `trouble` a failure that may pass. `requests_per_second` is the pace in
    force, below that of the settings after a 429; `skew_seconds` the server's clock less ours.
    """

    account: str
    certified_until: datetime | None
    lag_seconds: float | None
    holes: int
    pending: int
    stopped: str | None
    trouble: str | None = None
    # Seconds for which its answer has been waited for; none where it is not.
    waiting_seconds: float | None = None
    requests_per_second: float | None = None
    skew_seconds: float | None = None
    # Whether a 429 made the pace slower.
    slowed: bool = False
    # When the last sweep went through, and what it found that polling had not seen.
    swept_at: datetime | None = None
    sweep: Mapping[str, Any] | None = None

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "account": self.account,
            "certified_until": None if self.certified_until is None else _text(self.certified_until),
            "lag_seconds": None if self.lag_seconds is None else round(self.lag_seconds, 3),
            "holes": self.holes,
            "pending": self.pending,
            "stopped": self.stopped,
            "trouble": self.trouble,
            "waiting_seconds": _rounded(self.waiting_seconds),
            "requests_per_second": _rounded(self.requests_per_second),
            "skew_seconds": _rounded(self.skew_seconds),
            "swept_at": None if self.swept_at is None else _text(self.swept_at),
            "sweep": None if self.sweep is None else dict(self.sweep),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything `status` says. Counts are by state; states that nothing is in are 0."""

    at: datetime
    due: Due
    tasks: Mapping[str, int]
    orders: Mapping[str, int]
    firings: Mapping[str, int]
    accounts: tuple[AccountStatus, ...]
    barmate: tuple[CustomersStatus, ...]
    # To customer orders, by state; nothing where barmate was never asked.
    responses: Mapping[str, int]
    set_aside: int
    events: int
    webhook: str
    off: Mapping[str, str]

    @property
    def idle(self) -> bool:
        """Whether nothing but schedules is due, and every account was read as far as it can be."""
        pending = any(account.pending for account in self.accounts) or any(one.wanted for one in self.barmate)
        return self.due.nothing and not pending

    @property
    def findings(self) -> tuple[str, ...]:
        """What `run --until-idle` ends with 1 for: holes, firings and responses in doubt; each with what to do."""
        holes = (
            f"holes in what was read of {account.account}: {account.holes}; `coverage` lists them"
            for account in self.accounts
            if account.holes
        )
        firings = (
            f"firings that are {state}: {self.firings[state]}; `credits list` says why"
            for state in _IN_DOUBT
            if self.firings[state]
        )
        said = (
            f"responses that are {state}: {self.responses[state]}; {do}"
            for state, do in _RESPONSES_IN_DOUBT.items()
            if self.responses[state]
        )
        return (*holes, *firings, *said)

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "idle": self.idle,
            "at": _text(self.at),
            "due": {"tasks": self.due.tasks, "orders": self.due.orders, "firings": self.due.firings},
            "tasks": dict(self.tasks),
            "orders": dict(self.orders),
            "firings": dict(self.firings),
            "accounts": [account.document() for account in self.accounts],
            "barmate": [account.document() for account in self.barmate],
            "responses": dict(self.responses),
            "set_aside": self.set_aside,
            "events": self.events,
            "webhook": self.webhook,
            "off": dict(self.off),
        }


def read_status(database: Database, *, mirroring: bool, patience_seconds: float = DEFAULT_PATIENCE_SECONDS) -> Status:
    """Read everything in one view of the database. Raises DatabaseUnavailable."""
    with database.read() as connection:
        now = database.now(connection)
        off = switched_off(connection)
        return Status(
            at=now,
            due=due(connection, now, patience_seconds, mirroring=mirroring),
            tasks=_tasks(connection),
            orders=_counts(connection, orders, OrderState),
            firings=_counts(connection, firings, FiringState),
            accounts=tuple(_accounts(connection, now)),
            barmate=customers_status(connection),
            responses=reply_rows.counts(connection),
            set_aside=_open_set_aside(connection),
            events=_events(connection),
            webhook=_webhook(off, mirroring=mirroring),
            off=off,
        )


def switched_off(connection: sa.Connection) -> dict[str, str]:
    """What does not work at present, and why: a brake that is on, a target that is off."""
    rows = connection.execute(sa.select(switch_rows).order_by(switch_rows.c.name))
    # A brake stops something while it is on, the webhook while it is off.
    return {row.name: row.reason for row in rows if row.on != (row.name == switches.WEBHOOK)}


def _webhook(off: Mapping[str, str], *, mirroring: bool) -> str:
    if not mirroring:
        return NOTHING_MIRRORED
    return "off" if switches.WEBHOOK in off else "on"


def _accounts(connection: sa.Connection, now: datetime) -> Iterable[AccountStatus]:
    for name in connection.execute(sa.select(account_rows.c.name).order_by(account_rows.c.name)).scalars():
        account = accounts.find(connection, name)
        until = coverage.certified_until(connection, name, account.start)
        certified = None if until is None else instant_of(until)
        spans = [span.state for span in coverage.open_spans(connection, name)]
        waiting = waited_for(account, now)
        pace = pace_of(connection, accounts.source_budget(account.key_fingerprint), now)
        yield AccountStatus(
            account=name,
            certified_until=certified,
            lag_seconds=None if certified is None else (now - certified).total_seconds(),
            holes=spans.count(CoverageState.HOLE),
            pending=spans.count(CoverageState.PENDING),
            stopped=account.stopped_reason,
            trouble=None if waiting is not None else account.trouble,
            waiting_seconds=waiting,
            requests_per_second=None if pace is None else pace.requests_per_second,
            skew_seconds=account.skew_seconds,
            slowed=pace is not None and pace.slowed > 1,
            swept_at=account.swept_at,
            sweep=account.sweep_report,
        )


def waited_for(account: Account, now: datetime) -> float | None:
    """Seconds for which the account's answer has been waited for, where that is told."""
    if account.trouble != NO_ANSWER_YET or account.trouble_since is None:
        return None
    return max(0.0, (now - account.trouble_since).total_seconds())


def _tasks(connection: sa.Connection) -> dict[str, int]:
    # Open and ended ones apart, as their indexes are: the table itself may be long.
    found = {state.value: 0 for state in TaskState}
    for part in (tasks.c.ended_at.is_(None), tasks.c.ended_at.is_not(None)):
        for state, count in _rows(
            connection, sa.select(tasks.c.state, sa.func.count()).where(part).group_by(tasks.c.state)
        ):
            found[state] += count
    return found


def _counts(connection: sa.Connection, table: sa.Table, states: type[OrderState | FiringState]) -> dict[str, int]:
    found = dict(_rows(connection, sa.select(table.c.state, sa.func.count()).group_by(table.c.state)))
    return {state.value: int(found.get(state.value, 0)) for state in states}


def _rows(connection: sa.Connection, statement: sa.Select[Any]) -> list[tuple[str, int]]:
    return [(str(state), int(count)) for state, count in connection.execute(statement)]


def _open_set_aside(connection: sa.Connection) -> int:
    statement = sa.select(sa.func.count()).select_from(set_aside).where(set_aside.c.closed_at.is_(None))
    return connection.execute(statement).scalar_one()


def _events(connection: sa.Connection) -> int:
    # Positions are given out one by one, so the highest is the count of all there ever were, at no cost.
    found: int | None = connection.execute(sa.select(sa.func.max(events.c.position))).scalar_one()
    return 0 if found is None else found


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
