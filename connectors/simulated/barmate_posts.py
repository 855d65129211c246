"""``POST /deliveries/:id/responses`` with everything that can go wrong around it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus

import orjson

from connectors.simulated import barmate_views as views
from connectors.simulated.barmate import Barmate, UnknownDeliveryError
from connectors.simulated.barmate_ledger import BarmateLedger
from connectors.simulated.barmate_rules import RefusedError
from connectors.simulated.barmate_switches import SuccessBody
from connectors.simulated.barmate_words import JsonObject
from connectors.simulated.http_server import Ending, Reply, Request, json_reply
from connectors.simulated.switches import PostFault

_HTML = b"<!doctype html><html><head><title>Not Found</title></head><body><h1>Not Found</h1></body></html>"
RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    """One request on its way through the twin."""

    number: int
    delivery_id: str
    body: bytes


class BarmatePosts:
    """Takes responses, draws faults and keeps the ledger."""

    def __init__(self, barmate: Barmate, *, ledger: BarmateLedger, chance: random.Random) -> None:
        """Work on ``barmate``; ``chance`` draws the faults."""
        self._barmate = barmate
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
            PostFault.GATEWAY_TWICE: self._twice,
            PostFault.FOREIGN_404: lambda _post: page(HTTPStatus.NOT_FOUND),
        }

    def answer(self, request: Request, delivery_id: str) -> Reply:
        """Answer one POST."""
        fault = self._fault()
        number = self._ledger.open(self._barmate.clock.now(), delivery_id, request.body, fault)
        # A fault that barmate cannot have (it knows no kilograms to be credited) is none.
        act = self._acts.get(fault, self._commit)
        reply = act(_Post(number=number, delivery_id=delivery_id, body=request.body))
        if reply.ending is Ending.WHOLE:
            self._ledger.told(number, reply.status)
        return reply

    def stop(self) -> None:
        """Let no late commit happen any more."""
        for timer in self._timers:
            timer.cancel()

    def throttled(self) -> Reply:
        """Return a 429 of a shape the vendor does not document."""
        reply = json_reply(HTTPStatus.TOO_MANY_REQUESTS, {"message": "Too many requests"})
        if not self._barmate.panel.now.retry_after:
            return reply
        return replace(reply, headers=(*reply.headers, ("Retry-After", str(RETRY_AFTER_SECONDS))))

    def _fault(self) -> PostFault:
        """Return the scripted fault, or draw one; the probabilities add up."""
        former = self._barmate.panel.update(lambda now: replace(now, script=now.script[1:]))
        if former.script:
            return former.script[0]
        draw = self._chance.random()
        for fault, share in former.post_faults.items():
            if draw < share:
                return fault
            draw -= share
        return PostFault.NONE

    def _commit(self, post: _Post) -> Reply:
        try:
            made = self._taken(post)
        except (RefusedError, orjson.JSONDecodeError) as error:
            self._ledger.refused(post.number, str(error))
            return json_reply(HTTPStatus.BAD_REQUEST, {"message": str(error)})
        except UnknownDeliveryError:
            self._ledger.refused(post.number, "unknown delivery")
            return not_found(empty=self._barmate.panel.now.empty_not_found)
        return self._success(post, made)

    def _taken(self, post: _Post) -> JsonObject:
        body = orjson.loads(post.body)
        made = self._barmate.respond(post.delivery_id, body, request_number=post.number)
        self._ledger.took_effect(post.number, type_=body["type"], reference=body.get("reference"))
        return made

    def _success(self, post: _Post, made: JsonObject) -> Reply:
        switches = self._barmate.panel.now
        if switches.success_body is SuccessBody.EMPTY:
            return Reply(status=HTTPStatus.OK)
        if switches.success_body is SuccessBody.RESPONSE:
            return json_reply(HTTPStatus.OK, made)
        return json_reply(HTTPStatus.OK, views.whole(self._barmate.get(post.delivery_id), switches))

    def _after(self, post: _Post, reply: Reply) -> Reply:
        """Commit, then answer ``reply`` whatever came of it."""
        self._commit(post)
        return reply

    def _twice(self, post: _Post) -> Reply:
        """Do what a gateway does that sends a request again: the client sees the second answer only."""
        self._commit(post)
        return self._commit(post)

    def _hang(self) -> Reply:
        return replace(no_answer(), delay_seconds=self._barmate.panel.now.hang_seconds)

    def _commit_late(self, post: _Post) -> Reply:
        timer = threading.Timer(self._barmate.panel.now.late_commit_seconds, self._commit, (post,))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()
        return no_answer()

    def _broken(self, post: _Post) -> Reply:
        status = self._commit(post).status
        return Reply(status=status, body=b'{"id": "12', headers=(("Content-Type", "application/json"),))


def not_found(*, empty: bool) -> Reply:
    """Return the documented 404, whose body the vendor does not document."""
    return Reply(status=HTTPStatus.NOT_FOUND) if empty else json_reply(HTTPStatus.NOT_FOUND, {"message": "Not found"})


def server_error() -> Reply:
    """Return a 500 of a shape the vendor does not document."""
    return json_reply(HTTPStatus.INTERNAL_SERVER_ERROR, {"message": "Internal server error"})


def no_answer() -> Reply:
    """Return a reset connection."""
    return Reply(status=HTTPStatus.OK, ending=Ending.RESET)


def page(status: int) -> Reply:
    """Return what a proxy or a wrong address answers."""
    return Reply(status=status, body=_HTML, headers=(("Content-Type", "text/html"),))
