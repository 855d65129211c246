"""What we hold, as listings: an iterator of objects with the keys of DESIGN §8, read as they are asked for."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from worker.db.tables import coverage, deliveries, events
from worker.event_log import event_of
from worker.letters import ALL, RECORD, Which
from worker.states import CoverageState

# Rows fetched at once: a long listing never stands in memory as a whole.
_FETCH = 500

Document = dict[str, object]

DELIVERY_COLUMNS = (
    "account",
    "id",
    "customer_id",
    "status",
    "status_inbound",
    "number",
    "number_external",
    "purchase_order",
    "updated_at",
)
EVENT_COLUMNS = ("time", "source", "subject", "type", "id")
COVERAGE_COLUMNS = ("account", "since", "until", "state", "certified", "rows", "requests")
DEAD_LETTER_COLUMNS = ("id", "kind", "subject", "type", "since", "attempts", "reason")


def list_deliveries(
    connection: sa.Connection, *, account: str | None = None, status: str | None = None, limit: int | None = None
) -> Iterator[Document]:
    """Deliveries as last seen, by account and id."""
    columns = [deliveries.c[name] for name in DELIVERY_COLUMNS]
    statement = sa.select(*columns, deliveries.c.visible).order_by(deliveries.c.account, deliveries.c.id)
    if account is not None:
        statement = statement.where(deliveries.c.account == account)
    if status is not None:
        statement = statement.where(deliveries.c.status == status)
    for row in _fetched(connection, statement.limit(limit)):
        yield dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name for a row as a mapping


def list_events(
    connection: sa.Connection,
    *,
    subject: str | None = None,
    type_: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> Iterator[Document]:
    """Events as CloudEvents 1.0 objects, in the order of the log; with a limit, the newest so many.

    `subject` is an event's subject, or its source and subject put together.
    """
    wanted = sa.select(events.c.position)
    if subject is not None:
        wanted = wanted.where(sa.or_(events.c.subject == subject, events.c.source + "/" + events.c.subject == subject))
    if type_ is not None:
        wanted = wanted.where(events.c.type == type_)
    if since is not None:
        wanted = wanted.where(events.c.time >= since)
    newest = wanted.order_by(events.c.position.desc()).limit(limit)
    statement = sa.select(events).where(events.c.position.in_(newest)).order_by(events.c.position)
    for row in _fetched(connection, statement):
        yield event_of(row).cloud_event()


def list_coverage(
    connection: sa.Connection, *, account: str | None = None, state: str | None = None
) -> Iterator[Document]:
    """Spans of source time by account; `certified` names the proof and is null where there is none."""
    statement = sa.select(coverage).order_by(coverage.c.account, coverage.c.since)
    if account is not None:
        statement = statement.where(coverage.c.account == account)
    if state is not None:
        statement = statement.where(coverage.c.state == state)
    for row in _fetched(connection, statement):
        yield _span(row)


def holes(connection: sa.Connection, *, account: str | None = None) -> int:
    """How many holes there are in the coverage, of one account or of all."""
    statement = sa.select(sa.func.count()).select_from(coverage).where(coverage.c.state == CoverageState.HOLE)
    if account is not None:
        statement = statement.where(coverage.c.account == account)
    return int(connection.execute(statement).scalar_one())


def list_dead_letters(connection: sa.Connection, *, which: Which = ALL, limit: int | None = None) -> Iterator[Document]:
    """Discarded tasks and open records set aside, the oldest first of each."""
    left = limit
    for row in _fetched(connection, which.tasks().limit(left)):
        yield _discarded_task(row)
        left = None if left is None else left - 1
    for row in _fetched(connection, which.records().limit(left)):
        yield _record(row)


def _fetched(connection: sa.Connection, statement: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
    yield from connection.execution_options(yield_per=_FETCH).execute(statement)


def _span(row: sa.Row[Any]) -> Document:
    return {
        "account": row.account,
        "since": datetime.fromtimestamp(row.since, UTC),
        "until": datetime.fromtimestamp(row.until, UTC),
        "state": row.state,
        "certified": row.proof if row.state == CoverageState.CERTIFIED else None,
        "rows": row.rows,
        "requests": row.requests,
        "seconds": row.until - row.since + 1,
        "reason": row.reason,
        "tries": row.tries,
        "retry_at": row.retry_at,
    }


def _discarded_task(row: sa.Row[Any]) -> Document:
    return {
        "id": row.id,
        "kind": row.kind,
        "subject": row.subject,
        "type": row.type,
        "since": row.ended_at,
        "attempts": row.attempts,
        "reason": row.error,
        "event_id": row.event_id,
    }


def _record(row: sa.Row[Any]) -> Document:
    return {
        "id": row.id,
        "kind": RECORD,
        "subject": _record_subject(row),
        "type": None,
        "since": row.first_seen_at,
        "attempts": None,
        "reason": row.reason,
        "payload": row.payload,
    }


def _record_subject(row: sa.Row[Any]) -> str:
    known = row.delivery_id if row.customer_order_id is None else row.customer_order_id
    return f"{row.account}/{'?' if known in {None, ''} else known}"
