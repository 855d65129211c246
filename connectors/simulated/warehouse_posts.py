"""The writing calls of the warehouse with all that can go wrong around them, and a ledger of what truly happened."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from typing import Any

from connectors.simulated.http_server import Ending, Reply, Request, json_reply
from connectors.simulated.switches import Panel, PostFault, WarehouseSwitches, take_scripted_write

Perform = Callable[[Request], Reply]

_SUCCESS = range(200, 300)
_HTML = b"<!doctype html><html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>"


@dataclass(slots=True)
class Call:
    """One writing call: what was asked, which fault met it, and how often it took effect."""

    method: str
    path: str
    key: str
    fault: str
    effects: int = 0
    refusals: int = 0


class WarehousePosts:
    """Performs writing calls, with their scripted faults, and keeps the ledger."""

    def __init__(self, panel: Panel[WarehouseSwitches], *, perform: Perform) -> None:
        """`perform` does a call for good."""
        self._panel = panel
        self._perform = perform
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._timers: list[threading.Timer] = []
        self._acts: dict[PostFault, Callable[[Request, Call], Reply]] = {
            PostFault.NONE: self._do,
            PostFault.REFUSE_BEFORE_COMMIT: lambda _request, _call: _server_error(),
            PostFault.DROP_BEFORE_COMMIT: lambda _request, _call: _no_answer(),
            PostFault.HANG_BEFORE_COMMIT: lambda _request, _call: self._hang(),
            PostFault.COMMIT_THEN_DROP: lambda request, call: self._then(request, call, _no_answer()),
            PostFault.COMMIT_THEN_500: lambda request, call: self._then(request, call, _server_error()),
            PostFault.COMMIT_THEN_HANG: lambda request, call: self._then(request, call, self._hang()),
            PostFault.COMMIT_LATE: self._later,
            PostFault.THROTTLE_BEFORE_COMMIT: lambda _request, _call: _throttled(),
            PostFault.THROTTLE_AFTER_COMMIT: lambda request, call: self._then(request, call, _throttled()),
            PostFault.BROKEN_JSON: self._broken,
            PostFault.GATEWAY_TWICE: self._twice,
            PostFault.FOREIGN_404: lambda _request, _call: _foreign_404(),
        }

    def answer(self, request: Request) -> Reply:
        """Answer one writing call, with its scripted fault, if there is one."""
        fault = take_scripted_write(self._panel)
        call = Call(request.method, request.path, request.headers.get("x-api-key", ""), fault.value)
        with self._lock:
            self._calls.append(call)
        return self._acts.get(fault, self._do)(request, call)

    def truth(self) -> list[dict[str, Any]]:
        """Return every call in the order of arrival."""
        with self._lock:
            return [asdict(call) for call in self._calls]

    @property
    def pending(self) -> bool:
        """Whether a late commit is still to come."""
        return any(timer.is_alive() for timer in self._timers)

    def stop(self) -> None:
        """Let no late commit happen any more."""
        for timer in self._timers:
            timer.cancel()

    def _do(self, request: Request, call: Call) -> Reply:
        reply = self._perform(request)
        with self._lock:
            if reply.status in _SUCCESS:
                call.effects += 1
            else:
                call.refusals += 1
        return reply

    def _then(self, request: Request, call: Call, reply: Reply) -> Reply:
        """Do it, then answer ``reply`` whatever came of it."""
        self._do(request, call)
        return reply

    def _hang(self) -> Reply:
        return replace(_no_answer(), delay_seconds=self._panel.now.write_hang_seconds)

    def _later(self, request: Request, call: Call) -> Reply:
        timer = threading.Timer(self._panel.now.write_late_seconds, self._do, (request, call))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()
        return _no_answer()

    def _broken(self, request: Request, call: Call) -> Reply:
        reply = self._do(request, call)
        return replace(reply, body=reply.body[: len(reply.body) // 2])

    def _twice(self, request: Request, call: Call) -> Reply:
        """Do what a gateway does that sends a request again: the client sees the second answer only."""
        self._do(request, call)
        return self._do(request, call)


def _server_error() -> Reply:
    content = {"title": "Internal Server Error", "status": 500, "detail": "An error occurred."}
    return json_reply(HTTPStatus.INTERNAL_SERVER_ERROR, content, media_type="application/problem+json")


def _throttled() -> Reply:
    content = {"title": "Too Many Requests", "status": 429}
    return json_reply(HTTPStatus.TOO_MANY_REQUESTS, content, media_type="application/problem+json")


def _no_answer() -> Reply:
    return Reply(status=HTTPStatus.OK, ending=Ending.RESET)


def _foreign_404() -> Reply:
    return Reply(status=HTTPStatus.NOT_FOUND, body=_HTML, headers=(("Content-Type", "text/html"),))
