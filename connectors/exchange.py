"""The exchange of one request for one answer: the only module that knows httpx.

Whatever httpx raises ends here as one of our errors, with the cause kept.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx

from connectors import tls
from connectors.answer import Headers
from connectors.errors import ConnectorError, Interrupted, Misconfigured, NotConnected, TooLarge, UnexpectedAnswer
from connectors.lines import Line, Lines
from connectors.policy import Timeouts
from connectors.redaction import Redactor
from connectors.wire import DeadlinePassedError, Wire

# What each exception of httpx means; subclasses not named follow their nearest base (a test checks completeness).
KINDS: Mapping[type[Exception], type[ConnectorError]] = MappingProxyType(
    {
        httpx.ConnectError: NotConnected,
        httpx.ConnectTimeout: NotConnected,
        httpx.PoolTimeout: NotConnected,
        httpx.ProxyError: NotConnected,
        httpx.ReadTimeout: Interrupted,
        httpx.WriteTimeout: Interrupted,
        httpx.ReadError: Interrupted,
        httpx.WriteError: Interrupted,
        httpx.CloseError: Interrupted,
        httpx.RemoteProtocolError: Interrupted,
        httpx.LocalProtocolError: Interrupted,
        httpx.StreamError: Interrupted,
        httpx.HTTPError: Interrupted,
        httpx.DecodingError: UnexpectedAnswer,
        httpx.TooManyRedirects: UnexpectedAnswer,
        httpx.HTTPStatusError: UnexpectedAnswer,
        httpx.CookieConflict: UnexpectedAnswer,
        httpx.UnsupportedProtocol: Misconfigured,
        httpx.InvalidURL: Misconfigured,
    }
)

# The roots of everything httpx raises.
FOREIGN = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, httpx.CookieConflict)

# Failures that happen while a connection is being made, never after it was used.
CONNECTING = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

_PHRASES: Mapping[type[ConnectorError], str] = MappingProxyType(
    {
        NotConnected: "no connection could be made",
        Interrupted: "the answer is missing or incomplete",
        UnexpectedAnswer: "the answer cannot be read",
        Misconfigured: "the request could not be formed",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request: who asks whom for what."""

    system: str
    operation: str
    method: str
    url: str = field(repr=False)
    params: Sequence[tuple[str, str]] = field(default=(), repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A complete answer as it came."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)


class Exchange:
    """Exchanges requests for answers, over pooled connections or over one made for a single write."""

    def __init__(
        self,
        *,
        system: str,
        timeouts: Timeouts,
        max_body_bytes: int,
        redactor: Redactor,
        clock: Callable[[], float],
    ) -> None:
        """Open no connection; proxies and certificate authorities come from the usual environment variables.

        Misconfigured when those name something that cannot be used.
        """
        self._timeouts = timeouts
        self._max_body_bytes = max_body_bytes
        self._redactor = redactor
        self._clock = clock
        with _environment_of(system):
            self._trust = httpx.create_ssl_context()
            self._pool = _client(self._trust, timeouts)
        self._lines = Lines(lambda: _client(self._trust, timeouts, keep_alive=1))

    def pooled(self, call: Call, *, seconds: float) -> Received:
        """Return the answer within about `seconds`; raise one of the kinds in `KINDS`."""
        deadline = self._clock() + seconds
        try:
            return self._perform(self._pool, call, deadline, {})
        except FOREIGN as error:
            raise self.translated(error, call) from error

    def once(self, call: Call, wire: Wire, *, before_connect: Callable[[], None]) -> Received:
        """Return the answer to a write sent at most once, on a connection of its own, within the wire's deadline.

        Raises NotConnected only when provably nothing was sent, Interrupted for anything later;
        what `before_connect` raises passes through untouched, and nothing was sent then.
        """
        limits = Timeouts(
            connect=min(self._timeouts.connect, wire.remaining),
            read=wire.remaining,
            write=wire.remaining,
            pool=wire.remaining,
        )
        with _client(self._trust, limits, keep_alive=0) as client:
            before_connect()
            try:
                with wire.watched():
                    return self._perform_whole(client, call, wire)
            except DeadlinePassedError as error:
                raise self._told(NotConnected, call, "the deadline passed before anything was sent") from error
            except FOREIGN as error:
                kind = NotConnected if isinstance(error, CONNECTING) and not wire.sent else Interrupted
                raise self._of(kind, call, error) from error

    def head(self, call: Call, *, seconds: float, most_bytes: int) -> Received:
        """The answer to a write, on a kept connection, cut off for good after `seconds`.

        The status decides once it is here: of the body at most about `most_bytes` are read, and one that breaks off,
        trickles or has no end is no error. Raises one of the kinds in `KINDS` where no complete head came.
        """
        with self._lines.taken() as line:
            deadline = self._clock() + seconds
            wire = Wire(method=call.method, deadline=deadline, clock=self._clock, connection=line.connection)
            try:
                with wire.watched():
                    received = self._perform_head(line, call, wire, most_bytes)
            except DeadlinePassedError as error:
                raise self._told(NotConnected, call, f"no connection was made within {seconds:g} s") from error
            except FOREIGN as error:
                raise self._head_missing(error, call, wire, seconds) from error
            line.connection = wire.connection
            line.spent = line.spent or wire.cut
        return received

    def translated(self, error: Exception, call: Call) -> ConnectorError:
        """Our error for one of httpx's."""
        kind = next(KINDS[base] for base in type(error).__mro__ if base in KINDS)
        return self._of(kind, call, error)

    def close(self) -> None:
        """Close the pooled and the kept connections."""
        self._pool.close()
        self._lines.close()

    def _perform_whole(self, client: httpx.Client, call: Call, wire: Wire) -> Received:
        if wire.remaining <= 0.0:
            raise DeadlinePassedError
        try:
            received = self._perform(client, call, self._clock() + wire.remaining, {"trace": wire.trace})
        except UnexpectedAnswer as error:
            # A body beyond all bounds: the write happened or not, its answer says nothing usable.
            raise self._told(Interrupted, call, error.detail) from error
        if wire.cut:
            # Our own cutting may look like the end of a body without a stated length.
            raise self._told(Interrupted, call, "the answer was not complete at the deadline")
        return received

    def _perform(self, client: httpx.Client, call: Call, deadline: float, extensions: dict[str, object]) -> Received:
        request = client.build_request(
            call.method,
            call.url,
            params=list(call.params) if call.params else None,
            headers=dict(call.headers),
            content=call.body,
            extensions=extensions,
        )
        response = client.send(request, stream=True, follow_redirects=False)
        try:
            body = self._body(response, call, deadline)
        finally:
            response.close()
        return Received(status=response.status_code, headers=Headers(response.headers.multi_items()), body=body)

    def _perform_head(self, line: Line, call: Call, wire: Wire, most_bytes: int) -> Received:
        left = wire.remaining
        request = line.client.build_request(
            call.method,
            call.url,
            headers=dict(call.headers),
            content=call.body,
            timeout=httpx.Timeout(left, connect=min(self._timeouts.connect, left)),
            extensions={"trace": wire.trace},
        )
        response = line.client.send(request, stream=True, follow_redirects=False)
        try:
            body, is_whole = _first_bytes(response, most_bytes)
        finally:
            response.close()
        line.spent = not is_whole
        return Received(status=response.status_code, headers=Headers(response.headers.multi_items()), body=body)

    def _head_missing(self, error: Exception, call: Call, wire: Wire, seconds: float) -> ConnectorError:
        if wire.sent and wire.remaining <= 0.0:
            return self._told(Interrupted, call, f"no answer came within {seconds:g} s")
        return self.translated(error, call)

    def _body(self, response: httpx.Response, call: Call, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            if len(body) + len(chunk) > self._max_body_bytes:
                limit = f"the answer (HTTP {response.status_code}) is larger than {self._max_body_bytes} bytes"
                raise TooLarge(call.system, call.operation, limit, status=response.status_code)
            body += chunk
            if self._clock() >= deadline:
                raise self._told(Interrupted, call, "the answer was not complete in the time allowed")
        return bytes(body)

    def _of(self, kind: type[ConnectorError], call: Call, error: Exception) -> ConnectorError:
        found = tls.told(error) if kind is NotConnected else None
        if found is None:
            return self._told(kind, call, self._phrase(kind, error))
        ours = self._told(kind, call, f"{_PHRASES[kind]}, since {found[0]}")
        ours.remedy = found[1]
        return ours

    def _phrase(self, kind: type[ConnectorError], error: Exception) -> str:
        told = str(error).strip()
        cause = f"{type(error).__name__}: {told}" if told else type(error).__name__
        return f"{_PHRASES[kind]} ({cause})"

    def _told(self, kind: type[ConnectorError], call: Call, detail: str) -> ConnectorError:
        return kind(call.system, call.operation, self._redactor.text(detail))


def _first_bytes(response: httpx.Response, most: int) -> tuple[bytes, bool]:
    """The beginning of a body as it was sent, and whether that is all of it."""
    body = bytearray()
    try:
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > most:
                return bytes(body), False
    except FOREIGN:
        return bytes(body), False
    return bytes(body), True


@contextmanager
def _environment_of(system: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        detail = "the certificate authorities named by SSL_CERT_FILE or SSL_CERT_DIR cannot be read"
        raise Misconfigured(system, "check the setup", detail) from error
    except (ImportError, ValueError, httpx.InvalidURL):
        # The cause would quote the proxy's address, which may carry a password.
        detail = "the proxy named by HTTP_PROXY, HTTPS_PROXY or ALL_PROXY must look like http://host:port"
        raise Misconfigured(system, "check the setup", detail) from None


def _client(trust: ssl.SSLContext, timeouts: Timeouts, *, keep_alive: int | None = 20) -> httpx.Client:
    limits = httpx.Limits(max_keepalive_connections=keep_alive)
    timeout = httpx.Timeout(connect=timeouts.connect, read=timeouts.read, write=timeouts.write, pool=timeouts.pool)
    # Retries of the transport would repeat a write behind our back, so there are none.
    return httpx.Client(verify=trust, timeout=timeout, limits=limits, trust_env=True, follow_redirects=False)
