"""Intents: one row for each write that somebody asked for, kept for ever. Methods take the caller's transaction.

A row changes only from the state and the number of sends that it was read with, so of two processes at one intent the
slower one changes nothing.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from worker import kinds
from worker.db.tables import delivery_writes, tasks
from worker.errors import LostClaim
from worker.states import WRITE_IN_DOUBT, WRITE_OPEN, WriteAction, WriteState
from worker.tasks import NewTask, Tasks
from worker.writing.form import Document
from worker.writing.likeness import canonical

COLUMNS = ("id", "asked_at", "account", "action", "delivery_id", "subject", "state", "sends", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A write that somebody wants. `wanted` is what the file says; empty for an approval."""

    account: str
    action: WriteAction
    delivery_id: int | None
    wanted: Document = field(repr=False)

    @property
    def subject(self) -> str:
        """What it is about: writes about one subject are done one after the other."""
        return f"number {self.wanted['number']}" if self.delivery_id is None else f"id {self.delivery_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """An intent as it stands. `sends`: how often a request may have gone out."""

    id: str
    account: str
    action: WriteAction
    subject: str
    delivery_id: int | None
    wanted: Document = field(repr=False)
    state: WriteState
    sends: int
    body: str | None = field(repr=False)
    baseline: str | None
    deadline: datetime | None
    settled_at: datetime | None
    reason: str

    @property
    def in_doubt(self) -> bool:
        """Whether a request of ours may have taken effect."""
        return self.state in WRITE_IN_DOUBT

    @property
    def asked(self) -> Asked:
        """What somebody wants."""
        return Asked(account=self.account, action=self.action, delivery_id=self.delivery_id, wanted=self.wanted)

    def document(self) -> dict[str, object]:
        """As commands tell it."""
        return {
            "id": self.id,
            "account": self.account,
            "action": self.action.value,
            "delivery_id": self.delivery_id,
            "subject": self.subject,
            "state": self.state.value,
            "sends": self.sends,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Queued:
    """An intent and the task that does it."""

    write: str
    task: str


class Intents:
    """The rows of `delivery_writes`."""

    def __init__(self, *, tasks: Tasks, identity: Callable[[], str]) -> None:
        self._tasks = tasks
        self._identity = identity

    def ask(self, connection: sa.Connection, asked: Asked, now: datetime) -> Queued:
        """Keep what is wanted and put it on the queue; the same that is open already is not asked for twice."""
        text = canonical(asked.wanted)
        digest = hashlib.sha256(text).hexdigest()
        write = self._open(connection, asked, digest)
        if write is None:
            write = self._identity()
            row = _new_row(write, asked, text.decode(), digest, now)
            connection.execute(sa.insert(delivery_writes).values(row))
        return Queued(write, self._task(connection, asked, write, now))

    def find(self, connection: sa.Connection, identity: str) -> Write | None:
        """The intent with this id."""
        row = connection.execute(sa.select(delivery_writes).where(delivery_writes.c.id == identity)).first()
        return None if row is None else _write(row)

    def change(self, connection: sa.Connection, before: Write, after: Write, now: datetime, **more: object) -> None:
        """Move the intent on. Raises LostClaim where somebody else did so meanwhile: nothing of ours may be committed.

        An answer may come after somebody took the open doubt up: it counts, as long as nothing was sent again.
        """
        from_states = WRITE_IN_DOUBT if before.in_doubt else {before.state}
        changed = connection.execute(
            sa.update(delivery_writes)
            .where(
                delivery_writes.c.id == before.id,
                delivery_writes.c.state.in_(from_states),
                delivery_writes.c.sends == before.sends,
            )
            .values({**_moving(after), "changed_at": now, **more})
        )
        if changed.rowcount != 1:
            raise LostClaim(kinds.WRITE, before.subject)

    def other_in_doubt(self, connection: sa.Connection, write: Write) -> str | None:
        """Another intent about the same subject whose request may have taken effect."""
        other = sa.select(delivery_writes.c.id).where(
            delivery_writes.c.account == write.account,
            delivery_writes.c.subject == write.subject,
            delivery_writes.c.id != write.id,
            delivery_writes.c.state.in_(WRITE_IN_DOUBT),
        )
        found: str | None = connection.execute(other.limit(1)).scalar()
        return found

    def _open(self, connection: sa.Connection, asked: Asked, digest: str) -> str | None:
        same = sa.select(delivery_writes.c.id).where(
            delivery_writes.c.account == asked.account,
            delivery_writes.c.subject == asked.subject,
            delivery_writes.c.action == asked.action,
            delivery_writes.c.asked_hash == digest,
            delivery_writes.c.state.in_(WRITE_OPEN),
        )
        found: str | None = connection.execute(same.limit(1)).scalar()
        return found

    def _task(self, connection: sa.Connection, asked: Asked, write: str, now: datetime) -> str:
        subject = f"{asked.account}|{asked.subject}"
        running = sa.select(tasks.c.id, tasks.c.payload).where(
            tasks.c.kind == kinds.WRITE, tasks.c.subject == subject, tasks.c.ended_at.is_(None)
        )
        for row in connection.execute(running):
            if row.payload == {"write": write}:
                return str(row.id)
        return self._tasks.add(connection, [NewTask(kind=kinds.WRITE, subject=subject, payload={"write": write})], now)[
            0
        ]


def list_writes(connection: sa.Connection, *, limit: int | None) -> Iterator[dict[str, object]]:
    """Writes that were asked for, the oldest first; with a limit, the newest so many."""
    newest = sa.select(delivery_writes.c.number).order_by(delivery_writes.c.number.desc()).limit(limit)
    columns = [delivery_writes.c[name] for name in COLUMNS]
    statement = sa.select(*columns).where(delivery_writes.c.number.in_(newest)).order_by(delivery_writes.c.number)
    for row in connection.execute(statement):
        yield dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name for a row as a mapping


def _new_row(identity: str, asked: Asked, text: str, digest: str, now: datetime) -> dict[str, object]:
    return {
        "id": identity,
        "account": asked.account,
        "action": asked.action,
        "subject": asked.subject,
        "delivery_id": asked.delivery_id,
        "asked": text,
        "asked_hash": digest,
        "state": WriteState.ASKED,
        "sends": 0,
        "reason": "waits to be sent",
        "asked_at": now,
        "changed_at": now,
    }


def _moving(write: Write) -> dict[str, object]:
    return {
        "state": write.state,
        "delivery_id": write.delivery_id,
        "sends": write.sends,
        "body": write.body,
        "baseline": write.baseline,
        "deadline": write.deadline,
        "settled_at": write.settled_at,
        "reason": write.reason,
    }


def _write(row: sa.Row[Any]) -> Write:
    return Write(
        id=row.id,
        account=row.account,
        action=WriteAction(row.action),
        subject=row.subject,
        delivery_id=row.delivery_id,
        wanted=orjson.loads(row.asked),
        state=WriteState(row.state),
        sends=row.sends,
        body=row.body,
        baseline=row.baseline,
        deadline=row.deadline,
        settled_at=row.settled_at,
        reason=row.reason,
    )
