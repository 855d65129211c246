"""The webhook receiver over HTTP, with its faults."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus

from connectors.simulated import replies
from connectors.simulated.chances import drawn, shares
from connectors.simulated.http_server import Ending, LocalServer, Reply, Request, json_reply
from connectors.simulated.receiver import Receiver, subject_of

HOOK_PATH = "/hook"
ELSEWHERE_PATH = "/elsewhere"
FAULTS = (
    "server_error",
    "throttled",
    "gone",
    "hang",
    "reset",
    "redirect",
    "unavailable",
    "late",
    "truncated",
    "endless",
)
# Bytes of a body that breaks off, and of each piece of one without end.
_PIECE = 4096
# Subjects are told apart by so many numbers.
_SHARES = 1000


class ReceiverServer(LocalServer):
    """Serves a :class:`Receiver` at ``/hook``."""

    def __init__(self, receiver: Receiver, *, chance: random.Random, port: int = 0) -> None:
        """Serve at ``port`` (0: any free one); ``chance`` draws the faults."""
        super().__init__(self.answer, port=port, base_path=HOOK_PATH)
        self.receiver = receiver
        self._chance = chance
        self._acts: dict[str, Callable[[Request], Reply]] = {
            "server_error": lambda request: self._maybe_taken(request, replies.server_error()),
            "throttled": lambda _request: self._come_back(HTTPStatus.TOO_MANY_REQUESTS),
            "unavailable": lambda _request: self._come_back(HTTPStatus.SERVICE_UNAVAILABLE),
            "late": lambda request: self._taken(request, delay_seconds=self.receiver.panel.now.hang_seconds),
            "truncated": lambda request: self._taken(request, ending=Ending.TRUNCATED),
            "endless": lambda request: self._taken(request, ending=Ending.ENDLESS),
            "gone": lambda _request: json_reply(HTTPStatus.GONE, {"message": "Gone"}),
            "hang": self._hang,
            "reset": lambda request: self._maybe_taken(request, replies.no_answer()),
            "redirect": lambda _request: self._redirect(),
        }

    def answer(self, request: Request) -> Reply:
        """Answer one message."""
        if request.path != HOOK_PATH:
            self.receiver.count(f"{request.method} {request.path}")
            return json_reply(HTTPStatus.NOT_FOUND, {"message": "Not found"})
        if request.method != "POST":
            return json_reply(HTTPStatus.METHOD_NOT_ALLOWED, {"message": "Method not allowed"})
        panel = self.receiver.panel
        fault = drawn(shares(panel.now, FAULTS), self._chance) if self.meets_faults(subject_of(request.body)) else None
        self.receiver.count("taken" if fault is None else fault)
        return self._take(request) if fault is None else self._acts[fault](request)

    def meets_faults(self, subject: str | None) -> bool:
        """Whether messages about this subject meet the faults that are switched on."""
        share = self.receiver.panel.now.subjects
        return zlib.crc32(("" if subject is None else subject).encode()) % _SHARES < share * _SHARES

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

    def _come_back(self, status: HTTPStatus) -> Reply:
        now, seconds = self.receiver.clock.now(), self.receiver.panel.now.retry_after_seconds
        until = format_datetime(now + timedelta(seconds=seconds), usegmt=True)
        wish = until if self.receiver.panel.now.retry_after_date else str(seconds)
        return Reply(status=status, headers=(("Retry-After", wish), ("Date", format_datetime(now, usegmt=True))))

    def _taken(self, request: Request, *, ending: Ending = Ending.WHOLE, delay_seconds: float = 0.0) -> Reply:
        self.receiver.take(request.headers, request.body)
        return Reply(status=HTTPStatus.OK, body=b"." * _PIECE, ending=ending, delay_seconds=delay_seconds)

    def _hang(self, request: Request) -> Reply:
        self.receiver.take(request.headers, request.body)
        return replies.no_answer(after_seconds=self.receiver.panel.now.hang_seconds)

    def _redirect(self) -> Reply:
        return Reply(status=HTTPStatus.TEMPORARY_REDIRECT, headers=(("Location", ELSEWHERE_PATH),))
