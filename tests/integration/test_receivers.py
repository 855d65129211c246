"""Receivers of every kind, each with the outcome that docs/events.md publishes."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.local_server import Action, closed_port, reply, sending, serving
from tests.runtime_kit import Bench, bench_at, eventually, receiver
from worker.clock import SystemClock
from worker.db.tables import tasks
from worker.doctor.finding import Level
from worker.doctor.sending import MirrorCase, examine_mirror
from worker.kinds import MIRROR, MIRROR_JITTER, MIRROR_SCHEDULE
from worker.states import TaskState

# Seconds that a post may take here: fifteen are the rule.
SECONDS = 0.5
Address = AbstractContextManager[str]


@pytest.fixture
def bench(sqlite_url: str) -> Iterator[Bench]:
    """A bench with one event."""
    with bench_at(sqlite_url) as bench:
        bench.changes(1, orders=False)
        yield bench


def _post(bench: Bench, url: str) -> None:
    with bench.couriers(bench.mirror(url, seconds=SECONDS)) as couriers:
        couriers.hand(bench.ids(MIRROR))
        assert eventually(lambda: "running" not in bench.states(MIRROR))


@contextmanager
def _twin(**switches: float) -> Iterator[str]:
    with receiver(hang_seconds=30.0, **switches) as listening:
        yield listening.url


@contextmanager
def _script(action: Action, scheme: str = "http") -> Iterator[str]:
    with serving(action) as server:
        yield server.url.replace("http:", f"{scheme}:")


@contextmanager
def _nobody(url: str) -> Iterator[str]:
    yield url


def _says_nothing_and_closes(connection: socket.socket) -> None:
    del connection


@dataclass(frozen=True, slots=True)
class Case:
    """A receiver, what becomes of the event's task, the tries that count, and words of the reason that is kept."""

    name: str
    address: Callable[[], Address]
    state: str
    attempts: int
    reason: str | None


def _taken(name: str, address: Callable[[], Address]) -> Case:
    return Case(name, address, "done", 1, None)


def _again(name: str, address: Callable[[], Address], reason: str) -> Case:
    return Case(name, address, "waiting", 1, reason)


CASES = (
    _taken("takes it", _twin),
    _taken("breaks off its body", lambda: _twin(truncated=1.0)),
    _taken("has an endless body", lambda: _twin(endless=1.0)),
    _taken("has a huge body", lambda: _script(reply(200, raw=b"." * 5_000_000))),
    _taken("has a body that is no gzip", lambda: _script(reply(200, raw=b"no", headers={"Content-Encoding": "gzip"}))),
    _again("fails", lambda: _twin(server_error=1.0), "the receiver answered HTTP 500"),
    _again("is busy", lambda: _twin(throttled=1.0), "the receiver answered HTTP 429"),
    _again("is away", lambda: _twin(unavailable=1.0), "the receiver answered HTTP 503"),
    _again("has moved", lambda: _twin(redirect=1.0), "which is not followed; set its target as the URL"),
    _again("does not like it", lambda: _script(reply(400, {})), "the receiver answered HTTP 400"),
    _again("does not know the signature", lambda: _script(reply(401, {})), "the receiver answered HTTP 401"),
    _again("has no such path", lambda: _script(reply(404, {})), "the receiver answered HTTP 404"),
    _again("hangs", lambda: _twin(hang=1.0), "no answer came within 0.5 s"),
    _again("answers too late", lambda: _twin(late=1.0), "no answer came within 0.5 s"),
    _again("resets", lambda: _twin(reset=1.0), "the answer is missing or incomplete"),
    _again("closes early", lambda: _script(_says_nothing_and_closes), "the answer is missing or incomplete"),
    _again("closes in its head", lambda: _script(sending(b"HTTP/1.1 200 OK\r\nA: ")), "missing or incomplete"),
    _again("speaks no HTTP", lambda: _script(sending(b"hello\r\n\r\n")), "the answer is missing or incomplete"),
    _again("speaks no TLS", lambda: _script(reply(200, {}), "https"), "no connection could be made"),
    _again("is not there", lambda: _nobody(f"http://127.0.0.1:{closed_port()}"), "no connection could be made"),
    _again("has no name any more", lambda: _nobody("http://receiver.invalid"), "no connection could be made"),
    Case("is gone", lambda: _twin(gone=1.0), "waiting", 0, "waybill webhook enable"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_receiver_of_any_kind_has_its_defined_outcome(bench: Bench, case: Case) -> None:
    """Taken, or posted again by the schedule, or switched off; with a reason for people, and never a dead letter."""
    with case.address() as url:
        _post(bench, url)
    task = bench.task(bench.ids(MIRROR)[0])

    assert (task.state, task.attempts) == (case.state, case.attempts)
    assert task.error is None if case.reason is None else case.reason in task.error


def test_a_head_that_trickles_ends_at_the_deadline(bench: Bench) -> None:
    """A byte now and then keeps no place for ever."""

    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        connection.settimeout(0.05)
        while True:
            connection.sendall(b"A")
            try:
                gone = not connection.recv(1)
            except TimeoutError:
                continue
            if gone:
                return

    with _script(trickle) as url:
        _post(bench, url)

    assert bench.task(bench.ids(MIRROR)[0]).error == "no answer came within 0.5 s"


def _wait(bench: Bench) -> timedelta:
    task = bench.task(bench.ids(MIRROR)[0])
    waited: timedelta = task.due_at - SystemClock().now()
    return waited


def test_the_first_wait_is_the_first_of_the_published_schedule(bench: Bench) -> None:
    """With the jitter that is published as well."""
    with _twin(server_error=1.0) as url:
        _post(bench, url)
    wait = _wait(bench)

    assert timedelta(0) < wait <= timedelta(seconds=MIRROR_SCHEDULE[0] * (1 + MIRROR_JITTER))


@pytest.mark.parametrize("fault", ["throttled", "unavailable"])
@pytest.mark.parametrize("date", [False, True])
def test_a_time_to_come_back_is_obeyed(bench: Bench, fault: str, date: bool) -> None:  # noqa: FBT001 - a case
    """429 and 503, in seconds and as a date."""
    with _twin(**{fault: 1.0, "retry_after_seconds": 900, "retry_after_date": date}) as url:
        _post(bench, url)

    assert timedelta(seconds=880) < _wait(bench) < timedelta(seconds=900 * (1 + MIRROR_JITTER))


def test_a_time_to_come_back_in_years_is_an_hour(bench: Bench) -> None:
    """A mistake there, or malice, does not lose events here."""
    with _twin(throttled=1.0, retry_after_seconds=99_999_999) as url:
        _post(bench, url)

    assert timedelta(seconds=3580) < _wait(bench) < timedelta(seconds=3600 * (1 + MIRROR_JITTER))


def _findings(bench: Bench) -> list[tuple[Level, str]]:
    case = MirrorCase(url="https://hooks.example.org/")
    return [(finding.level, finding.says) for finding in examine_mirror(case, bench.database)]


def test_the_doctor_says_what_waits_for_another_try_and_what_was_given_up(bench: Bench) -> None:
    """With the command that helps; nothing where all is well."""
    well = _findings(bench)
    with _twin(server_error=1.0) as url:
        _post(bench, url)
    waiting = _findings(bench)
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        connection.execute(sa.update(tasks).values(state=TaskState.DISCARDED, ended_at=now))

    assert [level for level, _ in well] == [Level.OK]
    assert (Level.NOTE, "subjects whose next event waits for another try: 1") in waiting
    assert (Level.WARNING, "events that were given up after three days of tries: 1") in _findings(bench)
