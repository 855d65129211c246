"""The rows of `customer_responses`: an intent each, kept for ever. Functions take the caller's transaction.

A row changes only from the state, the number of attempts and the deadline that it was read with, so of two processes
at one response the slower one changes nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connectors.barmate_records import ResponseType
from worker import kinds
from worker.clock import instant_text
from worker.db.tables import customer_responses
from worker.errors import BrokenInvariant, LostClaim
from worker.responding.words import Words
from worker.states import RESPONSE_CHANGES, RESPONSE_IN_DOUBT, RESPONSE_OPEN, ResponseState

# Values in one statement: SQLite takes some thousands at most.
_CHUNK = 400
_DENIED = (401, 403)

COLUMNS = ("customer_order_id", "type", "reference", "day", "state", "sends", "sent_at", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A response as it stands (columns as `worker.db.tables.responses` explains them)."""

    id: int
    host: str
    order_id: str
    words: Words
    account: str | None
    delivery_id: int | None
    body: str = field(repr=False)
    state: ResponseState
    reason: str
    owner: str | None
    sends: int
    deadline: datetime | None
    baseline: int
    settled_at: datetime | None
    looks: int
    looked_at: datetime | None
    answer_status: int | None
    answer: str | None = field(repr=False)
    wanted_at: datetime
    changed_at: datetime
    sent_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in RESPONSE_OPEN

    @property
    def in_doubt(self) -> bool:
        """Whether a request may have taken effect that barmate does not show."""
        return self.state in RESPONSE_IN_DOUBT

    @property
    def was_denied(self) -> bool:
        """Whether barmate did not accept the credential."""
        return self.answer_status in _DENIED

    def document(self) -> dict[str, object]:
        """As commands tell it."""
        return {
            "id": self.id,
            "customer_order_id": self.order_id,
            "type": self.words.type.value,
            "reference": self.words.reference,
            "day": None if self.words.day is None else self.words.day.isoformat(),
            "account": self.account,
            "delivery_id": self.delivery_id,
            "state": self.state.value,
            "sends": self.sends,
            "wanted_at": instant_text(self.wanted_at),
            "sent_at": None if self.sent_at is None else instant_text(self.sent_at),
            "answer_status": self.answer_status,
            "reason": self.reason,
        }


def of_orders(connection: sa.Connection, host: str, ids: Collection[str]) -> dict[str, list[Reply]]:
    """Every response to these customer orders, the oldest first."""
    found: dict[str, list[Reply]] = {order_id: [] for order_id in ids}
    for chunk in _chunks(sorted(found)):
        statement = (
            sa.select(customer_responses)
            .where(customer_responses.c.host == host, customer_responses.c.order_id.in_(chunk))
            .order_by(customer_responses.c.id)
        )
        for row in connection.execute(statement):
            found[row.order_id].append(_reply(row))
    return found


def open_orders(connection: sa.Connection, host: str, states: Collection[ResponseState]) -> list[str]:
    """The customer orders with a response in one of these states, the longest waiting first."""
    statement = (
        sa.select(customer_responses.c.order_id)
        .where(customer_responses.c.host == host, customer_responses.c.state.in_(states))
        .order_by(customer_responses.c.id)
    )
    return list(connection.execute(statement).scalars())


def denied_at(connection: sa.Connection, host: str) -> datetime | None:
    """When barmate last did not accept the credential for a response that is still open."""
    statement = sa.select(sa.func.max(customer_responses.c.changed_at)).where(
        customer_responses.c.host == host,
        customer_responses.c.state.in_(RESPONSE_OPEN),
        customer_responses.c.answer_status.in_(_DENIED),
    )
    found: datetime | None = connection.execute(statement).scalar_one()
    return found


def counts(connection: sa.Connection, host: str | None = None) -> dict[str, int]:
    """How many responses there are in each state; states that none is in are 0."""
    statement = sa.select(customer_responses.c.state, sa.func.count()).group_by(customer_responses.c.state)
    if host is not None:
        statement = statement.where(customer_responses.c.host == host)
    found = {str(state): int(count) for state, count in connection.execute(statement)}
    return {state.value: found.get(state.value, 0) for state in ResponseState}


def each(connection: sa.Connection, host: str, *, limit: int | None = None) -> Iterator[Reply]:
    """Responses, the newest first."""
    statement = sa.select(customer_responses).where(customer_responses.c.host == host)
    for row in connection.execute(statement.order_by(customer_responses.c.id.desc()).limit(limit)):
        yield _reply(row)


def insert(
    connection: sa.Connection, words: Words, *, host: str, order_id: str, about: tuple[str, int] | None, now: datetime
) -> Reply:
    """Keep a new intent. Raises LostClaim where another one about the order is open."""
    body = words.body().decode()
    values = {
        "host": host,
        "order_id": order_id,
        "type": words.type.value,
        "account": None if about is None else about[0],
        "delivery_id": None if about is None else about[1],
        "reference": words.reference,
        "scheduled": None if words.day is None else words.day.isoformat(),
        "body": body,
        "body_hash": words.body_hash,
        "state": ResponseState.WANTED,
        "reason": "waits to be sent",
        "sends": 0,
        "baseline": 0,
        "looks": 0,
        "wanted_at": now,
        "changed_at": now,
    }
    try:
        with connection.begin_nested():
            made = connection.execute(sa.insert(customer_responses).values(values).returning(customer_responses))
            return _reply(made.one())
    except sa.exc.IntegrityError as error:
        raise LostClaim(kinds.RESPOND, order_id) from error


def change(connection: sa.Connection, before: Reply, after: Reply, now: datetime) -> Reply:
    """Move a response on. Raises LostClaim where somebody else did so meanwhile: commit nothing then.

    An answer may come after somebody took up the open doubt: it counts, as long as nothing was sent again.
    """
    if before.state is not after.state and (before.state, after.state) not in RESPONSE_CHANGES:
        sentence = f"a response cannot go from {before.state} to {after.state}"
        raise BrokenInvariant(sentence)
    late = after.state is ResponseState.SENT and before.in_doubt
    states = RESPONSE_IN_DOUBT if late else {before.state}
    same_deadline = sa.true() if late else customer_responses.c.deadline.is_not_distinct_from(before.deadline)
    changed = connection.execute(
        sa.update(customer_responses)
        .where(
            customer_responses.c.id == before.id,
            customer_responses.c.state.in_(states),
            customer_responses.c.sends == before.sends,
            same_deadline,
        )
        .values({**_moving(after), "changed_at": now})
    )
    if changed.rowcount != 1:
        raise LostClaim(kinds.RESPOND, before.order_id)
    return replace(after, changed_at=now)


def take_over(connection: sa.Connection, settle: timedelta, now: datetime) -> int:
    """Nobody but this process can be sending: what another one left is looked up now; how many.

    What it sent may still take effect, so the settle time begins anew.
    """
    left = sa.update(customer_responses).where(customer_responses.c.state == ResponseState.SENDING)
    values = {"state": ResponseState.UNKNOWN, "reason": "the process ended while it was on its way"}
    times = {"deadline": now, "settled_at": now + settle, "changed_at": now}
    return connection.execute(left.values({**values, **times})).rowcount


def _moving(reply: Reply) -> dict[str, object]:
    return {
        "state": reply.state,
        "reason": reply.reason,
        "owner": reply.owner,
        "sends": reply.sends,
        "deadline": reply.deadline,
        "baseline": reply.baseline,
        "settled_at": reply.settled_at,
        "looks": reply.looks,
        "looked_at": reply.looked_at,
        "answer_status": reply.answer_status,
        "answer": reply.answer,
        "sent_at": reply.sent_at,
    }


def _reply(row: sa.Row[Any]) -> Reply:
    day = None if row.scheduled is None else date.fromisoformat(row.scheduled)
    return Reply(
        id=row.id,
        host=row.host,
        order_id=row.order_id,
        words=Words(type=ResponseType(row.type), reference=row.reference, day=day),
        account=row.account,
        delivery_id=row.delivery_id,
        body=row.body,
        state=ResponseState(row.state),
        reason=row.reason,
        owner=row.owner,
        sends=row.sends,
        deadline=row.deadline,
        baseline=row.baseline,
        settled_at=row.settled_at,
        looks=row.looks,
        looked_at=row.looked_at,
        answer_status=row.answer_status,
        answer=row.answer,
        wanted_at=row.wanted_at,
        changed_at=row.changed_at,
        sent_at=row.sent_at,
    )


def _chunks(values: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK))
