import json
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.clocks import NOON, ManualClock
from tests.databases import migrated
from tests.order_kit import order_row
from worker.db import Database
from worker.db.tables import accounts, attempts, firings, orders
from worker.errors import NotReady
from worker.events import OrderKey
from worker.runtime.pulse import STUCK_SECONDS, Pulse
from worker.web import create, serve
from worker.web.health import LATE_POLL_SECONDS, readiness

TOKEN = "the-token-of-the-web-part"


@pytest.fixture
def clock() -> ManualClock:
    """Noon."""
    return ManualClock()


@pytest.fixture
def database(sqlite_url: str, clock: ManualClock) -> Iterator[Database]:
    """An empty database of the newest revision."""
    with migrated(sqlite_url, clock) as database:
        yield database


@contextmanager
def served(database: Database, pulse: Pulse, token: str | None = None) -> Iterator[str]:
    """The web part on a free port; its address."""
    server = serve(create(database=database, pulse=pulse, token=token), "127.0.0.1", 0)
    try:
        yield server.address
    finally:
        server.stop()


def ask(url: str, token: str | None = None) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers (lower case) of a GET."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode(), _headers(answer.headers.items())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode(), _headers(refusal.headers.items())


def _headers(given: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in given}


def poll_account(database: Database, *, seconds_ago: float) -> None:
    """An account whose last answer came then."""
    with database.write() as connection:
        connection.execute(
            sa.insert(accounts).values(
                name="acme.logistic.cloud",
                start=int(NOON.timestamp()) - 3600,
                key_fingerprint="0",
                lag_seconds=60.0,
                server_time=NOON - timedelta(seconds=seconds_ago),
            )
        )


def test_a_process_whose_loops_get_on_is_healthy(database: Database, clock: ManualClock) -> None:
    """Liveness is about progress: each loop's last stamp is young."""
    pulse = Pulse(clock)
    pulse.beat("relay")
    clock.advance(STUCK_SECONDS)

    with served(database, pulse) as address:
        status, body, _ = ask(f"{address}/healthz")

    assert status == 200
    assert json.loads(body) == {"status": "ok", "loops": {"relay": STUCK_SECONDS}}


def test_a_loop_without_progress_makes_the_process_unhealthy(database: Database, clock: ManualClock) -> None:
    """A stuck process is to be restarted, and the answer says which loop is stuck."""
    pulse = Pulse(clock)
    pulse.beat("relay")
    clock.advance(STUCK_SECONDS + 1)
    pulse.beat("scheduler")

    with served(database, pulse) as address:
        status, body, _ = ask(f"{address}/healthz")

    assert status == 503
    assert json.loads(body)["reason"] == "No progress in: relay."


def test_a_loop_that_ended_is_not_expected_to_get_on(clock: ManualClock) -> None:
    """What ended as it should is forgotten; forgetting twice is once."""
    pulse = Pulse(clock)
    pulse.beat("relay")
    pulse.forget("relay")
    pulse.forget("relay")
    clock.advance(STUCK_SECONDS + 1)

    assert pulse.stuck() == ()


def test_a_current_database_and_a_young_poll_are_ready(database: Database, clock: ManualClock) -> None:
    """Readiness names the age of each account's last answer."""
    poll_account(database, seconds_ago=5)

    with served(database, Pulse(clock)) as address:
        status, body, _ = ask(f"{address}/readyz")

    assert status == 200
    assert json.loads(body) == {"status": "ready", "last_answer_seconds": {"acme.logistic.cloud": 5.0}}


def test_an_account_that_nobody_reads_is_not_ready(database: Database, clock: ManualClock) -> None:
    """A web part without a scheduler anywhere says so."""
    poll_account(database, seconds_ago=LATE_POLL_SECONDS + 1)

    with served(database, Pulse(clock)) as address:
        status, body, _ = ask(f"{address}/readyz")

    assert status == 503
    assert json.loads(body)["reason"] == "Not read for long: acme.logistic.cloud. Is a scheduler running?"


def test_an_account_that_never_answered_is_not_ready(database: Database, clock: ManualClock) -> None:
    """It is named, whether it was asked in vain or not at all; one that is not configured any more is nobody's loss."""
    poll_account(database, seconds_ago=LATE_POLL_SECONDS + 1)
    with database.write() as connection:
        connection.execute(
            sa.insert(accounts).values(name="silent.logistic.cloud", start=-1, key_fingerprint="k", lag_seconds=60.0)
        )

    anybody = readiness(database)
    ours = readiness(database, ["silent.logistic.cloud", "new.logistic.cloud"])

    assert not anybody[0]
    assert "Never answered yet: silent.logistic.cloud; `waybill status` says why." in str(anybody[1]["reason"])
    assert ours == (
        False,
        {
            "status": "not ready",
            "reason": "Never answered yet: new.logistic.cloud, silent.logistic.cloud; `waybill status` says why.",
            "last_answer_seconds": {"new.logistic.cloud": None, "silent.logistic.cloud": None},
        },
    )


def test_a_database_without_our_schema_is_not_ready(sqlite_url: str, clock: ManualClock) -> None:
    """The remedy is in the answer."""
    empty = Database(sqlite_url, clock)
    with served(empty, Pulse(clock)) as address:
        status, body, _ = ask(f"{address}/readyz")
    empty.close()

    assert status == 503
    assert "run `waybill db upgrade`" in json.loads(body)["reason"]


def test_a_database_that_cannot_be_reached_is_told_in_a_sentence(clock: ManualClock) -> None:
    """Readiness and metrics answer 503 and show neither a traceback nor the password."""
    nowhere = Database("postgresql+psycopg://waybill:pass-word@127.0.0.1:1/waybill", clock)
    with served(nowhere, Pulse(clock)) as address:
        answers = [ask(f"{address}{path}") for path in ("/readyz", "/metrics")]
    nowhere.close()

    assert [status for status, _, _ in answers] == [503, 503]
    assert all("cannot be used" in body and "pass-word" not in body for _, body, _ in answers)


def test_metrics_tell_every_state_and_account(database: Database, clock: ManualClock) -> None:
    """A state that nothing is in is told as 0, so that an alert has a series to look at."""
    poll_account(database, seconds_ago=7)
    plant_firing(database)
    pulse = Pulse(clock)
    pulse.beat("relay")

    with served(database, pulse) as address:
        status, body, headers = ask(f"{address}/metrics")
    told = dict(re.findall(r"(?m)^(waybill_[^ ]+) (.+)$", body))

    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert told['waybill_firings{state="confirmed"}'] == "1.0"
    assert told['waybill_firings{state="sending"}'] == "0.0"
    assert told['waybill_orders{state="complete"}'] == "1.0"
    assert told["waybill_credits_confirmed_kg_total"] == "250.0"
    assert told['waybill_attempts_total{outcome="under_way"}'] == "1.0"
    assert told['waybill_last_answer_seconds{account="acme.logistic.cloud"}'] == "7.0"
    assert told['waybill_account_stopped{account="acme.logistic.cloud"}'] == "0.0"
    assert told['waybill_loop_age_seconds{loop="relay"}'] == "0.0"
    assert told["waybill_events_total"] == "0.0"


def plant_firing(database: Database) -> None:
    """A complete order with a confirmed firing and an attempt without an outcome."""
    with database.write() as connection:
        order = connection.execute(
            sa.insert(orders).values(order_row(OrderKey("acme.logistic.cloud", 7, "PO-1")))
        ).inserted_primary_key
        assert order is not None
        firing = connection.execute(
            sa.insert(firings).values(
                order_id=order[0],
                ordinal=0,
                state="confirmed",
                reason="",
                kg=250,
                credit_delivery_id="dlv_1",
                held_by_person=False,
                resend_allowed=False,
                repins=0,
                created_at=NOON,
                changed_at=NOON,
            )
        ).inserted_primary_key
        assert firing is not None
        connection.execute(
            sa.insert(attempts).values(
                firing_id=firing[0],
                number=1,
                owner="test",
                term=1,
                started_at=NOON,
                deadline=NOON,
                request=b"{}",
                request_sha256="",
                late=False,
            )
        )


@pytest.mark.parametrize("path", ["/", "/metrics"])
def test_what_is_not_health_needs_the_token(database: Database, clock: ManualClock, path: str) -> None:
    """With a token set, only who sends it sees more than health."""
    with served(database, Pulse(clock), TOKEN) as address:
        without, body, headers = ask(f"{address}{path}")
        wrong, _, _ = ask(f"{address}{path}", "another-token")
        right, _, _ = ask(f"{address}{path}", TOKEN)

    assert (without, wrong, right) == (401, 401, 200)
    assert headers["www-authenticate"] == "Bearer"
    assert TOKEN not in body


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_token(database: Database, clock: ManualClock, path: str) -> None:
    """A probe has no secrets."""
    with served(database, Pulse(clock), TOKEN) as address:
        assert ask(f"{address}{path}")[0] == 200


def test_the_index_points_to_what_there_is(database: Database, clock: ManualClock) -> None:
    """Whoever opens the address in a browser finds the paths."""
    with served(database, Pulse(clock)) as address:
        status, body, _ = ask(f"{address}/")

    assert status == 200
    assert json.loads(body)["metrics"] == "/metrics"


def test_a_taken_port_is_told_with_the_setting_to_change(database: Database, clock: ManualClock) -> None:
    """A second web part on a port ends with one sentence."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(NotReady, match=r"port \d+: .*change WAYBILL_WEB__HOST or WAYBILL_WEB__PORT"):
            serve(create(database=database, pulse=Pulse(clock), token=None), "127.0.0.1", port)


def test_a_server_can_be_stopped_twice(database: Database, clock: ManualClock) -> None:
    """Stopping is what several ways out of a process do."""
    server = serve(create(database=database, pulse=Pulse(clock), token=None), "127.0.0.1", 0)
    server.stop()
    server.stop()

    with pytest.raises(OSError, match="refused"):
        socket.create_connection((server.host, server.port), timeout=5)
