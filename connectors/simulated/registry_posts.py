"""``POST /deliveries`` with everything that can go wrong around it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus

import orjson

from connectors.simulated import registry_views as views
from connectors.simulated.http_server import Ending, Reply, Request, json_reply
from connectors.simulated.registry import Registry
from connectors.simulated.registry_ids import mint
from connectors.simulated.registry_ledgers import ToldLedger
from connectors.simulated.registry_trouble import TroubleError, parse_delivery_request
from connectors.simulated.switches import LateStamp, PostFault, take_scripted

_HTML = b"<!doctype html><html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1></body></html>"
RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    """One request on its way through the twin."""

    number: int
    body: bytes
    at: datetime


class Posts:
    """Commits credit deliveries, draws faults and keeps the ledger of what was told."""

    def __init__(self, registry: Registry, *, ledger: ToldLedger, chance: random.Random) -> None:
        """Work on ``registry``; ``chance`` draws the faults."""
        self._registry = registry
        self._ledger = ledger
        self._chance = chance
        self._timers: list[threading.Timer] = []
        self._acts: dict[PostFault, Callable[[_Post], Reply]] = {
            PostFault.NONE: self._commit,
            PostFault.REFUSE_BEFORE_COMMIT: lambda _post: server_error(),
            PostFault.DROP_BEFORE_COMMIT: lambda _post: no_answer(),
            PostFault.HANG_BEFORE_COMMIT: lambda _post: self._hang(),
            PostFault.COMMIT_THEN_DROP: lambda post: self._after(post, no_answer()),
            PostFault.COMMIT_THEN_500: lambda post: self._after(post, server_error()),
            PostFault.COMMIT_THEN_HANG: lambda post: self._after(post, self._hang()),
            PostFault.COMMIT_LATE: self._commit_late,
            PostFault.THROTTLE_BEFORE_COMMIT: lambda _post: self.throttled(),
            PostFault.THROTTLE_AFTER_COMMIT: lambda post: self._after(post, self.throttled()),
            PostFault.BROKEN_JSON: self._broken,
            PostFault.FEWER_KG_IN_BODY: self._fewer,
            PostFault.OTHER_ORDER_IN_BODY: self._other_order,
            PostFault.GATEWAY_TWICE: self._twice,
            PostFault.FOREIGN_404: lambda _post: foreign_404(),
        }

    def answer(self, request: Request) -> Reply:
        """Answer one POST."""
        fault = self._fault()
        now = self._registry.clock.now()
        post = _Post(number=self._ledger.open(now, request.body, fault), body=request.body, at=now)
        reply = self._acts[fault](post)
        if reply.ending is Ending.WHOLE:
            self._ledger.close(post.number, status=reply.status, told_delivery_id=_told_id(reply))
        return reply

    def stop(self) -> None:
        """Let no late commit happen any more."""
        for timer in self._timers:
            timer.cancel()

    def throttled(self) -> Reply:
        """Return a 429 of a shape the vendor does not document."""
        reply = json_reply(HTTPStatus.TOO_MANY_REQUESTS, {"message": "Too many requests"})
        if not self._registry.panel.now.retry_after:
            return reply
        return replace(reply, headers=(*reply.headers, ("Retry-After", str(RETRY_AFTER_SECONDS))))

    def _fault(self) -> PostFault:
        """Return the scripted fault, or draw one; the probabilities add up."""
        scripted = take_scripted(self._registry.panel)
        if scripted is not None:
            return scripted
        draw = self._chance.random()
        for fault, share in self._registry.panel.now.post_faults.items():
            if draw < share:
                return fault
            draw -= share
        return PostFault.NONE

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

    def _after(self, post: _Post, reply: Reply) -> Reply:
        """Commit, then answer ``reply`` whatever came of it."""
        self._commit(post)
        return reply

    def _hang(self) -> Reply:
        return replace(no_answer(), delay_seconds=self._registry.panel.now.hang_seconds)

    def _commit_late(self, post: _Post) -> Reply:
        switches = self._registry.panel.now
        stamped = post.at if switches.late_stamp is LateStamp.EARLY else None
        timer = threading.Timer(switches.late_commit_seconds, self._commit, (post, stamped))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()
        return no_answer()

    def _broken(self, post: _Post) -> Reply:
        reply = self._commit(post)
        return replace(reply, body=reply.body[: len(reply.body) // 2])

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

    def _twice(self, post: _Post) -> Reply:
        """Do what a gateway does that sends a request again: the client sees the second answer only."""
        self._commit(post)
        return self._commit(post)


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


def server_error() -> Reply:
    """Return a 500 of a shape the vendor does not document."""
    return json_reply(HTTPStatus.INTERNAL_SERVER_ERROR, {"message": "Internal server error"})


def no_answer() -> Reply:
    """Return a reset connection."""
    return Reply(status=HTTPStatus.OK, ending=Ending.RESET)


def foreign_404() -> Reply:
    """Return what a proxy or a wrong address answers."""
    return Reply(status=HTTPStatus.NOT_FOUND, body=_HTML, headers=(("Content-Type", "text/html"),))
