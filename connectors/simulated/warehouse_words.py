"""The words of the warehouse: names and values as the vendor's page on deliveries prints them."""

from __future__ import annotations

from typing import Any, Final

JsonObject = dict[str, Any]

STATUSES: Final = ("unknown", "error", "cancelled", "draft", "approved", "processing", "completed")
INBOUND_STATUSES: Final = (
    "unknown",
    "error",
    "cancelled",
    "onHold",
    "new",
    "approved",
    "handlingUnitsCreated",
    "unloading",
    "booked",
)
PRIORITIES: Final = ("low", "normal", "high")

# Characters, per field of the head.
HEAD_LENGTHS: Final = {"number": 50, "numberExternal": 50, "numberPurchaseOrder": 50, "note": 500}
# Characters, per field of a line item.
ITEM_LENGTHS: Final = {"serialNumber": 50, "batchNumber": 50, "handlingUnitNumberExternal": 50, "note": 250}

# Rows: the page size used when none is asked for, and the largest one allowed.
DEFAULT_PAGE_SIZE: Final = 50
MAX_PAGE_SIZE: Final = 250

API_PATH: Final = "/api/v1-beta"
READ_SCOPE: Final = "Delivery.Read"
WRITE_SCOPE: Final = "Delivery.Write"
