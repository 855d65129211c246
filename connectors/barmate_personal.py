"""What barmate tells about people: kept apart, so that it can be left out, and never shown by accident.

Source of the facts: vendor's page `api/get-delivery`. Nothing here decides anything, so a part that is missing or of
another shape is None and stops nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.exact import storable
from connectors.redaction import MASK

# The fields whose whole content is about people; an item's `name` is a product's, so `name` alone is not among them.
FIELDS = frozenset({"address", "contact", "user", "message"})
# Objects, or lists of them, that hold such fields: a text in their place can only be about people.
_HOLDERS = frozenset({"customer", "request", "responses", "cancelled"})


class _Unshown:
    """Something that does not show itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Only what it is."""
        return f"{type(self).__name__}({MASK})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Person(_Unshown):
    """A name and an e-mail address."""

    name: str | None
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Address(_Unshown):
    """A postal address; lists leave out the zip."""

    address1: str | None
    address2: str | None
    zip: str | None
    city: str | None
    country: str | None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Said(_Unshown):
    """Who said something, and the free text."""

    by: Person | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Personal(_Unshown):
    """Everything about people in a customer order; `items` and `responses` in the order of the record's."""

    customer_address: Address | None = None
    contact: Person | None = None
    request_address: Address | None = None
    requested: Said = Said()
    items: tuple[str | None, ...] = ()
    responses: tuple[Said, ...] = ()
    cancelled: Said = Said()


def personal(record: Mapping[str, object]) -> Personal:
    """Read what a delivery tells about people; never raises."""
    customer, request = _object(record, "customer"), _object(record, "request")
    return Personal(
        customer_address=_address(customer),
        contact=_person(customer, "contact"),
        request_address=_address(request),
        requested=_said(request),
        items=tuple(_text(_mapping(item), "message") for item in _list(request, "items")),
        responses=tuple(_said(_mapping(response)) for response in _list(record, "responses")),
        cancelled=_said(_object(record, "cancelled")),
    )


def without_people(value: object) -> object:
    """Return a JSON value in which every field about people is masked, however deep it lies."""
    if isinstance(value, Mapping):
        return {name: _without_people(str(name), inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_people(inner) for inner in value]
    return value


def _without_people(name: str, value: object) -> object:
    if name in FIELDS or (name in _HOLDERS and isinstance(value, str)):
        return MASK
    if name in _HOLDERS and isinstance(value, list):
        return [MASK if isinstance(one, str) else without_people(one) for one in value]
    return without_people(value)


def _said(record: Mapping[str, object]) -> Said:
    return Said(by=_person(record, "user"), message=_text(record, "message"))


def _person(record: Mapping[str, object], name: str) -> Person | None:
    found = _object(record, name)
    return Person(name=_text(found, "name"), email=_text(found, "email")) if found else None


def _address(record: Mapping[str, object]) -> Address | None:
    found = _object(record, "address")
    if not found:
        return None
    return Address(
        address1=_text(found, "address1"),
        address2=_text(found, "address2"),
        zip=_text(found, "zip"),
        city=_text(found, "city"),
        country=_text(found, "country"),
    )


def _object(record: Mapping[str, object], name: str) -> Mapping[str, object]:
    return _mapping(record.get(name))


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(record: Mapping[str, object], name: str) -> list[object]:
    found = record.get(name)
    return found if isinstance(found, list) else []


def _text(record: Mapping[str, object], name: str) -> str | None:
    found = record.get(name)
    return storable(found) if isinstance(found, str) else None
