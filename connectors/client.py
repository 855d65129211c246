"""The client: the one seam through which every request to a remote system goes.

A read takes a turn of the budget, is retried with bounds, and ends as an `Answer` or as one of our errors.
A write is sent at most once. Secrets stay inside.
"""

import copy
import itertools
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from importlib import metadata
from random import Random
from types import MappingProxyType, TracebackType
from typing import Self

import orjson

from connectors.address import base_address, checked_headers
from connectors.answer import Answer
from connectors.errors import ConnectorError, Transient
from connectors.exchange import Call, Exchange, Received
from connectors.policy import Observation, RetryPolicy, Timeouts, TurnTaker, unobserved
from connectors.redaction import Redactor, secret_values
from connectors.verdict import THROTTLED, accepted, retry_after
from connectors.wire import Wire, steady_clock

# Bytes of one decoded answer: 250 deliveries of some hundred line items stay well below.
MAX_BODY_BYTES = 32 * 1024 * 1024

# Bytes read of the body of an answer whose status says everything: an acknowledgement has a few, and reading those to
# the end is what lets the connection be used again.
TOLD_BYTES = 64 * 1024

# For headers of single requests: nothing added.
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_JSON = MappingProxyType({"Content-Type": "application/json"})


class HttpClient:
    """A client of one system under one credential; safe to share between threads."""

    def __init__(
        self,
        *,
        system: str,
        base_url: str,
        headers: Mapping[str, str],
        turns: TurnTaker,
        random: Random,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = steady_clock,
        timeouts: Timeouts | None = None,
        retries: RetryPolicy | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        observe: Callable[[Observation], None] = unobserved,
        secrets: Iterable[str] = (),
    ) -> None:
        """Open no connection; raises Misconfigured for a base URL or header that cannot be used.

        `headers` go with every request; all but the well-known plain ones are secrets, as are the `secrets` named.
        """
        self.system = system
        self._base = base_address(system, base_url)
        self._headers = {"User-Agent": user_agent(), "Accept": "application/json", **checked_headers(system, headers)}
        self._turns = turns
        self._random = random
        self._sleep = sleep
        self._clock = clock
        self._timeouts = Timeouts() if timeouts is None else timeouts
        self._retries = RetryPolicy() if retries is None else retries
        self._observe = observe
        self.redactor = Redactor([*secrets, *secret_values(headers)])
        self._exchange = Exchange(
            system=system,
            timeouts=self._timeouts,
            max_body_bytes=max_body_bytes,
            redactor=self.redactor,
            clock=clock,
        )

    def get(
        self,
        path: str,
        params: Sequence[tuple[str, str]] = (),
        *,
        operation: str,
        allow: Collection[int] = (),
    ) -> Answer:
        """Return the answer to a read: a 2xx, or a status in `allow`; transient failures are retried within the policy.

        Raises the error of the last attempt.
        """
        call = self._call("GET", path, operation, params=params)
        began = self._clock()
        for attempt in itertools.count(1):  # pragma: no branch - ends by its answer or its error
            try:
                return accepted(self._pooled(call, self._timeouts.total), allow)
            except Transient as error:
                elapsed = self._clock() - began
                wait = self._retries.wait(error, attempt=attempt, elapsed=elapsed, random=self._random)
                if wait is None:
                    raise
            self._sleep(wait)
        raise AssertionError  # pragma: no cover

    def send(self, method: str, path: str, json_body: object, *, operation: str) -> Answer:
        """Return the 2xx answer to one write, never retried; `json_body` None sends no body. Raises the error tree."""
        body = None if json_body is None else orjson.dumps(json_body)
        headers = _NO_HEADERS if body is None else _JSON
        call = self._call(method, path, operation, body=body, headers=headers)
        return accepted(self._pooled(call, self._timeouts.total))

    def tell(
        self,
        path: str,
        body: bytes,
        *,
        operation: str,
        seconds: float,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Answer:
        """Any answer, whatever its status, to one POST that is never retried and ends after `seconds` in any case.

        For receivers whose status says everything: of the answer's body only the beginning is read, as it was sent.
        Raises when no status came in time.
        """
        call = self._call("POST", path, operation, body=body, headers=headers)
        return self._attempt(call, lambda: self._exchange.head(call, seconds=seconds, most_bytes=TOLD_BYTES))

    def post_once(
        self,
        path: str,
        body: bytes,
        *,
        deadline_seconds: float,
        operation: str,
        before_connect: Callable[[], None],
        headers: Mapping[str, str] = _JSON,
    ) -> Answer:
        """`send_once` as a POST of these bytes."""
        call = self._call("POST", path, operation, body=body, headers=headers)
        return self._once(call, deadline_seconds, before_connect)

    def send_once(
        self,
        method: str,
        path: str,
        body: bytes | None,
        *,
        deadline_seconds: float,
        operation: str,
        before_connect: Callable[[], None],
    ) -> Answer:
        """Any answer, whatever its status, to a write whose bytes (JSON, or none) leave at most once.

        They take a fresh connection, which is cut `deadline_seconds` from now (the wait for a turn included).
        `before_connect` runs last before connecting; what it raises passes through, and nothing was sent. Raises
        NotConnected only if provably nothing was sent, Interrupted for everything else.
        """
        call = self._call(method, path, operation, body=body, headers=_NO_HEADERS if body is None else _JSON)
        return self._once(call, deadline_seconds, before_connect)

    def _once(self, call: Call, deadline_seconds: float, before_connect: Callable[[], None]) -> Answer:
        wire = Wire(method=call.method, deadline=self._clock() + deadline_seconds, clock=self._clock)
        return self._attempt(call, lambda: self._exchange.once(call, wire, before_connect=before_connect))

    def with_turns(self, turns: TurnTaker, observe: Callable[[Observation], None]) -> "HttpClient":
        """Return the same client, over the same connections, for callers that take their turns elsewhere."""
        other = copy.copy(self)
        other._turns, other._observe = turns, observe  # noqa: SLF001 - of this very class
        return other

    def close(self) -> None:
        """Close all pooled connections."""
        self._exchange.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all pooled connections."""
        self.close()

    def __repr__(self) -> str:
        """Return the system only."""
        return f"HttpClient({self.redactor.text(self.system)!r})"

    def _call(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        params: Sequence[tuple[str, str]] = (),
        body: bytes | None = None,
        headers: Mapping[str, str] = _NO_HEADERS,
    ) -> Call:
        return Call(
            system=self.system,
            operation=operation,
            method=method,
            url=f"{self._base}{path}",
            params=params,
            headers={**self._headers, **headers},
            body=body,
        )

    def _pooled(self, call: Call, seconds: float) -> Answer:
        return self._attempt(call, lambda: self._exchange.pooled(call, seconds=seconds))

    def _attempt(self, call: Call, perform: Callable[[], Received]) -> Answer:
        turn = self._turns.take()
        began = self._clock()
        try:
            received = perform()
        except ConnectorError as error:
            self._seen(call, turn, began, error=error)
            raise
        answer = self._answer(call, received, turn)
        if answer.status == THROTTLED:
            self._turns.throttled(retry_after(answer))
        self._seen(call, turn, began, answer=answer)
        return answer

    def _answer(self, call: Call, received: Received, turn: int) -> Answer:
        return Answer(
            status=received.status,
            headers=received.headers,
            body=received.body,
            turn=turn,
            system=call.system,
            operation=call.operation,
            redactor=self.redactor,
        )

    def _seen(
        self, call: Call, turn: int, began: float, *, answer: Answer | None = None, error: ConnectorError | None = None
    ) -> None:
        self._observe(
            Observation(
                system=self.redactor.text(call.system),
                operation=self.redactor.text(call.operation),
                method=call.method,
                status=None if answer is None else answer.status,
                seconds=self._clock() - began,
                bytes=0 if answer is None else len(answer.body),
                turn=turn,
                error=None if error is None else type(error).__name__,
            )
        )


def user_agent() -> str:
    """Return what we call ourselves: the product and its version, `unknown` when it runs without being installed."""
    try:
        version = metadata.version("waybill")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return f"waybill/{version}"
