"""A server on loopback that answers from a script, down to the bytes on the socket."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

# Seconds until a forgotten socket ends a test instead of hanging it.
PATIENCE = 10.0

# The first byte of a TLS handshake: this server speaks plain HTTP only.
TLS_HANDSHAKE = b"\x16"

# An action owns the socket of one request; whatever it does not close is closed after it.
Action = Callable[[socket.socket], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    params: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes


def reply(
    status: int = 200, body: object = None, *, headers: Mapping[str, str] | None = None, raw: bytes | None = None
) -> Action:
    """Answer with JSON, or with the raw body."""
    content = json.dumps(body).encode() if raw is None else raw
    fields = {"Content-Type": "application/json", "Content-Length": str(len(content)), "Connection": "close"}
    fields.update(headers if headers is not None else {})
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return sending(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + content)


def sending(data: bytes) -> Action:
    """Answer with exactly these bytes and close."""
    return lambda connection: connection.sendall(data)


def reset(connection: socket.socket) -> None:
    """Break the connection off without an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silence(connection: socket.socket) -> None:
    """Say nothing until the client goes."""
    with contextlib.suppress(OSError):
        connection.recv(1)


def trickling(head: bytes, pause: threading.Event) -> Action:
    """Send the head, then one byte now and then until the client goes."""

    def trickle(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(head)
            while not pause.wait(0.02):
                connection.sendall(b"a")

    return trickle


class LocalServer:
    """Answers each request with the script's action for it, and remembers what it saw."""

    def __init__(self, script: Callable[[Seen], Action]) -> None:
        """Listen on a free port of loopback."""
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._workers: list[threading.Thread] = []
        self.seen: list[Seen] = []
        self.connections = 0
        self._thread.start()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Stop listening and wait for what is going on."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in [self._thread, *self._workers]:
            thread.join(PATIENCE)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            worker = threading.Thread(target=self._answer, args=(connection,), daemon=True)
            self._workers.append(worker)
            worker.start()

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE)
        with connection, contextlib.suppress(OSError):
            request = _request(connection)
            if request is not None:
                self.seen.append(request)
                self._script(request)(connection)


@contextlib.contextmanager
def serving(*actions: Action) -> Iterator[LocalServer]:
    """Serve the actions in their order, the last one for ever."""
    script = iter(actions)
    last = actions[-1]
    server = LocalServer(lambda _: next(script, last))
    try:
        yield server
    finally:
        server.close()


def closed_port() -> int:
    """Return a port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _request(connection: socket.socket) -> Seen | None:
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = connection.recv(65536)
        if not chunk or chunk.startswith(TLS_HANDSHAKE):
            return None
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65536)
    method, target, _ = first.split(" ")
    split = urlsplit(target)
    return Seen(method=method, path=split.path, params=parse_qsl(split.query), headers=headers, body=body)
