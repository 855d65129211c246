"""The control interface of the twins: the truth, the switches, and the course of the story, over HTTP.

GET  /ready /addresses /story /progress /switches /truth/warehouse /truth/registry /truth/webhook /truth/barmate
POST /faults {system: {switch: value}} · /faults {"names": "a,b"} · /start · /advance {"seconds": S}
     /warehouse/put {"key": K, "record": {…}} · /warehouse/change {"key": K, "fields": {…}}
     /warehouse/remove {"key": K}
     /registry/deliver {…a body of POST /deliveries…} · /outage {"system": S, "down": true|false}
     /barmate/place {"record": {…} or nothing} · /barmate/cancel {"id": ID} · /barmate/receive {"id": ID}
     /barmate/rewrite {"id": ID, "fields": {…}} · /barmate/hooks {"url": U, "method": M, "headers": {…},
     "authorization": {"type": "basic", "username": N, "password": P}} ({} registers nobody)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from connectors.simulated import faults as fault_catalogue
from connectors.simulated import story as stories
from connectors.simulated.barmate_control import barmate_posts
from connectors.simulated.barmate_rules import RefusedError
from connectors.simulated.faults import UnknownFaultError
from connectors.simulated.http_server import LocalServer, Reply, Request, json_reply
from connectors.simulated.registry_trouble import TroubleError, parse_delivery_request
from connectors.simulated.switches import SwitchError, changed
from connectors.simulated.systems import Systems

Body = Mapping[str, Any]


class ControlServer(LocalServer):
    """Serves the truth about ``systems`` and changes them while they run."""

    def __init__(self, systems: Systems, *, port: int = 0) -> None:
        """Serve at ``port`` (0: any free one)."""
        super().__init__(self.answer, port=port)
        self._systems = systems
        self._gets: dict[str, Callable[[], object]] = {
            "/ready": lambda: {"ready": True},
            "/addresses": lambda: {**systems.addresses(), "control": self.url},
            "/story": lambda: stories.as_json(systems.story),
            "/progress": lambda: {**systems.player.progress(), "customers": systems.customers.progress()},
            "/switches": lambda: {name: panel.as_json() for name, panel in systems.panels().items()},
            "/truth/warehouse": self._warehouse_truth,
            "/truth/registry": systems.registry_server.truth,
            "/truth/webhook": systems.receiver_server.receiver.truth,
            "/truth/barmate": systems.barmate_server.truth,
        }
        self._posts: dict[str, Callable[[Body], object]] = {
            "/faults": self._set_faults,
            "/start": lambda _body: systems.play(),
            "/advance": lambda body: systems.skip(float(body["seconds"])),
            "/warehouse/put": self._put,
            "/warehouse/change": self._change,
            "/warehouse/remove": lambda body: systems.warehouse_server.warehouse.remove(int(body["key"])),
            "/registry/deliver": self._deliver,
            "/outage": self._outage,
            **barmate_posts(systems.barmate_server),
        }

    def answer(self, request: Request) -> Reply:
        """Answer one control request; a mistake in it is a 400 with a sentence."""
        try:
            return self._answer(request)
        except (SwitchError, UnknownFaultError, TroubleError, RefusedError) as error:
            return json_reply(HTTPStatus.BAD_REQUEST, {"message": str(error)})
        except KeyError as error:
            return json_reply(HTTPStatus.BAD_REQUEST, {"message": f"The body lacks {error}, or nothing has that name."})
        except (TypeError, ValueError) as error:
            return json_reply(HTTPStatus.BAD_REQUEST, {"message": f"The body is not understood: {error}."})

    def _answer(self, request: Request) -> Reply:
        if request.method == "GET" and request.path in self._gets:
            return json_reply(HTTPStatus.OK, self._gets[request.path]())
        if request.method == "POST" and request.path in self._posts:
            body = orjson.loads(request.body) if request.body else {}
            return json_reply(HTTPStatus.OK, {"done": True, "result": self._posts[request.path](body)})
        return json_reply(HTTPStatus.NOT_FOUND, {"message": "There is no such path."})

    def _warehouse_truth(self) -> object:
        server = self._systems.warehouse_server
        traffic = server.traffic
        return {
            **server.warehouse.truth(),
            "writes": server.posts.truth(),
            "requests": traffic.requests,
            "throttled": traffic.throttled,
            "faults": traffic.faults,
        }

    def _set_faults(self, body: Body) -> object:
        """Set switches; all of them are checked before any is changed."""
        changes = named_changes(str(body["names"])) if "names" in body else body
        panels = self._systems.panels()
        for system, switches in changes.items():
            changed(panels[system].now, switches)
        for system, switches in changes.items():
            panels[system].change(switches)
        return {system: panels[system].as_json() for system in changes}

    def _put(self, body: Body) -> None:
        self._systems.warehouse_server.warehouse.put(int(body["key"]), body["record"])

    def _change(self, body: Body) -> object:
        fields = copy.deepcopy(body["fields"])
        return orjson.loads(
            self._systems.warehouse_server.warehouse.change(int(body["key"]), lambda record: record.update(fields))
        )

    def _deliver(self, body: Body) -> object:
        """Deliver as a person would by hand: past the server, its faults and what clients were told."""
        delivery = self._systems.registry_server.registry.deliver(parse_delivery_request(body))
        return {"credit_delivery_id": delivery.id}

    def _outage(self, body: Body) -> None:
        """Take a server off its port, or put it back."""
        server = self._systems.servers()[body["system"]]
        server.stop()
        if not body["down"]:
            server.start()


def named_changes(names: str) -> dict[str, dict[str, Any]]:
    """Return the switches that the faults ``names`` (a comma list) set, by system; a story stays as it was told."""
    faults = fault_catalogue.chosen(names)
    return {system: fault_catalogue.merged(faults, system) for system in fault_catalogue.SYSTEMS}
