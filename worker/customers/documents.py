"""Customer orders as documents: what is kept of a record, what events tell of it, and the hash over it. Pure.

Exact decimals become text. People are in `personal_document` and nowhere else.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal

import orjson

from connectors.barmate_personal import Personal
from connectors.barmate_records import Bundle, CustomerOrder, Item, Response, ResponseItem, ResponseType, Scheduled
from worker.clock import instant_text

Document = dict[str, object]

# Responses that assign a reference: a rejection ends the order instead.
_ASSIGNING = frozenset({ResponseType.ACCEPT, ResponseType.UPDATE})


def record_columns(order: CustomerOrder) -> Document:
    """The columns of `customer_orders` that come from the record alone, people apart."""
    request = order.request
    return {
        "type": order.type,
        "status": order.status,
        "unknown": list(order.unknown),
        "company": order.customer.company if request.company is None else request.company,
        "customer_id": order.customer.id if request.customer_id is None else request.customer_id,
        "cost_center": request.cost_center,
        "requested_at": request.timestamp,
        "scheduled": _scheduled(request.scheduled),
        "cancelled_at": order.cancelled_at,
        "reference": reference_of(order.responses),
        "items": None if order.items is None else [_item(item) for item in order.items],
        "responses": [_response(response) for response in order.responses],
    }


def content_hash(columns: Document) -> str:
    """Hash over what `record_columns` gives: equal means that nothing changed but, perhaps, people."""
    return hashlib.sha256(orjson.dumps(columns, option=orjson.OPT_SORT_KEYS)).hexdigest()


def personal_document(personal: Personal) -> Document:
    """Everything about people, as it is kept where the settings allow it."""
    return asdict(personal)


def reference_of(responses: Sequence[Response]) -> str | None:
    """The reference in force: the newest that an ACCEPT or UPDATE gave; of equal times the later in the list."""
    given = [
        (response.timestamp, place, response.reference)
        for place, response in enumerate(responses)
        if response.reference is not None and response.type in _ASSIGNING
    ]
    return max(given)[2] if given else None


def newest_stamp(order: CustomerOrder) -> datetime:
    """The newest stamp that barmate gives of an order."""
    stamps = [order.request.timestamp, *(response.timestamp for response in order.responses)]
    return max(stamps if order.cancelled_at is None else [*stamps, order.cancelled_at])


def told_document(order_id: str, columns: Document) -> Document:
    """A customer order as events tell it: no person, no company, items in sum."""
    items, responses = columns["items"], columns["responses"]
    requested, cancelled = columns["requested_at"], columns["cancelled_at"]
    return {
        "id": order_id,
        **{name: columns[name] for name in ("type", "status", "unknown", "scheduled", "reference")},
        "requested_at": _stamp(requested),
        "cancelled_at": _stamp(cancelled),
        "items": len(items) if isinstance(items, list) else None,
        "responses": [
            {name: response[name] for name in ("type", "timestamp", "reference", "scheduled")}
            for response in (responses if isinstance(responses, list) else ())
        ],
    }


def _stamp(moment: object) -> str | None:
    return instant_text(moment) if isinstance(moment, datetime) else None


def _item(item: Item) -> Document:
    vessel = item.vessel
    return {
        "id": item.id,
        "name": item.name,
        "order_by": item.order_by,
        "vessel": None
        if vessel is None
        else {"id": vessel.id, "size": _exact(vessel.size), "unit": vessel.unit, "type": vessel.type},
        "count": str(item.count),
        "bundle": _bundle(item.bundle),
        "vessel_count": _exact(item.vessel_count),
        "price_cents": _exact(item.price_cents),
        "price_per": item.price_per,
    }


def _response(response: Response) -> Document:
    return {
        "type": response.type,
        "timestamp": instant_text(response.timestamp),
        "reference": response.reference,
        "scheduled": _scheduled(response.scheduled),
        "items": [_response_item(item) for item in response.items],
    }


def _response_item(item: ResponseItem) -> Document:
    return {
        "id": item.id,
        "count": _exact(item.count),
        "bundle": _bundle(item.bundle),
        "vessel_count": _exact(item.vessel_count),
        "price_cents": _exact(item.price_cents),
    }


def _bundle(bundle: Bundle | None) -> Document | None:
    if bundle is None:
        return None
    return {
        "id": bundle.id,
        "type": bundle.type,
        "size": _exact(bundle.size),
        "pallet_bundle": _bundle(bundle.pallet_bundle),
    }


def _scheduled(scheduled: Scheduled | None) -> Document | None:
    if scheduled is None:
        return None
    time = scheduled.time
    return {
        "date": scheduled.date.isoformat(),
        "time": None if time is None else time.isoformat(timespec="minutes"),
    }


def _exact(number: Decimal | None) -> str | None:
    return None if number is None else str(number)
