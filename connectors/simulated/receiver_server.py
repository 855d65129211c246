"""The webhook receiver over HTTP, with its faults."""

from __future__ import annotations

import random
from collections.abc import Callable
from http import HTTPStatus

from connectors.simulated.http_server import Ending, LocalServer, Reply, Request, json_reply
from connectors.simulated.receiver import Receiver

HOOK_PATH = "/hook"
ELSEWHERE_PATH = "/elsewhere"
FAULTS = ("server_error", "throttled", "gone", "hang", "reset", "redirect")


class ReceiverServer(LocalServer):
    """Serves a :class:`Receiver` at ``/hook``."""

    def __init__(self, receiver: Receiver, *, chance: random.Random, port: int = 0) -> None:
        """Serve at ``port`` (0: any free one); ``chance`` draws the faults."""
        super().__init__(self.answer, port=port, base_path=HOOK_PATH)
        self.receiver = receiver
        self._chance = chance
        self._acts: dict[str, Callable[[Request], Reply]] = {
            "server_error": lambda request: self._maybe_taken(request, self._server_error()),
            "throttled": lambda _request: self._throttled(),
            "gone": lambda _request: json_reply(HTTPStatus.GONE, {"message": "Gone"}),
            "hang": self._hang,
            "reset": lambda request: self._maybe_taken(request, Reply(status=200, ending=Ending.RESET)),
            "redirect": lambda _request: self._redirect(),
        }

    def answer(self, request: Request) -> Reply:
        """Answer one message."""
        if request.path != HOOK_PATH:
            self.receiver.count(f"{request.method} {request.path}")
            return json_reply(HTTPStatus.NOT_FOUND, {"message": "Not found"})
        if request.method != "POST":
            return json_reply(HTTPStatus.METHOD_NOT_ALLOWED, {"message": "Method not allowed"})
        fault = self._fault()
        self.receiver.count("taken" if fault is None else fault)
        return self._take(request) if fault is None else self._acts[fault](request)

    def _fault(self) -> str | None:
        """Draw once, so that the probabilities add up."""
        draw = self._chance.random()
        for name in FAULTS:
            share: float = getattr(self.receiver.panel.now, name)
            if draw < share:
                return name
            draw -= share
        return None

    def _take(self, request: Request) -> Reply:
        receipt = self.receiver.take(request.headers, request.body)
        if not receipt.valid:
            return json_reply(HTTPStatus.UNAUTHORIZED, {"message": receipt.verdict})
        return Reply(status=HTTPStatus.NO_CONTENT)

    def _maybe_taken(self, request: Request, reply: Reply) -> Reply:
        """Answer ``reply``; half of the time the message was taken before."""
        if self._chance.choice((True, False)):
            self.receiver.take(request.headers, request.body)
        return reply

    def _server_error(self) -> Reply:
        return json_reply(HTTPStatus.INTERNAL_SERVER_ERROR, {"message": "Internal server error"})

    def _throttled(self) -> Reply:
        seconds = str(self.receiver.panel.now.retry_after_seconds)
        return Reply(status=HTTPStatus.TOO_MANY_REQUESTS, headers=(("Retry-After", seconds),))

    def _hang(self, request: Request) -> Reply:
        self.receiver.take(request.headers, request.body)
        return Reply(status=200, ending=Ending.RESET, delay_seconds=self.receiver.panel.now.hang_seconds)

    def _redirect(self) -> Reply:
        return Reply(status=HTTPStatus.TEMPORARY_REDIRECT, headers=(("Location", ELSEWHERE_PATH),))
