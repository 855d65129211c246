"""``POST /deliveries/:id/responses`` with everything that can go wrong around it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from http import HTTPStatus

import orjson

from connectors.simulated import barmate_views as views
from connectors.simulated.barmate import Barmate, UnknownDeliveryError
from connectors.simulated.barmate_ledger import BarmateLedger
from connectors.simulated.barmate_rules import RefusedError
from connectors.simulated.barmate_switches import BarmateSwitches, SuccessBody
from connectors.simulated.barmate_words import JsonObject
from connectors.simulated.http_server import Ending, Reply, Request, json_reply
from connectors.simulated.posts import Posts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    """One request on its way through the twin."""

    number: int
    delivery_id: str
    body: bytes


class BarmatePosts(Posts[_Post, BarmateSwitches]):
    """Takes responses and keeps the ledger."""

    def __init__(self, barmate: Barmate, *, ledger: BarmateLedger, chance: random.Random) -> None:
        """Work on ``barmate``; ``chance`` draws the faults."""
        super().__init__(barmate.panel, chance=chance)
        self._barmate = barmate
        self._ledger = ledger

    def answer(self, request: Request, delivery_id: str) -> Reply:
        """Answer one POST."""
        fault = self._fault()
        number = self._ledger.open(self._barmate.clock.now(), delivery_id, request.body, fault)
        reply = self._met(fault, _Post(number=number, delivery_id=delivery_id, body=request.body))
        if reply.ending is Ending.WHOLE:
            self._ledger.told(number, reply.status)
        return reply

    def _commit(self, post: _Post) -> Reply:
        try:
            made = self._taken(post)
        except (RefusedError, orjson.JSONDecodeError) as error:
            self._ledger.refused(post.number, str(error))
            return json_reply(HTTPStatus.BAD_REQUEST, {"message": str(error)})
        except UnknownDeliveryError:
            self._ledger.refused(post.number, "unknown delivery")
            return not_found(empty=self._panel.now.empty_not_found)
        return self._success(post, made)

    def _taken(self, post: _Post) -> JsonObject:
        body = orjson.loads(post.body)
        made = self._barmate.respond(post.delivery_id, body, request_number=post.number)
        self._ledger.took_effect(post.number, type_=body["type"], reference=body.get("reference"))
        return made

    def _success(self, post: _Post, made: JsonObject) -> Reply:
        switches = self._panel.now
        if switches.success_body is SuccessBody.EMPTY:
            return Reply(status=HTTPStatus.OK)
        if switches.success_body is SuccessBody.RESPONSE:
            return json_reply(HTTPStatus.OK, made)
        return json_reply(HTTPStatus.OK, views.whole(self._barmate.get(post.delivery_id), switches))

    def _broken(self, reply: Reply) -> Reply:
        # Half of a body that may be empty would break nothing.
        return Reply(status=reply.status, body=b'{"id": "12', headers=(("Content-Type", "application/json"),))


def not_found(*, empty: bool) -> Reply:
    """Return the documented 404, whose body the vendor does not document."""
    return Reply(status=HTTPStatus.NOT_FOUND) if empty else json_reply(HTTPStatus.NOT_FOUND, {"message": "Not found"})
