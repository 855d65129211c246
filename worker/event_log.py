"""The event log: append-only facts, each with the tasks of its subscribers, in the transaction of their cause."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.columns import Value, json_text, micros
from worker.db.bulk import Among, BulkInsert, next_numbers
from worker.db.tables import events
from worker.events import About, Event, EventDraft, EventType, FirstFacts, event_id, next_sequence
from worker.tasks import Tasks

_INSERT = BulkInsert(
    events, "position", "id", "subject", "sequence", "time", "data", shared=("source", "type", "recorded_at")
)
_TAKEN = Among(events.c.id, sa.select(events.c.id))
_LAST = Among(
    events.c.subject,
    sa.select(events.c.subject, sa.func.max(events.c.sequence).label("sequence"))
    .where(events.c.source == sa.bindparam("source"))
    .group_by(events.c.subject),
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who wants to hear of a type of event, and about which subjects its tasks are."""

    kind: str
    subjects: Callable[[About], Sequence[str]]


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
        known = [draft for draft in drafts if not draft.first]
        sequences = _last_sequences(connection, known)
        taken = set(_TAKEN(connection, [event_id(draft, 0) for draft in known]).scalars()) if known else set()
        recorded_at = micros(now)
        appended: list[Event] = []
        rows: list[tuple[Value, ...]] = []
        places = next_numbers(connection, events.c.position, len(drafts))
        for place, draft in zip(places, drafts, strict=True):
            moment, key = micros(draft.time), (draft.source, draft.subject)
            # A fact is stamped in whole seconds and may share one with facts that a lost database told already.
            sequence = sequences[key] = next_sequence(sequences.get(key, 0), max(moment, recorded_at))
            identity = event_id(draft, 0)
            if identity in taken:
                identity = _free_id(draft, taken, connection)
            taken.add(identity)
            event = _event(draft, sequence, identity)
            appended.append(event)
            rows.append(_row(place, event, moment))
        for (source, kind), alike in itertools.groupby(zip(appended, rows, strict=True), _source_and_type):
            _INSERT(connection, [row for _, row in alike], source, kind, recorded_at)
        self._add_duties(connection, drafts, places, now)
        return appended

    def append_first(self, connection: sa.Connection, facts: FirstFacts, now: datetime) -> None:
        """Append first facts, each about another subject, as `append` does."""
        recorded_at = micros(now)
        recently = next_sequence(0, recorded_at)
        sequences = [recently if moment <= recorded_at else next_sequence(0, moment) for moment in facts.moments]
        places = next_numbers(connection, events.c.position, len(facts.ids))
        rows = list(zip(places, facts.ids, facts.subjects, sequences, facts.moments, facts.told, strict=True))
        _INSERT(connection, rows, facts.source, facts.type.value, recorded_at)
        for subscription in self._subscriptions.get(facts.type, ()):
            subjects = map(subscription.subjects, facts.each())
            duties = [(about, place) for each, place in zip(subjects, places, strict=True) for about in each]
            self._tasks.add_duties(connection, subscription.kind, duties, now)

    def _add_duties(
        self, connection: sa.Connection, facts: Sequence[About], places: Sequence[int], now: datetime
    ) -> None:
        """Of each kind in the order of the facts: what is about one subject is told in that order."""
        interested = [
            (kind, subscription)
            for kind in {fact.type for fact in facts}
            for subscription in self._subscriptions.get(kind, ())
        ]
        for wanted in dict.fromkeys(subscription.kind for _, subscription in interested):
            subjects = [
                (kind, subscription.subjects) for kind, subscription in interested if subscription.kind == wanted
            ]
            duties = [
                (subject, place)
                for fact, place in zip(facts, places, strict=True)
                for kind, subjects_of in subjects
                if kind == fact.type
                for subject in subjects_of(fact)
            ]
            self._tasks.add_duties(connection, wanted, duties, now)


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


def _last_sequences(connection: sa.Connection, drafts: Sequence[EventDraft]) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for source in {draft.source for draft in drafts}:
        subjects = {draft.subject for draft in drafts if draft.source == source}
        rows = _LAST(connection, sorted(subjects), source=source)
        found.update({(source, row.subject): row.sequence for row in rows})
    return found


def _free_id(draft: EventDraft, taken: set[str], connection: sa.Connection) -> str:
    """The first id of this fact that no event has: the same fact can come true again. Its first id is taken."""
    for occurrence in itertools.count(1):  # pragma: no branch - ends where nobody was before
        identity = event_id(draft, occurrence)
        if identity not in taken and not _TAKEN(connection, [identity]).first():
            return identity
    raise AssertionError  # pragma: no cover


def _event(draft: EventDraft, sequence: int, identity: str) -> Event:
    return Event(identity, draft.source, draft.subject, str(draft.type), sequence, draft.time, draft.data)


def _row(place: int, event: Event, moment: int) -> tuple[Value, ...]:
    identity, _, subject, _, sequence, _, data = event
    document = data if type(data) is dict else dict(data)
    return (place, identity, subject, sequence, moment, json_text(document))


def _source_and_type(appended: tuple[Event, object]) -> tuple[str, str]:
    event, _ = appended
    return event.source, event.type
