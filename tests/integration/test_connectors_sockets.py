"""What sockets do to a client: refused, silent, reset, cut and slow."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from connectors.client import HttpClient
from connectors.errors import Interrupted, NotConnected, Throttled
from connectors.exchange import Call, Exchange
from connectors.policy import RetryPolicy, Timeouts
from connectors.redaction import Redactor
from connectors.wire import Wire, steady_clock
from tests.client_kit import SECRET, Kit
from tests.local_server import Action, closed_port, reply, reset, sending, serving, silence, trickling

ONE_ATTEMPT = RetryPolicy(attempts=1)

# Seconds: long enough for loopback, short enough for a test.
SHORT = 0.3

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
OPEN_ENDED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


class AbortedError(Exception):
    """The caller changed its mind."""


def nothing() -> None:
    """Let the write go on."""


def abort() -> None:
    """Call the write off."""
    raise AbortedError


@pytest.fixture
def kit() -> Kit:
    """Return a fresh kit."""
    return Kit()


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Yield what ends a trickle, set at the end."""
    event = threading.Event()
    yield event
    event.set()


def post_once(client: HttpClient, *, seconds: float = 5.0, before: Callable[[], None] = nothing) -> int:
    """Send the write and return the status."""
    answer = client.post_once(
        "/deliveries", b'{"a":1}', deadline_seconds=seconds, operation="create", before_connect=before
    )
    return answer.status


def test_a_refused_connection_was_never_made(kit: Kit) -> None:
    """Nobody listens: nothing was sent, and a read may be tried again."""
    with kit.client(f"http://127.0.0.1:{closed_port()}") as client, pytest.raises(NotConnected) as caught:
        client.get("/things", operation="read things")

    assert kit.turns.taken == RetryPolicy().attempts
    assert kit.observed[-1].error == "NotConnected"
    assert caught.value.status is None


def test_an_unknown_host_was_never_reached(kit: Kit) -> None:
    """A name that does not resolve made no connection."""
    with kit.client("http://nowhere.invalid", retries=ONE_ATTEMPT) as client, pytest.raises(NotConnected):
        client.get("/things", operation="read things")


def test_a_failed_handshake_made_no_connection(kit: Kit) -> None:
    """TLS that fails sent nothing of the request, and what the library says of it is put into words."""
    with (
        serving(sending(b"this is not TLS")) as server,
        kit.client(server.url.replace("http://", "https://")) as client,
        pytest.raises(NotConnected, match=r"since (the server does not speak TLS at this address|TLS failed: )"),
    ):
        post_once(client)

    assert server.seen == []


@pytest.mark.parametrize(
    "action",
    [reset, silence, sending(b""), sending(HEAD + b"[1"), sending(b"garbage\r\n\r\n")],
    ids=["reset", "silence", "closed", "truncated", "garbage"],
)
def test_an_answer_that_does_not_come_whole_is_an_interruption(kit: Kit, action: Action) -> None:
    """Reset, silence, a closed or cut answer: the request may have arrived."""
    timeouts = Timeouts(read=SHORT)
    with (
        serving(action) as server,
        kit.client(server.url, timeouts=timeouts, retries=ONE_ATTEMPT) as client,
        pytest.raises(Interrupted),
    ):
        client.get("/things", operation="read things")


def test_a_read_survives_an_interruption(kit: Kit) -> None:
    """A read whose answer was lost is asked again."""
    with serving(reset, reply(200, [])) as server, kit.client(server.url) as client:
        assert client.get("/things", operation="read things").json() == []


def test_a_trickling_read_ends_at_its_total_time(kit: Kit, stop: threading.Event) -> None:
    """A byte now and then does not keep a read alive for ever."""
    with (
        serving(trickling(HEAD, stop)) as server,
        kit.client(server.url, timeouts=Timeouts(total=SHORT), retries=ONE_ATTEMPT) as client,
        pytest.raises(Interrupted, match="in the time allowed"),
    ):
        client.get("/things", operation="read things")


@pytest.mark.parametrize("status", [200, 302, 401, 404, 422, 429, 500, 503])
def test_a_write_once_returns_any_answer(kit: Kit, status: int) -> None:
    """What an answer means for a write is the caller's to decide."""
    with serving(reply(status, {})) as server, kit.client(server.url) as client:
        assert post_once(client) == status

    assert [(seen.method, seen.body) for seen in server.seen] == [("POST", b'{"a":1}')]
    assert server.seen[0].headers["content-type"] == "application/json"
    assert server.seen[0].headers["x-api-key"] == SECRET


def test_a_throttled_write_once_is_told_to_the_budget(kit: Kit) -> None:
    """429 slows the budget down whoever asked."""
    with serving(reply(429, headers={"Retry-After": "4"})) as server, kit.client(server.url) as client:
        post_once(client)

    assert kit.turns.throttlings == [4.0]


def test_a_write_once_uses_a_connection_of_its_own(kit: Kit) -> None:
    """A pooled connection could be dead already, so a write never rides on one."""
    with serving(reply(200, {})) as server, kit.client(server.url) as client:
        client.get("/things", operation="read things")
        post_once(client)
        post_once(client)

    assert server.connections == 3


def test_a_write_once_that_was_refused_was_never_sent(kit: Kit) -> None:
    """Only a connection that was not made proves that nothing was sent."""
    with kit.client(f"http://127.0.0.1:{closed_port()}") as client, pytest.raises(NotConnected):
        post_once(client)

    assert kit.turns.taken == 1


@pytest.mark.parametrize(
    "action",
    [reset, silence, sending(b""), sending(HEAD + b"{}"), sending(b"garbage\r\n\r\n"), reply(200, raw=b"x" * 5000)],
    ids=["reset", "silence", "closed", "truncated", "garbage", "too large"],
)
def test_a_write_once_without_a_whole_answer_is_an_interruption(kit: Kit, action: Action) -> None:
    """Whatever happens after connecting leaves open whether the write took effect; it is sent no second time."""
    with (
        serving(action) as server,
        kit.client(server.url, max_body_bytes=1000) as client,
        pytest.raises(Interrupted),
    ):
        post_once(client, seconds=SHORT)

    assert len(server.seen) == 1


def test_an_answer_that_cannot_be_decoded_is_an_interruption_of_a_write(kit: Kit) -> None:
    """A broken encoding says nothing about the write."""
    broken = reply(200, raw=b"not gzip", headers={"Content-Encoding": "gzip"})
    with serving(broken) as server, kit.client(server.url) as client, pytest.raises(Interrupted):
        post_once(client)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nX-Slow: ", HEAD, OPEN_ENDED], ids=["headers", "body", "open end"]
)
def test_a_trickling_answer_ends_at_the_deadline(kit: Kit, stop: threading.Event, head: bytes) -> None:
    """The deadline holds for the whole exchange, though each byte comes in time; a cut body is never an answer."""
    began = time.monotonic()
    with serving(trickling(head, stop)) as server, kit.client(server.url) as client, pytest.raises(Interrupted):
        post_once(client, seconds=SHORT)

    assert time.monotonic() - began < 3.0


def test_a_called_off_write_is_not_sent(kit: Kit) -> None:
    """What before_connect raises passes through untouched, and nobody was connected to."""
    with serving(reply(200, {})) as server, kit.client(server.url) as client, pytest.raises(AbortedError):
        post_once(client, before=abort)

    assert server.connections == 0


def test_a_write_after_its_deadline_is_not_sent(kit: Kit) -> None:
    """A deadline that passed while waiting for a turn proves that nothing was sent."""
    with (
        serving(reply(200, {})) as server,
        kit.client(server.url) as client,
        pytest.raises(NotConnected, match="before anything was sent"),
    ):
        post_once(client, seconds=0.0)

    assert server.seen == []


@dataclass
class JumpingClock:
    """Stands still, and shows a time beyond every deadline after the given number of looks."""

    looks: int

    def __call__(self) -> float:
        """Return the seconds it shows."""
        self.looks -= 1
        return 0.0 if self.looks >= 0 else 1000.0


@pytest.mark.parametrize("looks", range(1, 12))
def test_wherever_the_deadline_passes_a_proof_of_not_sending_is_true(kit: Kit, looks: int) -> None:
    """The clock may jump at any look at it: what is told to be never sent was never seen by the server."""
    proved = False
    with serving(reply(200, {})) as server, kit.client(server.url, clock=JumpingClock(looks)) as client:
        try:
            post_once(client, seconds=50.0)
        except NotConnected:
            proved = True
        except Interrupted:
            proved = False

    assert proved == (not server.seen)


def test_the_wire_learns_from_the_transport_that_bytes_leave() -> None:
    """The transport tells when it begins to send: without that, no deadline would be checked after connecting."""
    wire = Wire(method="POST", deadline=steady_clock() + 5.0, clock=steady_clock)
    with serving(reply(200, {})) as server:
        call = Call(system="test system", operation="create", method="POST", url=server.url, body=b"{}")
        exchange = Exchange(
            system="test system", timeouts=Timeouts(), max_body_bytes=100, redactor=Redactor(), clock=steady_clock
        )
        with closing(exchange):
            exchange.once(call, wire, before_connect=nothing)

    assert wire.sent
    assert not wire.cut


def test_a_connection_that_took_too_long_carries_nothing() -> None:
    """The transport is stopped just before the first byte when the deadline passed while it connected."""
    wire = Wire(method="POST", deadline=steady_clock() + 5.0, clock=steady_clock)
    with serving(reply(200, {})) as server:
        call = Call(system="test system", operation="create", method="POST", url=server.url, body=b"{}")
        exchange = Exchange(
            system="test system", timeouts=Timeouts(), max_body_bytes=100, redactor=Redactor(), clock=steady_clock
        )
        # The watchdog has done its work already, as after a name resolution that nothing can end.
        wire.cut = True
        with closing(exchange), pytest.raises(NotConnected, match="before anything was sent"):
            exchange.once(call, wire, before_connect=nothing)

    assert (wire.sent, server.seen) == (False, [])


def test_a_proxy_that_refuses_the_tunnel_made_no_connection(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy's CONNECT is not our request: its refusal proves that nothing of ours was sent."""
    with serving(reply(502, raw=b"")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with kit.client("https://registry.invalid") as client, pytest.raises(NotConnected, match="ProxyError"):
            post_once(client)

    assert [seen.method for seen in proxy.seen] == ["CONNECT"]
    assert SECRET not in str(proxy.seen)


def test_a_request_through_a_proxy_is_answered(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual environment variables name the proxy."""
    with serving(reply(200, {"through": "proxy"})) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with kit.client("http://registry.invalid") as client:
            assert client.get("/supplier", operation="read").json() == {"through": "proxy"}


def test_a_proxys_password_stays_out_of_errors(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unreachable proxy is told without its credentials."""
    monkeypatch.setenv("HTTP_PROXY", f"http://user:hush-hush@127.0.0.1:{closed_port()}")
    with kit.client("http://host.invalid", retries=ONE_ATTEMPT) as client, pytest.raises(NotConnected) as caught:
        client.get("/", operation="read")

    assert "hush-hush" not in caught.value.sentence


def test_a_read_that_stays_throttled_ends_so(kit: Kit) -> None:
    """A series of 429 ends in Throttled, each one told to the budget."""
    with serving(reply(429)) as server, kit.client(server.url) as client, pytest.raises(Throttled):
        client.get("/things", operation="read things")

    assert kit.turns.throttlings == [None, None, None]
