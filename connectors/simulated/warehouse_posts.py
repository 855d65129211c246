"""The writing calls of the warehouse with all that can go wrong around them, and a ledger of what truly happened."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from connectors.simulated.http_server import Reply, Request
from connectors.simulated.posts import Posts
from connectors.simulated.switches import Panel, WarehouseSwitches
from connectors.simulated.warehouse_problem import problem

Perform = Callable[[Request], Reply]

_SUCCESS = range(200, 300)


@dataclass(slots=True)
class Call:
    """One writing call: what was asked, which fault met it, and how often it took effect."""

    method: str
    path: str
    key: str
    fault: str
    effects: int = 0
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class _Post:
    """One request on its way through the twin, and its line in the ledger."""

    request: Request
    call: Call


class WarehousePosts(Posts[_Post, WarehouseSwitches]):
    """Performs writing calls and keeps the ledger."""

    def __init__(self, panel: Panel[WarehouseSwitches], *, perform: Perform, chance: random.Random) -> None:
        """`perform` does a call for good; ``chance`` draws the faults."""
        super().__init__(panel, chance=chance)
        self._perform = perform
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    def answer(self, request: Request) -> Reply:
        """Answer one writing call."""
        fault = self._fault()
        call = Call(request.method, request.path, request.headers.get("x-api-key", ""), fault.value)
        with self._lock:
            self._calls.append(call)
        return self._met(fault, _Post(request, call))

    def truth(self) -> list[dict[str, Any]]:
        """Return every call in the order of arrival."""
        with self._lock:
            return [asdict(call) for call in self._calls]

    def server_error(self) -> Reply:
        """Return a 500 with problem details."""
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "An error occurred.")

    def _too_many(self) -> Reply:
        return problem(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests.")

    def _commit(self, post: _Post) -> Reply:
        reply = self._perform(post.request)
        with self._lock:
            if reply.status in _SUCCESS:
                post.call.effects += 1
            else:
                post.call.refusals += 1
        return reply
