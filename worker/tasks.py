"""Tasks: one subscriber's duty about one event, or one job asked for by hand. A row, done once.

The broker only carries hints at which rows to look. A task is claimed with a token and a lease, its attempts are
counted durably at the claim (a task that keeps killing its worker becomes a dead letter), and it stays open until the
transaction that did its work closes it with that token.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import sqlalchemy as sa

from worker.columns import json_text, micros
from worker.db import for_update
from worker.db.bulk import BulkInsert
from worker.db.tables import tasks
from worker.errors import LostClaim
from worker.states import TaskState

# Open tasks are those that have not ended. Said so in every query about them: the indexes of open tasks depend on it.
_OPEN = tasks.c.ended_at.is_(None)
_INSERT = BulkInsert(
    tasks,
    "id",
    "subject",
    "event_position",
    shared=("kind", "payload", "state", "due_at", "attempts", "created_at"),
)
# What tells the ids of two calls in the same microsecond apart; with time and index an id has 32 digits.
_CALL_DIGITS = 14
# Tasks of a subject that one claim closes at most: a statement takes 32 thousand values on SQLite, twice that on
# PostgreSQL, and an order may have more deliveries (whose number is "-", say). The rest is claimed next.
MOST_AT_ONCE = 10_000


# Made once: every event is claimed on its own, and putting a statement together costs as much as running it.
_CLAIM = (
    sa.update(tasks)
    .where(tasks.c.id.in_(sa.bindparam("ids", expanding=True)), tasks.c.state == TaskState.WAITING)
    .values(
        state=TaskState.RUNNING,
        token=sa.bindparam("by_token"),
        owner=sa.bindparam("by_owner"),
        lease_until=sa.bindparam("until"),
        attempts=tasks.c.attempts + 1,
    )
)
# Whoever of a kind and subject is running, or older and open.
_AHEAD = (
    sa.select(tasks.c.number)
    .where(
        tasks.c.kind == sa.bindparam("of_kind"),
        tasks.c.subject == sa.bindparam("about"),
        _OPEN,
        sa.or_(tasks.c.state == TaskState.RUNNING, tasks.c.number < sa.bindparam("turn")),
    )
    .limit(1)
)


# What a task about an event is about: its subject, and the event's place in the log; None where no event is behind it.
Duty = tuple[str, int | None]


class NewTask(NamedTuple):
    """A task to be added."""

    kind: str
    subject: str
    # Of the event it is about, in the log.
    event_position: int | None = None
    payload: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Tasks of one kind and subject that are ours until the lease ends."""

    token: str
    kind: str
    subject: str
    # Ids of every task this claim closes: one, or all open ones of the subject where the kind coalesces.
    ids: tuple[str, ...]
    event_position: int | None
    payload: Mapping[str, Any]
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KindRule:
    """How tasks of a kind are treated."""

    # Claims before it becomes a dead letter.
    max_attempts: int
    # One look does the work of all open tasks of the subject.
    coalesce: bool = False


class Tasks:
    """The rows of `tasks` and every change to them. Methods take the caller's transaction."""

    def __init__(self, *, rules: Mapping[str, KindRule], identity: Callable[[], str]) -> None:
        self._rules = rules
        self._identity = identity

    def add(self, connection: sa.Connection, new: Sequence[NewTask], now: datetime) -> list[str]:
        """Add tasks in their order, due now; returns their ids."""
        ids: list[str] = []
        for (kind, payload), alike in itertools.groupby(new, lambda task: (task.kind, json_text(dict(task.payload)))):
            duties = [(task.subject, task.event_position) for task in alike]
            ids += self._insert(connection, kind, payload, duties, now)
        return ids

    def add_duties(self, connection: sa.Connection, kind: str, duties: Sequence[Duty], now: datetime) -> None:
        """Add tasks of one kind about events, in their order, due now."""
        self._insert(connection, kind, "{}", duties, now)

    def _insert(
        self, connection: sa.Connection, kind: str, payload: str, duties: Sequence[Duty], now: datetime
    ) -> list[str]:
        """Their ids grow with time, so that an index over them grows at its end."""
        moment, call = micros(now), self._identity()[:_CALL_DIGITS]
        prefix = f"{moment:014x}{call}"
        rows = [(f"{prefix}{index:04x}", subject, event) for index, (subject, event) in enumerate(duties)]
        _INSERT(connection, rows, kind, payload, TaskState.WAITING.value, moment, 0, moment)
        return [identity for identity, _, _ in rows]

    def add_job(self, connection: sa.Connection, new: NewTask, now: datetime, *, joins: bool = False) -> str:
        """Add a job unless one of its kind, subject and payload is waiting already; the id of whichever it is.

        `joins`: one that is being done will do as well, since it does all that the new one would.
        """
        states = [TaskState.WAITING, *([TaskState.RUNNING] if joins else [])]
        waiting = connection.execute(
            sa.select(tasks.c.id, tasks.c.payload).where(
                tasks.c.kind == new.kind, tasks.c.subject == new.subject, _OPEN, tasks.c.state.in_(states)
            )
        )
        for row in waiting:
            if row.payload == dict(new.payload):
                return str(row.id)
        return self.add(connection, [new], now)[0]

    def claim(
        self, connection: sa.Connection, ids: Sequence[str], *, owner: str, now: datetime, lease_seconds: float
    ) -> list[Claim]:
        """Claim those of `ids` still waiting; counts the attempt. Tasks out of attempts become dead letters."""
        rows = connection.execute(
            for_update(
                sa.select(tasks).where(tasks.c.id.in_(ids), tasks.c.state == TaskState.WAITING).order_by(tasks.c.number)
            )
        ).all()
        claims = [self._claim_one(connection, row, owner, now, lease_seconds) for row in rows]
        return [claim for claim in claims if claim is not None]

    def _claim_one(
        self, connection: sa.Connection, row: sa.Row[Any], owner: str, now: datetime, lease_seconds: float
    ) -> Claim | None:
        rule = self._rules[row.kind]
        if row.attempts >= rule.max_attempts:
            self._end(connection, [row.id], TaskState.DISCARDED, now, error=row.error)
            return None
        if self._somebody_is_at(connection, row):
            return None
        token = self._identity()
        ids = self._same_subject(connection, row) if rule.coalesce else [row.id]
        until = now + timedelta(seconds=lease_seconds)
        connection.execute(_CLAIM, {"ids": ids, "by_token": token, "by_owner": owner, "until": until})
        return Claim(
            token=token,
            kind=row.kind,
            subject=row.subject,
            ids=tuple(ids),
            event_position=row.event_position,
            payload=row.payload,
            attempts=row.attempts + 1,
        )

    def _somebody_is_at(self, connection: sa.Connection, row: sa.Row[Any]) -> bool:
        """Whether an older task of the subject is open, or any is running: then this one waits its turn."""
        asked = {"of_kind": row.kind, "about": row.subject, "turn": row.number}
        return connection.execute(_AHEAD, asked).first() is not None

    def _same_subject(self, connection: sa.Connection, row: sa.Row[Any]) -> list[str]:
        same = sa.and_(tasks.c.kind == row.kind, tasks.c.subject == row.subject)
        waiting = sa.select(tasks.c.id).where(same, _OPEN, tasks.c.state == TaskState.WAITING)
        # The oldest first: the one that is claimed is among them.
        statement = waiting.order_by(tasks.c.number).limit(MOST_AT_ONCE)
        return [str(found) for found in connection.execute(for_update(statement)).scalars()]

    def renew(self, connection: sa.Connection, tokens: Sequence[str], *, now: datetime, lease_seconds: float) -> None:
        """Prolong the leases of work that goes on."""
        connection.execute(
            sa.update(tasks)
            .where(_OPEN, tasks.c.token.in_(tokens), tasks.c.state == TaskState.RUNNING)
            .values(lease_until=now + timedelta(seconds=lease_seconds))
        )

    def note(self, connection: sa.Connection, claim: Claim, result: Mapping[str, object]) -> None:
        """Keep what came of the claimed tasks so far; where somebody else has them, it is theirs to say."""
        connection.execute(
            sa.update(tasks)
            .where(_OPEN, tasks.c.token == claim.token, tasks.c.state == TaskState.RUNNING)
            .values(result=result)
        )

    def close(
        self, connection: sa.Connection, claim: Claim, now: datetime, result: Mapping[str, object] | None = None
    ) -> None:
        """Close the claimed tasks in the caller's transaction. Raises LostClaim if the token is no longer theirs."""
        self._release(connection, claim, state=TaskState.DONE, ended_at=now, result=result, error=None)

    def postpone(
        self, connection: sa.Connection, claim: Claim, until: datetime, error: str | None, *, counted: bool = True
    ) -> None:
        """Put the claimed tasks back until then. `counted=False` takes the attempt back: nothing went wrong."""
        attempts = tasks.c.attempts if counted else tasks.c.attempts - 1
        self._release(
            connection, claim, state=TaskState.WAITING, due_at=until, error=error, attempts=attempts, sent_at=None
        )

    def discard(self, connection: sa.Connection, claim: Claim, now: datetime, error: str) -> None:
        """Make the claimed tasks dead letters."""
        self._release(connection, claim, state=TaskState.DISCARDED, ended_at=now, error=error)

    def _release(self, connection: sa.Connection, claim: Claim, **values: object) -> None:
        result = connection.execute(
            sa.update(tasks)
            .where(
                # By ids, since a token has no index of its own.
                tasks.c.id.in_(claim.ids),
                _OPEN,
                tasks.c.token == claim.token,
                tasks.c.state == TaskState.RUNNING,
            )
            .values(token=None, owner=None, lease_until=None, **values)
        )
        if result.rowcount != len(claim.ids):
            raise LostClaim(claim.kind, claim.subject)

    def _end(
        self, connection: sa.Connection, ids: Sequence[str], state: TaskState, now: datetime, error: str | None
    ) -> None:
        connection.execute(
            sa.update(tasks)
            .where(tasks.c.id.in_(ids), tasks.c.state == TaskState.WAITING)
            .values(state=state, ended_at=now, error=error or "gave up: out of attempts")
        )

    def retry_dead_letters(self, connection: sa.Connection, ids: Sequence[str] | None, now: datetime) -> int:
        """Set dead letters (all, or those named) back to waiting with fresh attempts; returns how many."""
        named = sa.true() if ids is None else tasks.c.id.in_(ids)
        meant = sa.and_(tasks.c.state == TaskState.DISCARDED, named)
        self.await_claims(connection, meant)
        fresh = (
            sa.update(tasks)
            .where(meant)
            .values(state=TaskState.WAITING, due_at=now, attempts=0, sent_at=None, ended_at=None)
        )
        return connection.execute(fresh).rowcount

    def await_claims(self, connection: sa.Connection, reopened: sa.ColumnElement[bool]) -> None:
        """Before ended tasks are opened again: let claims about their subjects end, and keep new ones waiting.

        A claim looks once at what is older. Of one that is not committed yet nobody else knows, on PostgreSQL.
        """
        about = sa.select(tasks.c.kind, tasks.c.subject).where(tasks.c.ended_at.is_not(None), reopened)
        theirs = sa.tuple_(tasks.c.kind, tasks.c.subject).in_(about)
        waiting = sa.select(tasks.c.number).where(_OPEN, tasks.c.state == TaskState.WAITING, theirs)
        if connection.dialect.name != "sqlite":
            connection.execute(for_update(waiting.order_by(tasks.c.number)))

    def drop_dead_letters(self, connection: sa.Connection, ids: Sequence[str], now: datetime) -> int:
        """Close dead letters for good; returns how many."""
        statement = sa.update(tasks).where(tasks.c.state == TaskState.DISCARDED, tasks.c.id.in_(ids))
        return connection.execute(
            statement.values(state=TaskState.DONE, ended_at=now, result={"dropped": True})
        ).rowcount

    def counts(self, connection: sa.Connection) -> dict[str, int]:
        """How many tasks there are in each state."""
        rows = connection.execute(sa.select(tasks.c.state, sa.func.count()).group_by(tasks.c.state))
        return {str(state): int(count) for state, count in rows}
