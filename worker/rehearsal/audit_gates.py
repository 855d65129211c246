"""Which orders must not be credited because of a customer order, by what truly is. Pure (DESIGN §5)."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from connectors.barmate_records import OrderStatus
from worker.rehearsal.audit_changes import final_records, parses
from worker.rehearsal.audit_credits import delivered_by_order
from worker.rehearsal.evidence import Document, Evidence, Order

_GOES_ON = frozenset({OrderStatus.REQUESTED, OrderStatus.ACCEPTED, OrderStatus.DELIVERED})
_CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Why nothing may be delivered, and since when; None: since ever."""

    reason: str
    since: datetime | None


def gated(evidence: Evidence) -> Evidence:
    """The same with the story's expectations as the customer orders leave them.

    What was delivered before a customer changed their mind was right then.
    """
    against = blocked(evidence.warehouse, evidence.barmate)
    made = _made_at(evidence)
    expected = [
        _without(order, against[key]) if key in against and not _was_before(made[key], against[key]) else order
        for order in evidence.story["expected"]
        for key in ((order["customer_id"], order["purchase_order"]),)
    ]
    return replace(evidence, story={**evidence.story, "expected": expected})


def blocked(warehouse: Document, barmate: Document) -> dict[Order, Block]:
    """The orders with a delivery, not cancelled, whose customer order does not let them go on."""
    known = {str(record["id"]): record for record in barmate["deliveries"]}
    found: dict[Order, Block] = {}
    for record in final_records(warehouse).values():
        name, number = record.get("numberExternal"), record.get("numberPurchaseOrder")
        if not parses(record) or record["status"] == _CANCELLED or not _is_text(name) or not _is_text(number):
            continue
        block = _block(str(name), known.get(str(name)))
        if block is not None:
            found.setdefault((record["customerId"], str(number)), block)
    return found


def cancelled_at(record: Document) -> datetime | None:
    """When the customer took it back."""
    said = record.get("cancelled")
    return None if said is None else datetime.fromisoformat(said["timestamp"])


def _block(name: str, record: Document | None) -> Block | None:
    if record is None:
        return Block(reason=f"barmate knows no customer order {name}", since=None)
    if record["type"] != "DELIVERY":
        return Block(reason=f"customer order {name} is a {record['type']}", since=None)
    if record["status"] in _GOES_ON:
        return None
    return Block(reason=f"customer order {name} is {record['status']}", since=cancelled_at(record))


def _made_at(evidence: Evidence) -> Mapping[Order, list[datetime]]:
    """When credit deliveries were made for an order, found by the marker or by the id of our firing."""
    made: defaultdict[Order, list[datetime]] = defaultdict(list)
    for order, entries in delivered_by_order(evidence).items():
        if order is not None:
            made[order] += [datetime.fromisoformat(entry["committed_at"]) for entry in entries]
    return made


def _was_before(made: list[datetime], block: Block) -> bool:
    return block.since is not None and any(moment < block.since for moment in made)


def _without(expected: Document, block: Block) -> Document:
    return {**expected, "should_deliver": False, "kg": None, "reason": expected["reason"] or block.reason}


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
