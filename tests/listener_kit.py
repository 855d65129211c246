"""What tests of the listener share: it on a free port before a database, and callers who are barmate, or are not."""

import base64
import http.client
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from tests.clocks import ManualClock
from worker import checkpoints
from worker.customers.hearing import MOST_WAITING, Heard, Hearing
from worker.db import Database
from worker.db.tables import customer_hints
from worker.web import LISTENER, OUTCOMES, BasicLogin, Credentials, Listener, SecretHeader, Tally, serve

HOST = "barmate.example"
HEADER = SecretHeader(name="X-Waybill-Secret", secret="the-secret-of-the-webhook")
LOGIN = BasicLogin(user="barmate", password="password:with-a-colon")
# Seconds that a caller waits: longer than any answer on a busy machine.
PATIENCE = 30.0

Take = Callable[[bytes], Heard]


def basic(login: BasicLogin = LOGIN) -> str:
    """The value of the header Authorization."""
    return f"Basic {base64.b64encode(f'{login.user}:{login.password}'.encode()).decode()}"


RIGHT = {HEADER.name: HEADER.secret, "Authorization": basic()}


def free_port() -> int:
    """A port that was free a moment ago: barmate is told it once, whoever listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


def call(**changes: object) -> dict[str, Any]:
    """A call as barmate makes it."""
    data = {
        "id": 1234,
        "status": "REQUESTED",
        "customer": {"contact": {"name": "Somebody", "email": "who@example.com"}},
    }
    return {"type": "request-delivery", "idempotency_key": "key-1", "data": data, **changes}


@dataclass(frozen=True, slots=True)
class Answered:
    """Status, text and headers (lower case)."""

    status: int
    text: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """A listener that listens."""

    host: str
    port: int
    database: Database
    tally: Tally
    default: Mapping[str, str] = field(default_factory=lambda: RIGHT)

    def send(
        self,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        path: str = "/barmate",
    ) -> Answered:
        """Call it. A body that is neither bytes nor an iterator of bytes is sent as JSON."""
        sent: Any = body if isinstance(body, bytes | Iterator) else json.dumps(body).encode()
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            shown = dict(self.default if headers is None else headers)
            connection.request(method, path, sent, shown, encode_chunked=isinstance(sent, Iterator))
            answer = connection.getresponse()
            return Answered(
                answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
            )
        finally:
            connection.close()

    def hints(self) -> list[tuple[str, str, str, str]]:
        """What is kept, by key."""
        kept = customer_hints.c
        statement = sa.select(kept.host, kept.idempotency_key, kept.order_id, kept.type)
        with self.database.read() as connection:
            rows = connection.execute(statement.order_by(kept.idempotency_key)).all()
        return [(row.host, row.idempotency_key, row.order_id, row.type) for row in rows]

    def counted(self) -> dict[str, int]:
        """Calls by what they came to, without those that none came to."""
        return {name: count for name, count in self.tally.counts().items() if count}


@contextmanager
def ears(
    database: Database,
    *,
    credentials: Credentials | None = None,
    take: Take | None = None,
    most_waiting: int = MOST_WAITING,
    keeping_seconds: float = PATIENCE,
) -> Iterator[Ears]:
    """Listen on a free port; a header and basic credentials are asked for unless told otherwise."""
    tally = Tally(ManualClock(), OUTCOMES)
    hearing = Hearing(database=database, host=HOST, checkpoint=checkpoints.nothing, most_waiting=most_waiting)
    listener = Listener(
        take=hearing.take if take is None else take,
        credentials=Credentials(header=HEADER, login=LOGIN) if credentials is None else credentials,
        tally=tally,
        keeping_seconds=keeping_seconds,
    )
    served = serve(listener, "127.0.0.1", 0, LISTENER)
    try:
        yield Ears(host=served.host, port=served.port, database=database, tally=tally)
    finally:
        served.stop()
