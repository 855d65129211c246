"""The listener for barmate's webhooks: credentials first, then a durable hint, then 200; the rest changes nothing."""

import contextlib
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import structlog

from tests.clocks import ManualClock
from tests.listener_kit import HEADER, HOST, LOGIN, RIGHT, Ears, basic, call, ears
from worker.customers import hints
from worker.customers.hearing import Heard
from worker.db import Database
from worker.db.tables import customer_orders, events
from worker.errors import DatabaseUnavailable
from worker.web import OUTCOMES, BasicLogin, Credentials, Tally
from worker.web.impatience import Impatient
from worker.web.listener import LARGEST_BODY, PATH
from worker.web.tally import QUIET_SECONDS

ONE = [(HOST, "key-1", "1234", "request-delivery")]


@pytest.fixture
def heard(sqlite_database: Database) -> Iterator[Ears]:
    """A listener that asks for a header and for basic credentials."""
    with ears(sqlite_database) as listening:
        yield listening


def until(done: Callable[[], bool]) -> bool:
    """Whether it came true within seconds."""
    deadline = time.monotonic() + 20
    while not done() and time.monotonic() < deadline:
        time.sleep(0.01)
    return done()


def rows(database: Database) -> int:
    """Customer orders and events that are kept."""
    with database.read() as connection:
        return sum(len(connection.execute(table.select()).all()) for table in (customer_orders, events))


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_call_is_answered_once_its_hint_is_durable(heard: Ears, method: str) -> None:
    """By whichever method barmate was registered; nothing of the body is kept but id, type and key."""
    answered = heard.send(call(), method=method)

    assert answered.status == 200
    assert heard.hints() == ONE
    assert rows(heard.database) == 0


def test_a_call_is_kept_on_both_databases(database: Database) -> None:
    """A hint is one row, whatever keeps it."""
    with ears(database) as heard:
        statuses = [heard.send(call()).status for _ in range(2)]

        assert statuses == [200, 200]
        assert heard.hints() == ONE


def test_a_repeated_call_changes_nothing(heard: Ears) -> None:
    """Also one that says something else under the same key, and one that comes after the order was read."""
    heard.send(call())
    heard.send(call())
    heard.send(call(type="cancel-delivery", data={"id": 99}))
    with heard.database.write() as connection:
        now = heard.database.now(connection)
        hints.close(connection, HOST, "1234", received_by=now, now=now)
    again = heard.send(call())

    assert again.status == 200
    assert heard.hints() == ONE
    assert heard.counted() == {"taken": 1, "repeated": 3}
    with heard.database.read() as connection:
        assert hints.waiting(connection, HOST) == 0


def test_calls_that_come_at_once_under_one_key_are_one_hint(database: Database) -> None:
    """Two connections may look at the same moment; the row's key decides."""
    with ears(database) as heard:
        threads = [threading.Thread(target=heard.send, args=(call(),)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert heard.hints() == ONE
        assert heard.counted() == {"taken": 1, "repeated": 7}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {HEADER.name: HEADER.secret},
        {"Authorization": basic()},
        {**RIGHT, HEADER.name: "wrong"},
        {**RIGHT, "Authorization": basic(BasicLogin(user=LOGIN.user, password="wrong"))},
        {**RIGHT, "Authorization": "Basic ====="},
        {**RIGHT, "Authorization": f"Bearer {HEADER.secret}"},
    ],
)
def test_a_stranger_is_told_the_same_whatever_is_wrong(heard: Ears, headers: dict[str, str]) -> None:
    """Wherever and however it calls, too; nothing is kept."""
    answers = [
        heard.send(call(), headers=headers),
        heard.send(b"no json", headers=headers),
        heard.send(call(), headers=headers, path="/elsewhere"),
        heard.send(b"", headers=headers, method="GET"),
    ]
    told = {(one.status, one.text, one.headers["www-authenticate"]) for one in answers}

    assert told == {(401, "This needs the credentials that barmate was given.", 'Basic realm="waybill"')}
    assert heard.hints() == []


def test_a_stranger_is_turned_away_before_a_byte_of_the_body_is_taken(heard: Ears) -> None:
    """The answer comes although the body never does, and nobody is asked to send one (no 100 Continue)."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection((heard.host, heard.port), timeout=20) as caller:
        caller.sendall(head.encode())
        answer = caller.recv(4096)

    assert answer.startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", PATH, 405), ("DELETE", PATH, 405), ("POST", "/", 404), ("POST", f"{PATH}/", 404), ("GET", "/docs", 404)],
)
def test_only_one_path_and_three_methods_are_known(heard: Ears, method: str, path: str, status: int) -> None:
    """Everything else is a mistake of who set up the call."""
    answered = heard.send(call(), method=method, path=path)

    assert answered.status == status
    assert heard.hints() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"[" * 50_000, 400),
        (call(idempotency_key="a" * 201), 400),
        (call(idempotency_key="a\x00b"), 400),
        (call(data={"id": {"$ne": 1}}), 400),
        (call(type="deliver-delivery"), 200),
    ],
)
def test_a_malformed_call_or_one_of_an_unknown_type_changes_nothing(heard: Ears, body: object, status: int) -> None:
    """A type nobody knows is answered 200, or barmate would repeat it for ever."""
    answered = heard.send(body)

    assert answered.status == status
    assert heard.hints() == []


def test_a_huge_body_is_refused_by_its_announced_length(heard: Ears) -> None:
    """Before any of it is taken."""
    head = "".join(f"{name}: {value}\r\n" for name, value in RIGHT.items())
    with socket.create_connection((heard.host, heard.port), timeout=20) as caller:
        request = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {LARGEST_BODY + 1}\r\n\r\n"
        caller.sendall(request.encode())
        answer = caller.recv(4096)

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_huge_body_in_chunks_is_refused_while_it_comes(heard: Ears) -> None:
    """It announces nothing; the caller still gets to read the answer."""
    pieces = (b"x" * 65_536 for _ in range(LARGEST_BODY // 65_536 + 2))
    answered = heard.send(pieces, headers={**RIGHT, "Transfer-Encoding": "chunked"})

    assert answered.status == 413
    assert heard.hints() == []


def test_a_large_call_is_taken(heard: Ears) -> None:
    """Also in chunks: an order of a thousand items is no attack."""
    data = {"id": "big", "items": ["x" * 100] * 5_000}
    answered = heard.send(call(data=data))

    assert answered.status == 200
    assert heard.hints() == [(HOST, "key-1", "big", "request-delivery")]


def test_a_database_that_is_gone_makes_barmate_come_again(sqlite_database: Database) -> None:
    """503, with the time after which to come; once the database is back the same call is taken."""
    answers: list[DatabaseUnavailable | Heard] = [DatabaseUnavailable("here", "gone"), Heard.TAKEN]

    def take(_body: bytes) -> Heard:
        answer = answers.pop(0)
        if isinstance(answer, Heard):
            return answer
        raise answer

    with ears(sqlite_database, take=take) as heard:
        first, second = heard.send(call()), heard.send(call())

        assert (first.status, first.headers["retry-after"]) == (503, "30")
        assert "gone" not in first.text
        assert second.status == 200


def test_a_database_that_hangs_makes_barmate_come_again(sqlite_database: Database) -> None:
    """The caller is not kept waiting for as long as a writer may take."""
    free = threading.Event()

    def take(_body: bytes) -> Heard:
        free.wait(20)
        return Heard.TAKEN

    with ears(sqlite_database, take=take, keeping_seconds=0.05) as heard:
        answered = heard.send(call())
        free.set()

        assert answered.status == 503


def test_too_many_hints_are_not_taken_and_repeats_are(sqlite_database: Database) -> None:
    """A table that nobody reads down does not grow for ever; barmate comes again, and polling finds it anyway."""
    with ears(sqlite_database, most_waiting=3) as heard:
        statuses = [heard.send(call(idempotency_key=f"k{number}")).status for number in range(4)]
        repeated = heard.send(call(idempotency_key="k1")).status
        with heard.database.write() as connection:
            now = heard.database.now(connection)
            hints.close(connection, HOST, "1234", received_by=now, now=now)
        later = heard.send(call(idempotency_key="k3")).status

        assert statuses == [200, 200, 200, 429]
        assert (repeated, later) == (200, 200)


def test_a_caller_that_dawdles_is_cut_off(heard: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    """At its head, in its body or between two calls; others are heard meanwhile."""
    monkeypatch.setattr(Impatient, "seconds", 0.3)
    head = "".join(f"{name}: {value}\r\n" for name, value in RIGHT.items())
    beginnings = [b"", b"POST /bar", f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 9\r\n\r\n{{".encode()]
    with contextlib.ExitStack() as stack:
        callers = [
            stack.enter_context(socket.create_connection((heard.host, heard.port), timeout=20)) for _ in beginnings
        ]
        for caller, beginning in zip(callers, beginnings, strict=True):
            caller.sendall(beginning)
        ends = [_end(caller) for caller in callers]

    assert ends == [b"", b"", b""]
    assert heard.hints() == []


def test_a_caller_that_trickles_is_cut_off_as_well(heard: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is no progress: a call has its time as a whole."""
    monkeypatch.setattr(Impatient, "seconds", 0.3)
    began = time.monotonic()
    with (
        socket.create_connection((heard.host, heard.port), timeout=20) as caller,
        contextlib.suppress(OSError),
    ):
        while time.monotonic() - began < 20:
            caller.sendall(b"P")
            time.sleep(0.02)

    assert time.monotonic() - began < 20


def test_one_connection_too_many_is_cut_off_and_the_others_are_not(
    heard: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can take every file of this process; once some are gone, others are heard again."""
    monkeypatch.setattr(Impatient, "most", 3)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection((heard.host, heard.port), timeout=20))
        with socket.create_connection((heard.host, heard.port), timeout=20) as fourth:
            end = _end(fourth)

    assert end == b""
    assert until(lambda: _is_heard(heard))


def test_each_call_over_one_connection_has_its_own_time(heard: Ears, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that keeps its connection is not cut off in the middle of one."""
    monkeypatch.setattr(Impatient, "seconds", 2.0)
    connection = http.client.HTTPConnection(heard.host, heard.port, timeout=20)
    connection.connect()
    (socket_used, began), statuses = (connection.sock, time.monotonic()), []
    while time.monotonic() - began < 2.5:
        connection.request("PUT", PATH, json.dumps(call()), RIGHT)
        answer = connection.getresponse()
        answer.read()
        statuses.append(answer.status)
        time.sleep(0.05)
    same = connection.sock is socket_used
    connection.close()

    assert set(statuses) == {200}
    assert same


def test_what_is_no_http_is_refused_without_a_line_in_the_log(heard: Ears, caplog: pytest.LogCaptureFixture) -> None:
    """Scanners come by every minute."""
    with caplog.at_level(logging.DEBUG), socket.create_connection((heard.host, heard.port), timeout=20) as caller:
        caller.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer = caller.recv(4096)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_refused_calls_are_logged_once_a_minute_and_counted_each() -> None:
    """A flood fills no disk, and none of it is quoted."""
    clock = ManualClock()
    tally = Tally(clock, OUTCOMES)
    with structlog.testing.capture_logs() as lines:
        for _ in range(500):
            tally.note("unauthorized")
            tally.note("taken")
        clock.advance(QUIET_SECONDS)
        tally.note("unauthorized")

    assert [(line["outcome"], line["calls"]) for line in lines] == [("unauthorized", 1), ("unauthorized", 500)]
    assert (tally.counts()["unauthorized"], tally.counts()["taken"]) == (501, 500)


def test_with_a_header_alone_the_refusal_asks_for_no_password(sqlite_database: Database) -> None:
    """RFC 9110 wants a challenge; a browser must not ask a person."""
    with ears(sqlite_database, credentials=Credentials(header=HEADER, login=None)) as heard:
        refused, taken = heard.send(call(), headers={}), heard.send(call(), headers={HEADER.name: HEADER.secret})

        assert refused.headers["www-authenticate"] == 'Header realm="waybill"'
        assert taken.status == 200


def _end(caller: socket.socket) -> bytes:
    """What comes before the connection ends."""
    try:
        return caller.recv(4096)
    except ConnectionError:
        return b""


def _is_heard(heard: Ears) -> bool:
    try:
        return heard.send(call()).status == 200
    except OSError:
        return False
