"""Coverage as rows: which seconds of an account are certified, pending, or a hole. Every second since the start is one.

Methods take the caller's transaction, which holds the account's row.
"""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.db.tables import coverage
from worker.reading.spans import Span, Window, gaps, paint, without
from worker.states import CoverageState


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a certificate says in sum: its kind, and the rows and requests it took."""

    kind: str
    rows: int
    requests: int


def spans(connection: sa.Connection, account: str) -> list[Span]:
    """Everything known about an account, in order of time."""
    return _select(connection, account)


def spans_within(connection: sa.Connection, account: str, window: Window) -> list[Span]:
    """The spans that share a second with the window, whole, in order of time."""
    return _select(connection, account, coverage.c.since <= window.until, coverage.c.until >= window.since)


def front(connection: sa.Connection, account: str) -> int | None:
    """The last second that coverage says anything about; None before the first poll."""
    last: int | None = connection.execute(
        sa.select(sa.func.max(coverage.c.until)).where(coverage.c.account == account)
    ).scalar_one()
    return last


def certified_until(connection: sa.Connection, account: str, start: int | None) -> int | None:
    """The end of the unbroken certified run from the start; None while there is none."""
    if start is None:
        return None
    broken = sa.and_(coverage.c.until >= start, coverage.c.state != CoverageState.CERTIFIED)
    # In one statement: on PostgreSQL another one would see what was committed in between, and could pass over a gap.
    last, first_broken = connection.execute(
        sa.select(sa.func.max(coverage.c.until), sa.func.min(sa.case((broken, coverage.c.since)))).where(
            coverage.c.account == account
        )
    ).one()
    until = last if first_broken is None else first_broken - 1
    return None if until is None or until < start else until


def certify(connection: sa.Connection, account: str, window: Window, proof: Proof) -> None:
    """State that the window was read completely."""
    state = CoverageState.CERTIFIED
    span = Span(window=window, state=state, proof=proof.kind, rows=proof.rows, requests=proof.requests)
    lay(connection, account, span)


def mark_hole(
    connection: sa.Connection, account: str, window: Window, *, reason: str, tries: int, retry_at: datetime
) -> None:
    """State that the proof failed after all retries of one round, and when the next round is due."""
    span = Span(window=window, state=CoverageState.HOLE, reason=reason, tries=tries, retry_at=retry_at)
    lay(connection, account, span)


def reopen(connection: sa.Connection, account: str, window: Window, reason: str) -> bool:
    """Turn what is certified in the window into pending; whether there was anything to turn."""
    reopened = False
    for span in spans_within(connection, account, window):
        overlap = span.window.overlap(window)
        if span.state is CoverageState.CERTIFIED and overlap is not None:
            lay(connection, account, Span(window=overlap, state=CoverageState.PENDING, reason=reason))
            reopened = True
    return reopened


def want(connection: sa.Connection, account: str, window: Window) -> None:
    """Make every second of the window that nothing is known about pending."""
    for gap in gaps(spans_within(connection, account, window), window):
        lay(connection, account, Span(window=gap, state=CoverageState.PENDING))


def want_from(connection: sa.Connection, account: str, start: int) -> None:
    """Make every unknown second from the start up to the front pending: polling goes on behind the front."""
    last = front(connection, account)
    if last is not None and last >= start:
        want(connection, account, Window(start, last))


def retreat(connection: sa.Connection, account: str, last: int) -> None:
    """Forget everything about seconds after `last`: the time they were judged by was wrong."""
    beyond = Window(last + 1, max(last + 1, front(connection, account) or last + 1))
    old = spans_within(connection, account, beyond)
    _replace(connection, account, old, [piece for span in old for piece in without(span, beyond)])


def open_spans(connection: sa.Connection, account: str) -> list[Span]:
    """What is pending or a hole, in order of time."""
    return _select(connection, account, coverage.c.state != CoverageState.CERTIFIED)


def certified_spans(connection: sa.Connection, account: str, window: Window) -> list[Span]:
    """The certified spans that share a second with the window."""
    found = spans_within(connection, account, window)
    return [span for span in found if span.state is CoverageState.CERTIFIED]


def lay(connection: sa.Connection, account: str, span: Span) -> None:
    """Lay a span over what is known, merging it with its neighbours."""
    around = Window(span.window.since - 1, span.window.until + 1)
    old = spans_within(connection, account, around)
    _replace(connection, account, old, paint(old, span))


def _replace(connection: sa.Connection, account: str, old: list[Span], new: list[Span]) -> None:
    keys = [span.window.since for span in old if span not in new]
    if keys:
        connection.execute(sa.delete(coverage).where(coverage.c.account == account, coverage.c.since.in_(keys)))
    rows = [_values(account, span) for span in new if span not in old]
    if rows:
        connection.execute(sa.insert(coverage), rows)


def _select(connection: sa.Connection, account: str, *conditions: sa.ColumnElement[bool]) -> list[Span]:
    statement = sa.select(coverage).where(coverage.c.account == account, *conditions).order_by(coverage.c.since)
    return [
        Span(
            window=Window(row.since, row.until),
            state=CoverageState(row.state),
            proof=row.proof,
            rows=row.rows,
            requests=row.requests,
            reason=row.reason,
            tries=row.tries,
            retry_at=row.retry_at,
        )
        for row in connection.execute(statement)
    ]


def _values(account: str, span: Span) -> dict[str, object]:
    return {
        "account": account,
        "since": span.window.since,
        "until": span.window.until,
        "state": span.state,
        "proof": span.proof,
        "rows": span.rows,
        "requests": span.requests,
        "reason": span.reason,
        "tries": span.tries,
        "retry_at": span.retry_at,
    }
