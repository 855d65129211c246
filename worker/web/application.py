"""The paths of the web part. Endpoints are plain functions: Starlette runs them in its threads."""

import hmac
from collections.abc import Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from worker.db import Database
from worker.errors import DatabaseUnavailable
from worker.runtime.pulse import Pulse
from worker.web.health import health, readiness
from worker.web.metrics import CONTENT_TYPE, exposition

_OK = 200
_UNAUTHORIZED = 401
_UNAVAILABLE = 503

_Endpoint = Callable[[Request], Response]


def create(
    *,
    database: Database,
    pulse: Pulse,
    token: str | None,
    accounts: Sequence[str] = (),
    calls: Callable[[], Mapping[str, int]] = dict,
) -> Starlette:
    """The web application. With a `token`, everything but the health paths asks for it (`Authorization: Bearer …`).

    `accounts`: those that are to be read, as far as this process knows.
    `calls`: how many calls of barmate's webhooks this process heard, by what became of them.
    """

    def healthz(_request: Request) -> Response:
        return _judged(*health(pulse))

    def readyz(_request: Request) -> Response:
        return _judged(*readiness(database, accounts))

    def metrics(_request: Request) -> Response:
        try:
            return Response(exposition(database, pulse, calls()), media_type=CONTENT_TYPE)
        except DatabaseUnavailable as error:
            return PlainTextResponse(error.sentence, status_code=_UNAVAILABLE)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", _guarded(metrics, token)),
            Route("/", _guarded(_index, token)),
        ]
    )


def _index(_request: Request) -> Response:
    return JSONResponse({"name": "waybill", "health": "/healthz", "readiness": "/readyz", "metrics": "/metrics"})


def _judged(good: bool, document: object) -> Response:  # noqa: FBT001 - the first half of a pair
    return JSONResponse(document, status_code=_OK if good else _UNAVAILABLE, headers={"Cache-Control": "no-store"})


def _guarded(endpoint: _Endpoint, token: str | None) -> _Endpoint:
    if token is None:
        return endpoint
    expected = f"Bearer {token}".encode()

    def guarded(request: Request) -> Response:
        # Compared in constant time: an answer must not tell how much of a guess was right.
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), expected):
            sentence = "This needs the header Authorization: Bearer with the token of WAYBILL_WEB__TOKEN."
            return PlainTextResponse(sentence, status_code=_UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
        return endpoint(request)

    return guarded
