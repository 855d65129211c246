"""barmate Connect over HTTP: the token, reads with their faults, and the one write."""

from __future__ import annotations

import hmac
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from connectors.simulated import barmate_pages as pages
from connectors.simulated import barmate_views as views
from connectors.simulated import replies
from connectors.simulated.barmate import Barmate, UnknownDeliveryError
from connectors.simulated.barmate_hooks import Hooks
from connectors.simulated.barmate_ledger import BarmateLedger
from connectors.simulated.barmate_posts import BarmatePosts, not_found
from connectors.simulated.barmate_rules import RefusedError
from connectors.simulated.barmate_words import API_PATH
from connectors.simulated.chances import drawn, shares
from connectors.simulated.http_server import Ending, LocalServer, Reply, Request, json_reply
from connectors.simulated.rate import SlidingLimit

READ_FAULTS: Final = ("server_error", "reset", "truncated", "broken", "page", "foreign_404", "throttled", "slow")
# What `GET /account/settings/deliveries` answers: the page on it breaks off, so this much is made up.
_SETTINGS: Final = {"delivery_days": [1, 2, 3, 4, 5], "cutoff_time": "16:00"}


class BarmateServer(LocalServer):
    """Serves a :class:`Barmate` to whoever sends ``Authorization: token <token>`` (or another scheme)."""

    def __init__(
        self, barmate: Barmate, *, token: str, chance: random.Random, scheme: str = "token", port: int = 0
    ) -> None:
        """Serve at ``port`` (0: any free one); ``chance`` draws the faults."""
        super().__init__(self.answer, port=port, base_path=API_PATH)
        self.barmate = barmate
        self.credential = f"{scheme} {token}"
        self.limit = SlidingLimit()
        self.ledger = BarmateLedger()
        self.posts = BarmatePosts(barmate, ledger=self.ledger, chance=chance)
        self.hooks = Hooks(barmate, chance=chance)
        self._chance = chance
        self._faults: dict[str, Callable[[Request], Reply]] = {
            "server_error": lambda _request: replies.server_error(),
            "reset": lambda _request: replies.no_answer(),
            "truncated": lambda request: replace(self._read(request), ending=Ending.TRUNCATED),
            "broken": lambda request: replies.halved(self._read(request)),
            "page": lambda _request: replies.page(HTTPStatus.OK),
            "foreign_404": lambda _request: replies.page(HTTPStatus.NOT_FOUND),
            "throttled": lambda _request: self.posts.throttled(),
            "slow": lambda request: replace(self._read(request), delay_seconds=barmate.panel.now.slow_seconds),
        }

    def start(self) -> str:
        """Begin to listen, and to send webhooks to whoever is registered."""
        self.hooks.start()
        return super().start()

    def stop(self) -> None:
        """Stop listening and sending; a late commit that has not happened yet never does."""
        self.posts.stop()
        self.hooks.stop()
        super().stop()

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        reply = self._reply(request)
        date = format_datetime(self.barmate.clock.now(), usegmt=True)
        return replace(reply, headers=(*reply.headers, ("Date", date)))

    def truth(self) -> dict[str, Any]:
        """Return the deliveries as they stand, the e-mails, every POST, and every webhook."""
        return {
            **self.barmate.truth(),
            **self.ledger.as_json(),
            "hooks": self.hooks.as_json(),
            "throttled": self.limit.refused,
        }

    def _reply(self, request: Request) -> Reply:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), self.credential.encode()):
            return json_reply(HTTPStatus.UNAUTHORIZED, {"message": "Unauthorized"})
        now = self.barmate.clock.now().timestamp()
        if self.limit.admit("token", now, self.barmate.panel.now.requests_per_second) > 0:
            return self.posts.throttled()
        match request.method, _parts(request):
            case "POST", ["deliveries", key, "responses"]:
                return self.posts.answer(request, key)
            case "GET", _:
                fault = drawn(shares(self.barmate.panel.now, READ_FAULTS), self._chance)
                return self._read(request) if fault is None else self._faults[fault](request)
        return json_reply(HTTPStatus.METHOD_NOT_ALLOWED, {"message": "Method not allowed"})

    def _read(self, request: Request) -> Reply:
        try:
            return self._resource(request)
        except RefusedError as error:
            return json_reply(HTTPStatus.BAD_REQUEST, {"message": str(error)})
        except UnknownDeliveryError:
            return not_found(empty=self.barmate.panel.now.empty_not_found)

    def _resource(self, request: Request) -> Reply:
        match _parts(request):
            case ["deliveries"]:
                self.ledger.count_read("list")
                return json_reply(HTTPStatus.OK, pages.page(self.barmate, dict(request.query), at=self._moment()))
            case ["deliveries", key]:
                self.ledger.count_read("one")
                record = self.barmate.get(key, at=self._moment())
                return json_reply(HTTPStatus.OK, views.whole(record, self.barmate.panel.now))
            case ["account", "settings", "deliveries"]:
                self.ledger.count_read("settings")
                return json_reply(HTTPStatus.OK, _SETTINGS)
        return replies.page(HTTPStatus.NOT_FOUND)

    def _moment(self) -> datetime | None:
        """Return the moment a stale read shows, or None for what is true now."""
        switches = self.barmate.panel.now
        if self._chance.random() >= switches.stale:
            return None
        return self.barmate.clock.now() - timedelta(seconds=switches.stale_seconds)


def _parts(request: Request) -> list[str]:
    if not request.path.startswith(f"{API_PATH}/"):
        return []
    return [unquote(part) for part in request.path.removeprefix(f"{API_PATH}/").split("/")]
