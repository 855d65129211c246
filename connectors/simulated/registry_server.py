"""The Isometric registry over HTTP: both credentials, reads with their faults, and the one write."""

from __future__ import annotations

import hmac
import random
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Any

from connectors.simulated import registry_ledgers, replies
from connectors.simulated.http_server import LocalServer, Reply, Request, json_reply
from connectors.simulated.rate import SlidingLimit
from connectors.simulated.registry import Registry
from connectors.simulated.registry_posts import RegistryPosts, unprocessable
from connectors.simulated.registry_reads import Horizon, Reads
from connectors.simulated.registry_trouble import TroubleError, UnknownIdError

API_PATH = "/registry/v0"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCredentials:
    """Both are always needed."""

    access_token: str
    client_secret: str

    def fit(self, request: Request) -> bool:
        """Tell whether the request carries both."""
        token = request.headers.get("authorization", "")
        secret = request.headers.get("x-client-secret", "")
        fits = hmac.compare_digest(token.encode(), f"Bearer {self.access_token}".encode())
        return fits and hmac.compare_digest(secret.encode(), self.client_secret.encode())


class RegistryServer(LocalServer):
    """Serves a :class:`Registry` to the holder of ``credentials``."""

    def __init__(
        self, registry: Registry, *, credentials: RegistryCredentials, chance: random.Random, port: int = 0
    ) -> None:
        """Serve at ``port`` (0: any free one)."""
        super().__init__(self.answer, port=port, base_path=API_PATH)
        self.registry = registry
        self.credentials = credentials
        self.limit = SlidingLimit()
        self.ledger = registry_ledgers.ToldLedger()
        self.posts = RegistryPosts(registry, ledger=self.ledger, chance=chance)
        self._chance = chance

    def stop(self) -> None:
        """Stop listening; a late commit that has not happened yet never does."""
        self.posts.stop()
        super().stop()

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        reply = self._reply(request)
        date = format_datetime(self.registry.clock.now(), usegmt=True)
        return Reply(
            status=reply.status,
            body=reply.body,
            headers=(*reply.headers, ("Date", date)),
            ending=reply.ending,
            delay_seconds=reply.delay_seconds,
        )

    def truth(self) -> dict[str, Any]:
        """Return both ledgers and the orders as they truly stand."""
        return {
            **self.ledger.as_json(),
            "happened": registry_ledgers.happened(self.registry),
            "orders": registry_ledgers.orders(self.registry),
            "supplier_id": self.registry.supplier.id,
            "throttled": self.limit.refused,
        }

    def _reply(self, request: Request) -> Reply:
        if not self.credentials.fit(request):
            return json_reply(HTTPStatus.UNAUTHORIZED, {"message": "Unauthorized"})
        if not request.path.startswith(f"{API_PATH}/"):
            return json_reply(HTTPStatus.NOT_FOUND, {"detail": "Not Found"})
        now = self.registry.clock.now().timestamp()
        if self.limit.admit("registry", now, self.registry.panel.now.requests_per_second) > 0:
            return self.posts.throttled()
        if request.method == "POST" and request.path == f"{API_PATH}/deliveries":
            return self.posts.answer(request)
        if request.method != "GET":
            return json_reply(HTTPStatus.METHOD_NOT_ALLOWED, {"detail": "Method Not Allowed"})
        return self._read(request)

    def _read(self, request: Request) -> Reply:
        parts = request.path.removeprefix(API_PATH).strip("/").split("/")
        self.ledger.count_read("/".join(parts[::2]))
        switches = self.registry.panel.now
        if self._chance.random() < switches.read_error:
            return replies.server_error()
        try:
            content = Reads(self.registry, self._horizon()).answer(parts, request.query)
        except TroubleError as error:
            return unprocessable(error)
        except UnknownIdError:
            return json_reply(switches.unknown_id_status, {"detail": "Not found"})
        return json_reply(HTTPStatus.OK, self._with_gaps(content))

    def _horizon(self) -> Horizon:
        switches, now = self.registry.panel.now, self.registry.clock.now()
        if self._chance.random() < switches.read_stale:
            stale = now - timedelta(seconds=switches.stale_seconds)
            return Horizon(lists=stale, orders=stale, batches=stale)
        lagging = self.registry.seen_until()
        return Horizon(
            lists=lagging,
            orders=lagging if switches.lag_covers_orders else now,
            batches=lagging if switches.lag_covers_batches else now,
        )

    def _with_gaps(self, content: object) -> object:
        """Leave out the second half of a page now and then; ``total_count`` still counts what is missing."""
        if not isinstance(content, dict) or not content.get("nodes"):
            return content
        if self._chance.random() >= self.registry.panel.now.read_partial:
            return content
        nodes = content["nodes"]
        return {**content, "nodes": nodes[: len(nodes) // 2]}
