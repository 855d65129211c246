"""Messages whose answer's status says everything: on kept connections, each cut at its deadline."""

import itertools
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from connectors.answer import Answer
from connectors.client import TOLD_BYTES, HttpClient
from connectors.errors import Interrupted, NotConnected
from tests.client_kit import Kit
from tests.local_server import reply, serving, trickling
from tests.runtime_kit import eventually

# Seconds: long enough for loopback, short enough for a test.
SHORT = 0.3
OPENSSL = shutil.which("openssl")


class Handler(BaseHTTPRequestHandler):
    """Keeps its connections, and counts them."""

    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self) -> None:
        """A connection came."""
        super().setup()
        type(self).connections += 1

    def do_POST(self) -> None:
        """Take it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - signature of the base class
        """Say nothing."""


@contextmanager
def _keeping() -> Iterator[tuple[str, type[Handler]]]:
    handler = type("Counted", (Handler,), {"connections": 0})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


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


def tell(client: HttpClient, *, seconds: float = 5.0) -> Answer:
    """Post something."""
    return client.tell("", b"{}", operation="deliver", seconds=seconds)


def test_any_answer_is_returned_and_asked_for_once(kit: Kit) -> None:
    """A message is neither retried nor judged."""
    with serving(reply(503)) as server, kit.client(server.url) as client:
        answer = tell(client)

    assert (answer.status, len(server.seen)) == (503, 1)


def test_a_connection_is_kept_for_the_next_message(kit: Kit) -> None:
    """A handshake for every message would cost more than the message."""
    with _keeping() as (url, handler), kit.client(url) as client:
        statuses = [tell(client).status for _ in range(4)]

    assert statuses == [204] * 4
    assert handler.connections == 1


def test_messages_at_the_same_time_have_a_connection_each(kit: Kit, stop: threading.Event) -> None:
    """One that hangs does not hold up the next one."""
    with serving(trickling(b"", stop), reply(204, raw=b"")) as server, kit.client(server.url) as client:
        hanging = threading.Thread(target=_quietly, args=(client,), daemon=True)
        hanging.start()
        assert eventually(lambda: bool(server.seen))
        status = tell(client).status
        stop.set()
        hanging.join()

    assert status == 204


def _quietly(client: HttpClient) -> None:
    with suppress(Interrupted):
        tell(client, seconds=5.0)


def test_what_is_left_of_an_answer_is_no_part_of_the_next_one(kit: Kit) -> None:
    """A body that was not read to its end takes its connection along, and only its beginning is kept."""
    huge = reply(200, raw=b"HTTP/1.1 500 Oops\r\n\r\n" * 100_000, headers={"Connection": "keep-alive"})
    with serving(huge, reply(204, raw=b"")) as server, kit.client(server.url) as client:
        first, second = tell(client), tell(client)

    assert (first.status, second.status) == (200, 204)
    assert len(first.body) < 4 * TOLD_BYTES
    assert server.connections == 2


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 O", b"HTTP/1.1 200 OK\r\nA: b\r\nC: "])
def test_a_head_that_trickles_is_cut_off_at_the_deadline(kit: Kit, stop: threading.Event, head: bytes) -> None:
    """Each byte would begin the wait anew; and the next message finds a connection of its own."""
    with serving(trickling(head, stop), reply(204, raw=b"")) as server, kit.client(server.url) as client:
        with pytest.raises(Interrupted, match="no answer came within 0"):
            tell(client, seconds=SHORT)
        afterwards = tell(client).status

    assert afterwards == 204


def test_a_deadline_that_passes_while_connecting_sends_nothing(kit: Kit) -> None:
    """As after a name resolution that nothing can end: the message stays here."""
    # The begin of the attempt, the deadline, what remains for the watchdog and for connecting; then it is over.
    moments = itertools.chain([0.0] * 4, itertools.repeat(100.0))
    with serving(reply(204, raw=b"")) as server, kit.client(server.url, clock=lambda: next(moments)) as client:
        with pytest.raises(NotConnected, match="no connection was made within 5 s"):
            tell(client)
        sent = list(server.seen)

    assert sent == []


def test_a_status_that_came_counts_although_its_body_trickles(kit: Kit, stop: threading.Event) -> None:
    """The status says everything."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    with serving(trickling(head, stop)) as server, kit.client(server.url) as client:
        assert tell(client, seconds=SHORT).status == 200


@pytest.mark.skipif(OPENSSL is None, reason="the certificate is made with openssl")
def test_a_certificate_that_nobody_vouches_for_ends_the_connection(kit: Kit, tmp_path: Path) -> None:
    """Nothing of a message leaves before the other side has proved who it is."""
    with (
        _tls_with_its_own_certificate(tmp_path) as url,
        kit.client(url) as client,
        pytest.raises(NotConnected, match=r"certificate is not trusted: self-signed certificate\. Check the address"),
    ):
        tell(client)


@contextmanager
def _tls_with_its_own_certificate(folder: Path) -> Iterator[str]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    made = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -keyout {key} -out {certificate}"
    subprocess.run([str(OPENSSL), *made.split()], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_shake_hands, args=(listener, context), daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def _shake_hands(listener: socket.socket, context: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    with connection, suppress(OSError):
        context.wrap_socket(connection, server_side=True)
