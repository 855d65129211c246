"""Which dead letters are meant: by what they are about and when they were given up. Pure: conditions for queries."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime

import sqlalchemy as sa

from worker.db.tables import events, set_aside, tasks
from worker.states import TaskState

# The kind of a record that did not parse, as listings name it; every other kind is a task's.
RECORD = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """All conditions hold; None asks for nothing. `since` and `until` are both included."""

    kind: str | None = None
    # A task's own subject, or its event's: `deliveries/7`, or with its source in front.
    subject: str | None = None
    # Of the event; a record has none.
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is asked for."""
        return all(getattr(self, one.name) is None for one in fields(self))

    def tasks(self) -> sa.Select[tuple[object, ...]]:
        """Discarded tasks, with the type of their event, the oldest first."""
        joined = tasks.outerjoin(events, events.c.position == tasks.c.event_position)
        return (
            sa.select(tasks, events.c.type, events.c.id.label("event_id"))
            .select_from(joined)
            # That they have ended is said too, for the index: they are few among all that was ever done.
            .where(tasks.c.state == TaskState.DISCARDED, tasks.c.ended_at.is_not(None), *self._of_tasks())
            .order_by(tasks.c.ended_at, tasks.c.number)
        )

    def records(self) -> sa.Select[tuple[object, ...]]:
        """Open records set aside, the oldest first."""
        return (
            sa.select(set_aside)
            .where(set_aside.c.closed_at.is_(None), *self._of_records())
            .order_by(set_aside.c.first_seen_at, set_aside.c.id)
        )

    def _of_tasks(self) -> Iterator[sa.ColumnElement[bool]]:
        yield from _within(tasks.c.ended_at, self.since, self.until)
        if self.kind is not None:
            yield tasks.c.kind == self.kind
        if self.type is not None:
            yield events.c.type == self.type
        if self.subject is not None:
            whole = events.c.source + "/" + events.c.subject
            yield sa.or_(tasks.c.subject == self.subject, events.c.subject == self.subject, whole == self.subject)

    def _of_records(self) -> Iterator[sa.ColumnElement[bool]]:
        yield from _within(set_aside.c.first_seen_at, self.since, self.until)
        if self.type is not None or self.kind not in (None, RECORD):
            yield sa.false()
        if self.subject is not None:
            account, _, known = self.subject.rpartition("/")
            yield set_aside.c.account == account
            yield sa.or_(sa.cast(set_aside.c.delivery_id, sa.Text) == known, set_aside.c.customer_order_id == known)


def _within(
    column: sa.Column[datetime], since: datetime | None, until: datetime | None
) -> Iterator[sa.ColumnElement[bool]]:
    if since is not None:
        yield column >= since
    if until is not None:
        yield column <= until


ALL = Which()
