"""The part of the control interface that lets customers of barmate act, and registers webhooks."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from connectors.simulated.barmate_hooks import target_of
from connectors.simulated.barmate_orders import made_up
from connectors.simulated.barmate_server import BarmateServer

Body = Mapping[str, Any]


def barmate_posts(server: BarmateServer) -> dict[str, Callable[[Body], object]]:
    """Return what can be asked of ``server``, by path."""
    return {
        "/barmate/place": lambda body: _place(server, body),
        "/barmate/cancel": lambda body: server.barmate.cancel(str(body["id"])),
        "/barmate/receive": lambda body: server.barmate.receive(str(body["id"])),
        "/barmate/rewrite": lambda body: server.barmate.rewrite(str(body["id"]), body["fields"]),
        "/barmate/hooks": lambda body: server.hooks.register(target_of(body) if body else None),
    }


def _place(server: BarmateServer, body: Body) -> object:
    """Let a customer ask for something; without a record, for something made up from ``seed``."""
    chance = random.Random(f"customer {body.get('seed', 1)}")  # noqa: S311 - repeatable, not secret
    return {"id": server.barmate.place(body["record"] if "record" in body else made_up(chance))}
