"""A web server, in a thread of its own."""

import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from worker.errors import NotReady

if TYPE_CHECKING:
    import uvicorn

# Connections that wait to be accepted: probes and one scraper, and room.
_BACKLOG = 128
# Seconds that open requests get to end once the server stops: a scrape takes far less.
_GRACE_SECONDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is served: its name, the settings that say where, and how its connections behave, as uvicorn is told."""

    name: str
    settings: str
    protocol: str


BOARD = Part(name="web", settings="WAYBILL_WEB__HOST or WAYBILL_WEB__PORT", protocol="auto")
LISTENER = Part(
    name="listener",
    settings="WAYBILL_BARMATE__LISTEN_HOST or WAYBILL_BARMATE__LISTEN_PORT",
    protocol="worker.web.impatience:Impatient",
)


class Served:
    """A web server that runs; `address` is where it listens."""

    def __init__(self, server: "uvicorn.Server", listener: socket.socket, name: str) -> None:
        self._server = server
        self._listener = listener
        self.host, self.port = listener.getsockname()[:2]
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Where it listens, for a person."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def stop(self) -> None:
        """Let open requests end, then close; harmless when called again."""
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])


def serve(application: ASGIApp, host: str, port: int, part: Part = BOARD) -> Served:
    """Serve the application from a thread; port 0 lets the system choose one.

    It accepts connections when this returns. Raises NotReady where the address cannot be listened on.
    """
    # A tenth of the start of every command, of which hardly one serves anything.
    import uvicorn  # noqa: PLC0415

    listener = _listen(host, port, part.settings)
    config = uvicorn.Config(
        application,
        # The log is set up already, and requests are a probe's business.
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_GRACE_SECONDS,
        server_header=False,
        http=part.protocol,
        ws="none",
    )
    return Served(uvicorn.Server(config), listener, part.name)


def _listen(host: str, port: int, settings: str) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        why = error.strerror if error.strerror is not None else str(error)
        sentence = f"Cannot listen on {host}, port {port}: {why}; change {settings}."
        raise NotReady(sentence) from error
