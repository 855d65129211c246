"""Answers that no vendor documents, and that come all the same: errors, throttling, foreign pages, and none at all."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from typing import Final

from connectors.simulated.http_server import Ending, Reply, json_reply

_HTML: Final = b"<!doctype html><html><head><title>Not Found</title></head><body><h1>Not Found</h1></body></html>"
# Seconds that a 429 asks to wait, where it says so at all: as long as a turn of the documented limit.
RETRY_AFTER_SECONDS: Final = 1


def server_error() -> Reply:
    """Return a 500."""
    return json_reply(HTTPStatus.INTERNAL_SERVER_ERROR, {"message": "Internal server error"})


def throttled() -> Reply:
    """Return a 429."""
    return json_reply(HTTPStatus.TOO_MANY_REQUESTS, {"message": "Too many requests"})


def come_back(reply: Reply) -> Reply:
    """Return ``reply`` with a wish for when to ask again."""
    return replace(reply, headers=(*reply.headers, ("Retry-After", str(RETRY_AFTER_SECONDS))))


def no_answer(*, after_seconds: float = 0.0) -> Reply:
    """Return a reset connection."""
    return Reply(status=HTTPStatus.OK, ending=Ending.RESET, delay_seconds=after_seconds)


def page(status: int) -> Reply:
    """Return what a proxy or a wrong address answers."""
    return Reply(status=status, body=_HTML, headers=(("Content-Type", "text/html"),))


def halved(reply: Reply) -> Reply:
    """Return ``reply`` with the first half of its body, as if that were all."""
    return replace(reply, body=reply.body[: len(reply.body) // 2])
