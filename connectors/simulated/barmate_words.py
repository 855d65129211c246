"""The words of barmate Connect: names and values as the vendor's pages print them."""

from __future__ import annotations

from typing import Any, Final

JsonObject = dict[str, Any]

API_PATH: Final = "/api"

TYPES: Final = ("DELIVERY", "RETURN")
REQUESTED: Final = "REQUESTED"
ACCEPTED: Final = "ACCEPTED"
CANCELLED: Final = "CANCELLED"
REJECTED: Final = "REJECTED"
DELIVERED: Final = "DELIVERED"
STATUSES: Final = (REQUESTED, CANCELLED, ACCEPTED, REJECTED, DELIVERED)

ACCEPT: Final = "ACCEPT"
UPDATE: Final = "UPDATE"
REJECT: Final = "REJECT"
RESPONSES: Final = (ACCEPT, UPDATE, REJECT)

REQUEST_DELIVERY: Final = "request-delivery"
CANCEL_DELIVERY: Final = "cancel-delivery"

# Packaging: the codes of current text and the words of older text and examples.
PALLET: Final = "PX"
PACKAGING_WORDS: Final = {"BX": "box", "PK": "pack", "CT": "carton", "PU": "tray", PALLET: "pallet"}
BY_KG: Final = "kg"
