"""The reading of barmate's records: from JSON with exact numbers to what it means, or to what was wrong with it."""

from collections.abc import Callable, Collection, Iterator
from datetime import date, time
from decimal import Decimal

from connectors.barmate_personal import personal, without_people
from connectors.barmate_records import (
    Bundle,
    Customer,
    CustomerOrder,
    Item,
    OrderStatus,
    OrderType,
    Request,
    Response,
    ResponseItem,
    ResponseType,
    Scheduled,
    Unreadable,
    Vessel,
)
from connectors.exact import is_storable, json_text
from connectors.shape import Fields, ShapeError, T

_ORDER_BY = frozenset({"vessel", "kg"})
_PRICE_PER = frozenset({"vessel", "l", "kg", "100g"})
_UNITS = frozenset({"l", "dl", "cl", "ml", "kg", "g", "quantity"})


def customer_order(value: object) -> CustomerOrder | Unreadable:
    """Return the customer order, or why it cannot be read; never raises for what came from outside."""
    try:
        return _order(Fields(value), value)
    except ShapeError as error:
        return _set_aside(value, str(error))


def _set_aside(value: object, reason: str) -> Unreadable:
    return Unreadable(
        id=_id_or_none(value), reason=reason, payload=json_text(value), impersonal=json_text(without_people(value))
    )


def _id_or_none(value: object) -> str | None:
    try:
        return _id(Fields(value))
    except ShapeError:
        return None


def _id(fields: Fields) -> str:
    found = fields.opaque("id")
    if not found.isprintable():
        message = "the field id should be an identifier and has characters that cannot be asked for"
        raise ShapeError(message)
    return found


def _check_texts(value: object) -> None:
    record = value if isinstance(value, dict) else {}
    for name, inner in record.items():
        if not is_storable(without_people({name: inner})):
            message = f"the field {name!a} has characters that are no text"
            raise ShapeError(message)


def _order(fields: Fields, value: object) -> CustomerOrder:
    _check_texts(value)
    request = fields.child("request")
    type_, status = fields.text("type"), fields.text("status")
    items = tuple(map(_item, request.children("items"))) if request.has("items") else None
    responses = tuple(map(_response, _children(fields, "responses")))
    return CustomerOrder(
        id=_id(fields),
        type=type_,
        status=status,
        customer=_customer(fields),
        request=_request(request),
        items=items,
        responses=responses,
        cancelled_at=fields.child("cancelled").instant("timestamp") if fields.has("cancelled") else None,
        unknown=tuple(_unknown(type_, status, () if items is None else items, responses)),
        personal=personal(value if isinstance(value, dict) else {}),
    )


def _customer(fields: Fields) -> Customer:
    if not fields.has("customer"):
        return Customer(id=None, company=None)
    found = fields.child("customer")
    return Customer(id=_opaque(found, "id"), company=_text(found, "company"))


def _request(fields: Fields) -> Request:
    return Request(
        timestamp=fields.instant("timestamp"),
        company=_text(fields, "company"),
        customer_id=_opaque(fields, "customer_id"),
        cost_center=_opaque(fields, "cost_center"),
        scheduled=_scheduled(fields),
    )


def _response(fields: Fields) -> Response:
    return Response(
        type=fields.text("type"),
        timestamp=fields.instant("timestamp"),
        reference=_opaque(fields, "reference"),
        scheduled=_scheduled(fields),
        items=tuple(map(_response_item, _children(fields, "items"))),
    )


def _item(fields: Fields) -> Item:
    return Item(
        id=fields.opaque("id"),
        name=_text(fields, "name"),
        order_by=_text(fields, "order_by"),
        vessel=_vessel(fields.child("vessel")) if fields.has("vessel") else None,
        count=fields.decimal("count"),
        bundle=_bundle(fields, "bundle"),
        vessel_count=_decimal(fields, "vessel_count"),
        price_cents=_decimal(fields, "price"),
        price_per=_text(fields, "price_per"),
    )


def _response_item(fields: Fields) -> ResponseItem:
    return ResponseItem(
        id=fields.opaque("id"),
        count=_decimal(fields, "count"),
        bundle=_bundle(fields, "bundle"),
        vessel_count=_decimal(fields, "vessel_count"),
        price_cents=_decimal(fields, "price"),
    )


def _vessel(fields: Fields) -> Vessel:
    return Vessel(
        size=_decimal(fields, "size"), unit=_text(fields, "unit"), type=_text(fields, "type"), id=_opaque(fields, "id")
    )


def _bundle(fields: Fields, name: str) -> Bundle | None:
    if not fields.has(name):
        return None
    found = fields.child(name)
    return Bundle(
        id=_opaque(found, "id"),
        type=_text(found, "type"),
        size=_decimal(found, "size"),
        pallet_bundle=_bundle(found, "pallet_bundle") if name == "bundle" else None,
    )


def _scheduled(fields: Fields) -> Scheduled | None:
    if not fields.has("scheduled"):
        return None
    found = fields.child("scheduled")
    return Scheduled(
        date=found.parsed("date", date.fromisoformat, "a date"),
        time=found.parsed("time", _time_of_day, "a time of day without a zone") if found.has("time") else None,
    )


def _time_of_day(text: str) -> time:
    found = time.fromisoformat(text)
    if found.tzinfo is not None:
        raise ValueError(text)
    return found


def _children(fields: Fields, name: str) -> tuple[Fields, ...]:
    return fields.children(name) if fields.has(name) else ()


def _text(fields: Fields, name: str) -> str | None:
    return _if_there(fields, name, fields.text)


def _opaque(fields: Fields, name: str) -> str | None:
    return _if_there(fields, name, fields.opaque_or_blank)


def _decimal(fields: Fields, name: str) -> Decimal | None:
    return _if_there(fields, name, fields.decimal)


def _if_there(fields: Fields, name: str, reader: Callable[[str], T]) -> T | None:
    return reader(name) if fields.has(name) else None


def _unknown(type_: str, status: str, items: tuple[Item, ...], responses: tuple[Response, ...]) -> Iterator[str]:
    yield from _strange("type", type_, frozenset(OrderType))
    yield from _strange("status", status, frozenset(OrderStatus))
    for response in responses:
        yield from _strange("responses.type", response.type, frozenset(ResponseType))
    for item in items:
        yield from _strange("items.order_by", item.order_by, _ORDER_BY)
        yield from _strange("items.price_per", item.price_per, _PRICE_PER)
        yield from _strange("items.vessel.unit", None if item.vessel is None else item.vessel.unit, _UNITS)


def _strange(name: str, value: str | None, known: Collection[str]) -> Iterator[str]:
    if value is not None and value not in known:
        yield f"{name}={value}"
