"""How the warehouse says no: problem details, the shape the vendor's framework uses."""

from __future__ import annotations

import uuid
from http import HTTPStatus

from connectors.simulated.http_server import Reply, json_reply
from connectors.simulated.warehouse_words import JsonObject
from connectors.simulated.warehouse_writes import Errors


def problem(status: int, sentence: str, errors: Errors | None = None) -> Reply:
    """Return an answer with problem details (RFC 9457)."""
    content: JsonObject = {
        "type": f"https://httpstatuses.io/{int(status)}",
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": sentence,
        "traceId": uuid.uuid5(uuid.NAMESPACE_OID, sentence).hex,
    }
    if errors:
        content["errors"] = errors
    return json_reply(status, content, media_type="application/problem+json")
