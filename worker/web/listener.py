"""The listener for barmate's webhooks: who calls is looked at before anything that was sent.

The only coroutines of waybill are here: a body has to be taken piece by piece, so that a huge one is refused while it
comes. What is kept is kept in a thread.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from worker.customers.hearing import Heard
from worker.errors import DatabaseUnavailable
from worker.web.bounds import CALL_SECONDS
from worker.web.credentials import Credentials
from worker.web.tally import Tally

PATH = "/barmate"
# As barmate may be registered (vendor's page api/events).
METHODS = frozenset({"POST", "PUT", "PATCH"})
# Bytes. A request with a thousand items takes a third of that.
LARGEST_BODY = 1_048_576
# Seconds for the database; then the caller is told to come again, before its connection is cut.
KEEPING_SECONDS = CALL_SECONDS - 2.0
# Calls that are kept at once: SQLite takes one after the other anyway, and the rest of the process needs its threads.
_AT_ONCE = 4
# Seconds after which a caller may come again.
_AGAIN_SECONDS = 30


class Turned(StrEnum):
    """What calls come to that never get as far as being heard."""

    STRANGER = "unauthorized"
    ELSEWHERE = "not_found"
    OTHER_METHOD = "method_not_allowed"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"


Outcome = Heard | Turned


@dataclass(frozen=True, slots=True)
class _Answer:
    """Status and sentence of an outcome, and whether it is worth a line in the log."""

    status: HTTPStatus
    sentence: str
    worth_a_line: bool = True


_ANSWERS: Mapping[Outcome, _Answer] = {
    Heard.TAKEN: _Answer(HTTPStatus.OK, "The order will be read.", worth_a_line=False),
    Heard.REPEATED: _Answer(HTTPStatus.OK, "This was taken before.", worth_a_line=False),
    # Anything but 200 would be sent again for ever, and there is nothing to be read.
    Heard.UNKNOWN_TYPE: _Answer(HTTPStatus.OK, "Calls of this type tell nothing here."),
    Heard.MALFORMED: _Answer(
        HTTPStatus.BAD_REQUEST, "The body must be a JSON object with type, idempotency_key and data.id."
    ),
    Heard.TOO_MANY: _Answer(HTTPStatus.TOO_MANY_REQUESTS, "Too many calls wait for their order to be read."),
    Turned.STRANGER: _Answer(HTTPStatus.UNAUTHORIZED, "This needs the credentials that barmate was given."),
    Turned.ELSEWHERE: _Answer(HTTPStatus.NOT_FOUND, f"Calls are heard at {PATH} only."),
    Turned.OTHER_METHOD: _Answer(HTTPStatus.METHOD_NOT_ALLOWED, "Calls are made with POST, PUT or PATCH."),
    Turned.TOO_LARGE: _Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {LARGEST_BODY} bytes."),
    Turned.UNAVAILABLE: _Answer(HTTPStatus.SERVICE_UNAVAILABLE, "The database cannot take it now; send it again."),
}
OUTCOMES: Mapping[str, bool] = {outcome.value: answer.worth_a_line for outcome, answer in _ANSWERS.items()}


class Listener:
    """The ASGI application. `take` keeps a body durably, or says why not (`Hearing.take`)."""

    def __init__(
        self,
        *,
        take: Callable[[bytes], Heard],
        credentials: Credentials,
        tally: Tally,
        keeping_seconds: float = KEEPING_SECONDS,
    ) -> None:
        self._take = take
        self._credentials = credentials
        self._tally = tally
        self._keeping_seconds = keeping_seconds
        self._threads = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="listener")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        try:
            outcome = await self._outcome(request)
        except ClientDisconnect:
            return
        self._tally.note(outcome.value)
        await self._response(outcome)(scope, receive, send)

    async def _outcome(self, request: Request) -> Outcome:
        if not self._credentials.hold(request.headers.raw):
            return Turned.STRANGER
        # Not of the URL: that is put together with the Host that the caller gave.
        if request.scope["path"] != PATH:
            return Turned.ELSEWHERE
        if request.method not in METHODS:
            return Turned.OTHER_METHOD
        body = await _body(request)
        return Turned.TOO_LARGE if body is None else await self._kept(body)

    async def _kept(self, body: bytes) -> Outcome:
        keeping = asyncio.get_running_loop().run_in_executor(self._threads, self._take, body)
        try:
            return await asyncio.wait_for(keeping, self._keeping_seconds)
        except (DatabaseUnavailable, TimeoutError):
            # What is kept in spite of that is the same hint when it is sent again.
            return Turned.UNAVAILABLE

    def _response(self, outcome: Outcome) -> PlainTextResponse:
        answer = _ANSWERS[outcome]
        headers = {"Cache-Control": "no-store"}
        if answer.status is HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = self._credentials.challenge
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(METHODS))
        if answer.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            headers["Retry-After"] = str(_AGAIN_SECONDS)
        return PlainTextResponse(answer.sentence, status_code=answer.status, headers=headers)


async def _body(request: Request) -> bytes | None:
    """The body; None as soon as it is known to be too large, before it is taken where its length is announced."""
    announced = request.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > LARGEST_BODY:
        return None
    taken = bytearray()
    async for piece in request.stream():
        taken += piece
        if len(taken) > LARGEST_BODY:
            return None
    return bytes(taken)
