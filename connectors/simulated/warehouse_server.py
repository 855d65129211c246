"""logistic.cloud over HTTP: addresses, keys, the limit, headers, problem details and faults."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from email.utils import format_datetime
from http import HTTPStatus

import orjson

from connectors.simulated import replies, warehouse_writes
from connectors.simulated.chances import drawn, shares
from connectors.simulated.http_server import Ending, LocalServer, Reply, Request
from connectors.simulated.rate import SlidingLimit
from connectors.simulated.switches import Panel, WarehouseSwitches
from connectors.simulated.warehouse import Warehouse
from connectors.simulated.warehouse_odd import OddAnswer, made_odd
from connectors.simulated.warehouse_posts import WarehousePosts
from connectors.simulated.warehouse_problem import problem
from connectors.simulated.warehouse_query import BadQueryError, parse_filter
from connectors.simulated.warehouse_words import API_PATH, READ_SCOPE, WRITE_SCOPE
from connectors.simulated.warehouse_writes import AbsentError, RefusedError

_JSON = (("Content-Type", "application/json; charset=utf-8"),)
FAULTS = ("server_error", "reset", "throttled", "truncated", "slow")


@dataclass(slots=True)
class Traffic:
    """How often the twin was asked, and how it answered."""

    requests: int = 0
    throttled: int = 0
    faults: int = 0


class WarehouseServer(LocalServer):
    """Serves a :class:`Warehouse` to the holders of ``keys`` (key → scopes)."""

    def __init__(
        self, warehouse: Warehouse, *, keys: Mapping[str, Collection[str]], chance: random.Random, port: int = 0
    ) -> None:
        """Serve at ``port`` (0: any free one)."""
        super().__init__(self.answer, port=port, base_path=API_PATH)
        self.warehouse = warehouse
        self.keys = dict(keys)
        self.chance = chance
        self.limit = SlidingLimit()
        self.traffic = Traffic()
        self.posts = WarehousePosts(warehouse.panel, perform=self._perform, chance=chance)

    def stop(self) -> None:
        """Stop, and let no late write happen any more."""
        self.posts.stop()
        super().stop()

    @property
    def panel(self) -> Panel[WarehouseSwitches]:
        """The switches in force."""
        return self.warehouse.panel

    def answer(self, request: Request) -> Reply:
        """Answer one request, with the server's ``Date`` and whatever fault is drawn."""
        self.traffic.requests += 1
        date = self._date()
        refusal = self._refusal(request)
        reply = self._with_fault(request) if refusal is None else refusal
        return replace(reply, headers=(*reply.headers, *date))

    def _date(self) -> tuple[tuple[str, str], ...]:
        switches = self.panel.now
        moment = self.warehouse.clock.now().astimezone(UTC) + timedelta(seconds=switches.date_skew_seconds)
        age = (("Age", str(switches.age_seconds)),) if switches.age_seconds else ()
        return (("Date", format_datetime(moment, usegmt=True)), *age)

    def _refusal(self, request: Request) -> Reply | None:
        if request.path != API_PATH and not request.path.startswith(f"{API_PATH}/"):
            return problem(HTTPStatus.NOT_FOUND, "The requested API version is not supported.")
        key = request.headers.get("x-api-key", "")
        if key not in self.keys:
            return problem(HTTPStatus.UNAUTHORIZED, "The API key is missing or not valid.")
        if not allowed_scopes(request.method) & set(self.keys[key]):
            return problem(HTTPStatus.FORBIDDEN, "The API key does not have the required scope.")
        if self.panel.now.refusal_status:
            return problem(self.panel.now.refusal_status, "The request is refused whatever it asks for.")
        return self._over_limit(key)

    def _over_limit(self, key: str) -> Reply | None:
        switches = self.panel.now
        wait = self.limit.admit(key, self.warehouse.clock.now().timestamp(), switches.requests_per_second)
        return self._throttled() if wait > 0 else None

    def _throttled(self) -> Reply:
        self.traffic.throttled += 1
        return self.posts.throttled()

    def _with_fault(self, request: Request) -> Reply:
        name = drawn(shares(self.panel.now, FAULTS), self.chance)
        if name is None:
            return self._route(request)
        self.traffic.faults += 1
        return self._faulty(name, request)

    def _faulty(self, name: str, request: Request) -> Reply:
        if name == "server_error":
            status = self.chance.choice((HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE))
            return problem(status, "An error occurred while processing your request.")
        if name == "reset":
            return replies.no_answer()
        if name == "throttled":
            return self._throttled()
        reply = self._route(request)
        if name == "truncated":
            return replace(reply, ending=Ending.TRUNCATED)
        return replace(reply, delay_seconds=self.panel.now.slow_seconds)

    def _route(self, request: Request) -> Reply:
        return self._perform(request) if request.method == "GET" else self.posts.answer(request)

    def _perform(self, request: Request) -> Reply:
        parts = request.path.removeprefix(API_PATH).strip("/").split("/")
        try:
            return self._resource(request, parts)
        except BadQueryError as error:
            return problem(HTTPStatus.BAD_REQUEST, error.sentence, {error.field: [error.sentence]})
        except RefusedError as error:
            return problem(HTTPStatus.BAD_REQUEST, "One or more validation errors occurred.", error.errors)
        except AbsentError:
            return problem(HTTPStatus.NOT_FOUND, "The delivery does not exist or you don't have access to it.")

    def _resource(self, request: Request, parts: list[str]) -> Reply:
        match request.method, parts:
            case "GET", ["deliveries"]:
                return self._list(request)
            case "POST", ["deliveries"]:
                return self._written(HTTPStatus.CREATED, warehouse_writes.create(self.warehouse, _body(request)))
            case "GET", ["deliveries", key] if key.isdigit():
                return self._one(int(key))
            case "PUT", ["deliveries", key] if key.isdigit():
                return self._written(HTTPStatus.OK, warehouse_writes.replace(self.warehouse, int(key), _body(request)))
            case "POST", ["deliveries", key, "approve"] if key.isdigit():
                warehouse_writes.approve(self.warehouse, int(key))
                return Reply(status=HTTPStatus.NO_CONTENT)
        return problem(HTTPStatus.NOT_FOUND, "There is no such resource.")

    def _written(self, status: int, body: bytes) -> Reply:
        return Reply(status=status, body=body, headers=_JSON)

    def _list(self, request: Request) -> Reply:
        switches, wanted = self.panel.now, parse_filter(request.query)
        asked = replace(wanted, page_size=min(wanted.page_size, switches.page_size_limit))
        page = self.warehouse.find(asked)
        total = (("X-Total", str(max(0, page.total + switches.x_total_off))),) if switches.x_total else ()
        headers = (("X-Page", str(asked.page)), ("X-PageSize", str(asked.page_size)), *total)
        reply = Reply(status=HTTPStatus.OK, body=b"[" + b",".join(page.bodies) + b"]", headers=(*_JSON, *headers))
        return made_odd(reply, self._oddity())

    def _oddity(self) -> OddAnswer:
        switches = self.panel.now
        # Drawn only where it matters: the other draws of a seed stay what they were.
        is_odd = switches.odd_answer is not OddAnswer.NONE and self.chance.random() < switches.odd_share
        return switches.odd_answer if is_odd else OddAnswer.NONE

    def _one(self, key: int) -> Reply:
        body = self.warehouse.get(key)
        if body is None:
            raise AbsentError(key)
        return Reply(status=HTTPStatus.OK, body=body, headers=_JSON)


def allowed_scopes(method: str) -> set[str]:
    """Return the scopes of which one is needed: reading is allowed to writers too."""
    return {READ_SCOPE, WRITE_SCOPE} if method == "GET" else {WRITE_SCOPE}


def _body(request: Request) -> Mapping[str, object]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise RefusedError({"Content-Type": ["The header Content-Type must be application/json."]})
    try:
        content = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise RefusedError({"$": ["The body is not valid JSON."]}) from error
    if not isinstance(content, dict):
        raise RefusedError({"$": ["The body must be a JSON object."]})
    return content
