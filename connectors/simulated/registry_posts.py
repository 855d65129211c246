"""``POST /deliveries`` with everything that can go wrong around it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus

import orjson

from connectors.simulated import registry_views as views
from connectors.simulated.http_server import Ending, Reply, Request, json_reply
from connectors.simulated.posts import Posts
from connectors.simulated.registry import Registry
from connectors.simulated.registry_ids import mint
from connectors.simulated.registry_ledgers import ToldLedger
from connectors.simulated.registry_trouble import TroubleError, parse_delivery_request
from connectors.simulated.switches import LateStamp, PostFault, RegistrySwitches


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    """One request on its way through the twin."""

    number: int
    body: bytes
    at: datetime


class RegistryPosts(Posts[_Post, RegistrySwitches]):
    """Commits credit deliveries and keeps the ledger of what was told."""

    def __init__(self, registry: Registry, *, ledger: ToldLedger, chance: random.Random) -> None:
        """Work on ``registry``; ``chance`` draws the faults."""
        super().__init__(registry.panel, chance=chance)
        self._registry = registry
        self._ledger = ledger
        self._acts[PostFault.FEWER_KG_IN_BODY] = self._fewer
        self._acts[PostFault.OTHER_ORDER_IN_BODY] = self._other_order

    def answer(self, request: Request) -> Reply:
        """Answer one POST."""
        fault = self._fault()
        now = self._registry.clock.now()
        post = _Post(number=self._ledger.open(now, request.body, fault), body=request.body, at=now)
        reply = self._met(fault, post)
        if reply.ending is Ending.WHOLE:
            self._ledger.close(post.number, status=reply.status, told_delivery_id=_told_id(reply))
        return reply

    def _commit(self, post: _Post, stamped: datetime | None = None) -> Reply:
        try:
            body = orjson.loads(post.body) if post.body else None
            asked = parse_delivery_request(body)
            self._ledger.describe(post.number, notes=asked.notes, order_id=asked.order_id, kg=asked.kg)
            delivery = self._registry.deliver(asked, request_number=post.number, stamped=stamped)
        except orjson.JSONDecodeError:
            return unprocessable(TroubleError({"loc": ["body", 0], "msg": "JSON decode error", "type": "json_invalid"}))
        except TroubleError as error:
            return unprocessable(error)
        return json_reply(HTTPStatus.OK, views.delivery(self._registry, delivery))

    def _commit_late(self, post: _Post) -> Reply:
        stamped = post.at if self._panel.now.late_stamp is LateStamp.EARLY else None
        return self._later(partial(self._commit, post, stamped))

    def _fewer(self, post: _Post) -> Reply:
        return self._retold(post, "credit_batch_size_total", lambda told: views.quantity(told["credit_kgs"] - 1))

    def _other_order(self, post: _Post) -> Reply:
        return self._retold(post, "order_id", lambda _told: mint("ord", self._chance))

    def _retold(self, post: _Post, field: str, change: Callable[[views.JsonObject], object]) -> Reply:
        reply = self._commit(post)
        if reply.status != HTTPStatus.OK:
            return reply
        content = orjson.loads(reply.body)
        return json_reply(reply.status, {**content, field: change(content[field])})


def _told_id(reply: Reply) -> str | None:
    try:
        content = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None
    told = content.get("id") if isinstance(content, dict) else None
    return told if isinstance(told, str) else None


def unprocessable(error: TroubleError) -> Reply:
    """Return the documented 422."""
    return json_reply(HTTPStatus.UNPROCESSABLE_ENTITY, {"detail": list(error.details)})
