"""barmate's webhooks out: hints about requests and cancellations, sent again until somebody answers 200 or 201.

Source of the facts: vendor's pages ``api/events``, ``api/event-request-delivery`` and ``api/event-cancel-delivery``.
There is no signature: the receiver knows a header of its own choice, or basic credentials.
"""

from __future__ import annotations

import base64
import http.client
import random
import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import orjson

from connectors.simulated import barmate_views as views
from connectors.simulated.barmate import Barmate
from connectors.simulated.barmate_words import JsonObject

METHODS: Final = ("POST", "PUT", "PATCH")
_TAKEN: Final = frozenset({HTTPStatus.OK, HTTPStatus.CREATED})
# Seconds between two looks while nothing is due; a new event wakes the sender at once.
_LONGEST_WAIT: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom to tell: what the vendor registers by hand."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    username: str | None = None
    password: str | None = None

    def credentials(self) -> dict[str, str]:
        """Return the headers of every call."""
        if self.username is None:
            return dict(self.headers)
        basic = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return {**self.headers, "Authorization": f"Basic {basic}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call; ``status`` is None where no answer came."""

    idempotency_key: str
    type: str
    delivery_id: str
    status: int | None


@dataclass(order=True, frozen=True, slots=True)
class _Waiting:
    """An event to be sent when the clock shows ``due``; equal ones in the order of ``turn``."""

    due: float
    turn: int
    key: str = field(compare=False)
    type: str = field(compare=False)
    data: JsonObject = field(compare=False)


def target_of(given: Mapping[str, Any]) -> Target:
    """Return the target in the vendor's words; ValueError for one the vendor would not register."""
    basic = given.get("authorization")
    if basic is not None and basic.get("type") != "basic":
        sentence = "authorization.type must be basic"
        raise ValueError(sentence)
    if given.get("method", "POST") not in METHODS:
        sentence = f"method must be one of {', '.join(METHODS)}"
        raise ValueError(sentence)
    return Target(
        url=str(given["url"]),
        method=str(given.get("method", "POST")),
        headers=dict(given.get("headers", {})),
        username=None if basic is None else str(basic["username"]),
        password=None if basic is None else str(basic["password"]),
    )


class Hooks:
    """Sends every event of ``barmate`` to the registered target, one call at a time, in its own thread."""

    def __init__(self, barmate: Barmate, *, chance: random.Random) -> None:
        """Listen from now on; what happens while nobody is registered is told to nobody."""
        self._barmate = barmate
        self._chance = chance
        self._target: Target | None = None
        self._waiting: list[_Waiting] = []
        self._attempts: list[Attempt] = []
        self._lost: list[str] = []
        self._turn = 0
        self._stopped = False
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        barmate.listen(self._hear)

    def register(self, target: Target | None) -> None:
        """Tell ``target`` from now on, or nobody."""
        with self._condition:
            self._target = target
            self._condition.notify_all()

    def start(self) -> None:
        """Begin to send."""
        with self._condition:
            self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop sending; what waits goes on waiting."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join()

    def as_json(self) -> JsonObject:
        """Return every call, what was lost, and how many events still wait."""
        with self._condition:
            return {
                "attempts": [asdict(attempt) for attempt in self._attempts],
                "lost": list(self._lost),
                "waiting": len(self._waiting),
            }

    def _hear(self, type_: str, record: JsonObject) -> None:
        with self._condition:
            key = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
            if self._target is None or self._chance.random() < self._barmate.panel.now.hook_lost:
                self._lost.append(key)
                return
            data = views.whole(record, self._barmate.panel.now)
            self._wait(_Waiting(due=self._now(), turn=self._next_turn(), key=key, type=type_, data=data))

    def _run(self) -> None:
        while True:
            with self._condition:
                if self._stopped:
                    return
                due = self._take_due()
                target = self._target
                if due is None or target is None:
                    self._condition.wait(_LONGEST_WAIT)
                    continue
            self._send(due, target)

    def _take_due(self) -> _Waiting | None:
        now = self._now()
        due = [waiting for waiting in self._waiting if waiting.due <= now]
        if self._target is None or not due:
            return None
        chosen = self._chance.choice(due) if self._barmate.panel.now.hooks_shuffled else min(due)
        self._waiting.remove(chosen)
        return chosen

    def _send(self, waiting: _Waiting, target: Target) -> None:
        switches = self._barmate.panel.now
        status = call(target, waiting.key, waiting.type, waiting.data, seconds=switches.hook_timeout_seconds)
        attempt = Attempt(
            idempotency_key=waiting.key, type=waiting.type, delivery_id=str(waiting.data["id"]), status=status
        )
        with self._condition:
            self._attempts.append(attempt)
            if status not in _TAKEN or self._chance.random() < switches.hook_repeated:
                again = replace(waiting, due=self._now() + switches.hook_retry_seconds, turn=self._next_turn())
                self._wait(again)

    def _wait(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._condition.notify_all()

    def _next_turn(self) -> int:
        self._turn += 1
        return self._turn

    def _now(self) -> float:
        return self._barmate.clock.now().timestamp()


def call(target: Target, key: str, type_: str, data: JsonObject, *, seconds: float) -> int | None:
    """Send one event and return the status of the answer, or None where none came in time."""
    body = orjson.dumps({"type": type_, "idempotency_key": key, "data": data})
    address = urlsplit(target.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=seconds)
    headers = {"Content-Type": "application/json", **target.credentials()}
    try:
        connection.request(target.method, _path(address), body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _path(address: SplitResult) -> str:
    # A target without a path is asked at the root, as HTTP wants it.
    return address._replace(scheme="", netloc="", fragment="", path=f"/{address.path.lstrip('/')}").geturl()
