"""The event log: append-only facts, each with the tasks of its subscribers, in the transaction of their cause."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.db.tables import events
from worker.events import Event, EventDraft, EventType, event_id, next_sequence
from worker.tasks import NewTask, Tasks

# SQLite takes at most some thousands of values in one statement.
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who wants to hear of a type of event, and about which subjects its tasks are."""

    kind: str
    subjects: Callable[[EventDraft], Sequence[str]]


class EventLog:
    """Appends facts. The table of subscriptions is handed in, so that nothing above is imported here."""

    def __init__(self, *, tasks: Tasks, subscriptions: Mapping[EventType, Sequence[Subscription]]) -> None:
        self._tasks = tasks
        self._subscriptions = subscriptions

    def append(self, connection: sa.Connection, drafts: Sequence[EventDraft], now: datetime) -> list[Event]:
        """Append facts in the given order and add their subscribers' tasks.

        The caller holds whatever lock serialises the subjects concerned; a clash of sequences raises IntegrityError.
        """
        if not drafts:
            return []
        sequences = self._last_sequences(connection, drafts)
        taken = self._taken_ids(connection, drafts)
        appended: list[Event] = []
        for draft in drafts:
            key = (draft.source, draft.subject)
            # A fact is stamped in whole seconds and may share one with facts that a lost database told already.
            sequences[key] = next_sequence(sequences.get(key, 0), max(draft.time, now))
            appended.append(_event(draft, sequences[key], _free_id(draft, taken, connection)))
        connection.execute(sa.insert(events), [_row(event, now) for event in appended])
        self._tasks.add(connection, self._duties(drafts, appended), now)
        return appended

    def _duties(self, drafts: Sequence[EventDraft], appended: Sequence[Event]) -> list[NewTask]:
        return [
            NewTask(kind=subscription.kind, subject=subject, event_id=event.id)
            for draft, event in zip(drafts, appended, strict=True)
            for subscription in self._subscriptions.get(draft.type, ())
            for subject in subscription.subjects(draft)
        ]

    def _last_sequences(self, connection: sa.Connection, drafts: Sequence[EventDraft]) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for source in {draft.source for draft in drafts}:
            subjects = sorted({draft.subject for draft in drafts if draft.source == source})
            for chunk in _chunks(subjects):
                rows = connection.execute(
                    sa.select(events.c.subject, sa.func.max(events.c.sequence))
                    .where(events.c.source == source, events.c.subject.in_(chunk))
                    .group_by(events.c.subject)
                )
                found.update({(source, subject): sequence for subject, sequence in rows})
        return found

    def _taken_ids(self, connection: sa.Connection, drafts: Sequence[EventDraft]) -> set[str]:
        wanted = [event_id(draft, 0) for draft in drafts]
        taken: set[str] = set()
        for chunk in _chunks(wanted):
            taken.update(connection.execute(sa.select(events.c.id).where(events.c.id.in_(chunk))).scalars())
        return taken


def load_event(connection: sa.Connection, identity: str) -> Event | None:
    """The event with this id, or None if it was pruned or never was."""
    row = connection.execute(sa.select(events).where(events.c.id == identity)).first()
    return None if row is None else event_of(row)


def event_of(row: sa.Row[Any]) -> Event:
    """An event from its row."""
    return Event(
        id=row.id,
        source=row.source,
        subject=row.subject,
        type=row.type,
        sequence=row.sequence,
        time=row.time,
        data=row.data,
    )


def _free_id(draft: EventDraft, taken: set[str], connection: sa.Connection) -> str:
    """The first id of this fact that no event has: the same fact can come true again."""
    occurrence = 0
    identity = event_id(draft, occurrence)
    while identity in taken:
        occurrence += 1
        identity = event_id(draft, occurrence)
        if connection.execute(sa.select(events.c.id).where(events.c.id == identity)).first() is not None:
            taken.add(identity)
    taken.add(identity)
    return identity


def _event(draft: EventDraft, sequence: int, identity: str) -> Event:
    return Event(
        id=identity,
        source=draft.source,
        subject=draft.subject,
        type=draft.type.value,
        sequence=sequence,
        time=draft.time,
        data=draft.data,
    )


def _row(event: Event, now: datetime) -> dict[str, object]:
    return {
        "id": event.id,
        "source": event.source,
        "subject": event.subject,
        "type": event.type,
        "sequence": event.sequence,
        "time": event.time,
        "recorded_at": now,
        "data": dict(event.data),
    }


def _chunks(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
