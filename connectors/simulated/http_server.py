"""The plumbing of every twin: HTTP/1.1 on loopback, with full control over how an answer ends.

A twin is a function from :class:`Request` to :class:`Reply`. A reply says not only what is answered but also how:
late, cut in the middle, or not at all.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import orjson

LOOPBACK = "127.0.0.1"
# Seconds: SO_LINGER on with no time, so that closing sends a reset instead of a farewell.
LINGER_RESET = struct.pack("ii", 1, 0)
# Connections: rehearsals open several at once, and a full queue would look like a fault nobody asked for.
LISTEN_BACKLOG = 128


class Ending(StrEnum):
    """How an answer ends."""

    WHOLE = "whole"
    RESET = "reset"
    TRUNCATED = "truncated"
    # The body again and again, until the client goes or the server stops.
    ENDLESS = "endless"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a client sent; header names are lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a client gets: after ``delay_seconds``, ``status`` with ``body``, ended as ``ending`` says."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    ending: Ending = Ending.WHOLE
    delay_seconds: float = 0.0


Answerer = Callable[[Request], Reply]


def json_reply(status: int, content: object, *, media_type: str = "application/json") -> Reply:
    """Return ``content`` as a JSON reply."""
    return Reply(status=status, body=orjson.dumps(content), headers=(("Content-Type", media_type),))


@dataclass(slots=True)
class _Connections:
    """The open sockets of a server, so that stopping ends them."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    open: set[socket.socket] = field(default_factory=set)

    def add(self, connection: socket.socket) -> None:
        with self.lock:
            self.open.add(connection)

    def discard(self, connection: socket.socket) -> None:
        with self.lock:
            self.open.discard(connection)

    def end_all(self) -> None:
        with self.lock:
            for connection in self.open:
                _shut(connection)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The peer was faster; there is nothing left to shut.
        return


class _Handler(BaseHTTPRequestHandler):
    """Reads one request after the other from a connection and writes the replies."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def answer(self) -> None:
        """Answer the request that was just parsed."""
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(length) if length else b""
        if len(body) < length:
            # The sender died in the middle of its sentence: that was no request.
            self.close_connection = True
            return
        reply = self.server.answerer(self._request(body))
        if reply.delay_seconds > 0 and self.server.stopping.wait(reply.delay_seconds):
            self.close_connection = True
            return
        self._finish(reply)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer  # noqa: N815 - names fixed by the base class

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - signature of the base class
        """Say nothing: the twins keep ledgers instead of logs."""

    def _request(self, body: bytes) -> Request:
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            path=parts.path,
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )

    def _finish(self, reply: Reply) -> None:
        if reply.ending is Ending.RESET:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            return
        if reply.ending is Ending.ENDLESS:
            self._go_on_for_ever(reply)
            return
        head = self._head(reply)
        body = b"" if self.command == "HEAD" else reply.body
        if reply.ending is Ending.TRUNCATED:
            self.close_connection = True
            body = body[: len(body) // 2]
        self.wfile.write(head + body)

    def _go_on_for_ever(self, reply: Reply) -> None:
        self.close_connection = True
        head, _, _ = self._head(reply).partition(b"Content-Length:")
        self.wfile.write(head + b"Connection: close\r\n\r\n")
        while not self.server.stopping.is_set():
            self.wfile.write(reply.body)

    def _head(self, reply: Reply) -> bytes:
        try:
            phrase = HTTPStatus(reply.status).phrase
        except ValueError:
            phrase = "Unknown"
        lines = [f"HTTP/1.1 {reply.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        if reply.status != HTTPStatus.NO_CONTENT:
            lines.append(f"Content-Length: {len(reply.body)}")
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class _Listener(ThreadingHTTPServer):
    """A listening socket that knows its answerer and its connections."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = LISTEN_BACKLOG

    def __init__(self, address: tuple[str, int], answerer: Answerer) -> None:
        super().__init__(address, _Handler)
        self.answerer = answerer
        self.stopping = threading.Event()
        self.connections = _Connections()

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - signature of the base class
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - signature of the base class
        self.connections.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(LINGER_RESET)) == LINGER_RESET:
            request.close()
            return
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - signature of the base class
        # A client that went away is daily business here; anything else is a fault of the twin itself.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class LocalServer:
    """A twin's server on loopback; a context manager that starts and stops it."""

    def __init__(self, answerer: Answerer, *, port: int = 0, base_path: str = "") -> None:
        """Serve ``answerer`` at ``port`` (0: any free one); ``base_path`` is appended to the address given out."""
        self._answerer = answerer
        self._port = port
        self._base_path = base_path
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Begin to listen and return the base URL, without a trailing slash."""
        self._listener = _Listener((LOOPBACK, self._port), self._answerer)
        # Remembered so that a server started again after an outage is found at the same address.
        self._port = int(self._listener.server_address[1])
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self.url

    @property
    def url(self) -> str:
        """The base URL; meaningful once started."""
        return f"http://{LOOPBACK}:{self._port}{self._base_path}"

    def stop(self) -> None:
        """Stop listening and end every connection; stopping twice is harmless."""
        if self._listener is None or self._thread is None:
            return
        self._listener.stopping.set()
        self._listener.shutdown()
        self._listener.server_close()
        self._listener.connections.end_all()
        self._thread.join()
        self._listener = self._thread = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop."""
        self.stop()
