"""barmate's records: what is read exactly, what is kept apart, and what is set aside."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.answer import Answer
from connectors.barmate_records import CustomerOrder, Unreadable
from connectors.barmate_shapes import customer_order
from connectors.errors import UnexpectedAnswer
from connectors.exact import exact_json

EXAMPLE: dict[str, Any] = json.loads(
    (Path(__file__).parent.parent / "contract" / "barmate-delivery.json").read_text(encoding="utf-8")
)
# Everything in the example that is about people.
PEOPLE = ("Besitzer", "Lagerist", "Lieferant", "beispiel", "Beispielstrasse", "Vielen Dank", "Gerne", "mein-club")


def example(change: Callable[[dict[str, Any]], object] = lambda _: None) -> dict[str, Any]:
    """Return a changed copy of the vendor's example."""
    record = copy.deepcopy(EXAMPLE)
    change(record)
    return record


def readable(record: object) -> CustomerOrder:
    """Return the customer order of a record that can be read."""
    order = customer_order(record)
    assert isinstance(order, CustomerOrder)
    return order


def test_every_number_is_exact() -> None:
    """A fraction is the decimal that was written, never the nearest float."""
    text = json.dumps(example()).replace('"count": 2', '"count": 2.675000000000000000001')
    items = readable(exact_json(Answer(status=200, body=text.encode()))).items

    assert items is not None
    assert items[0].count == Decimal("2.675000000000000000001")


@pytest.mark.parametrize("number", ["1e400", "1e-400", "1e99999999999999999999", '"2"', "true", "null", "[]", "NaN"])
def test_a_count_that_goods_cannot_have_is_no_count(number: str) -> None:
    """A number beyond all bounds or of another type never becomes a quantity; the record or the answer is refused."""
    text = json.dumps(example()).replace('"count": 2', f'"count": {number}')
    try:
        found = customer_order(exact_json(Answer(status=200, body=text.encode())))
    except UnexpectedAnswer:
        return

    assert not isinstance(found, CustomerOrder)


def test_an_id_is_opaque() -> None:
    """A number and a string are the same id; neither is compared as a number."""
    as_number, as_text = readable(example()), readable(example(lambda record: record.update(id="123456789")))

    assert as_number == as_text
    assert readable(example(lambda record: record.update(id="00A/1"))).id == "00A/1"


def test_people_are_in_one_place_and_never_shown() -> None:
    """Names, e-mails, addresses and messages are in `personal` only, and no repr has them."""
    order = readable(example())

    assert order.personal.contact is not None
    assert order.personal.contact.email == "besitzer@mein-club.ch"
    assert order.personal.responses[0].message == "Gerne!"
    for shown in (repr(order), repr(order.personal), repr(order.personal.contact), f"{order.personal.requested}"):
        assert not [word for word in PEOPLE if word.lower() in shown.lower()]


def test_odd_people_stop_nobody() -> None:
    """A personal part of another shape is left out, odd characters are replaced; the order is read all the same."""

    def spoil(record: dict[str, Any]) -> None:
        record["customer"].update(contact=7, address=["x"])
        record["request"]["message"] = "\ud800Danke\x00"

    order = readable(example(spoil))

    assert order.personal.requested.message == "?Danke?"
    assert order.personal.contact is None
    assert order.personal.customer_address is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda record: record.pop("request"),
        lambda record: record["request"].update(timestamp="yesterday"),
        lambda record: record["request"].update(timestamp="2021-06-23T14:46:48"),
        lambda record: record["request"].update(timestamp="0001-01-01T00:00:00+05:00"),
        lambda record: record["request"].update(cost_center="\ud800"),
        lambda record: record["request"]["items"][0].update(name="G\x00in"),
        lambda record: record["request"]["items"][0].update(count="two"),
        lambda record: record["request"]["items"].append(None),
        lambda record: record.update(responses={}),
        lambda record: record.update(status=None),
        lambda record: record.update(cancelled=True),
        lambda record: record["request"].update(scheduled={"date": "26.05.2020"}),
        lambda record: record["request"].update(scheduled={"date": "2020-05-26", "time": "12:30+02:00"}),
    ],
)
def test_a_record_of_another_shape_is_set_aside_with_its_reason(spoil: Callable[[dict[str, Any]], object]) -> None:
    """The id, why, and all of the payload are kept; its repr and its impersonal form tell nothing about people."""
    found = customer_order(example(spoil))

    assert isinstance(found, Unreadable)
    assert found.id == "123456789"
    assert "the field" in found.reason
    assert json.loads(found.payload)["customer"]["contact"]["name"] == "Besitzer"
    assert found.payload.isascii()
    for shown in (repr(found), found.impersonal, found.reason):
        assert not [word for word in PEOPLE if word.lower() in shown.lower() and word != "mein-club"]


@pytest.mark.parametrize("name", ["customer", "request", "cancelled", "responses"])
@pytest.mark.parametrize("wrap", [str, lambda text: [text]])
def test_a_text_where_an_object_belongs_is_kept_as_little(name: str, wrap: Callable[[str], object]) -> None:
    """What stands there instead may well be a name or a message."""
    found = customer_order(example(lambda record: record.update({name: wrap("Jane Roe said so")})))

    assert isinstance(found, Unreadable)
    assert "Jane" not in f"{found.impersonal}{found.reason}"


@pytest.mark.parametrize("value", [None, 7, "text", [], {}, {"id": True}, {"id": ""}, {"id": {}}, {"id": "\ud800"}])
def test_what_is_no_record_at_all_is_set_aside_without_an_id(value: object) -> None:
    """Nothing that JSON can hold makes reading fail, and no id is kept that nobody could ask for."""
    found = customer_order(value)

    assert isinstance(found, Unreadable)
    assert found.id is None


def test_undocumented_values_are_kept_and_flagged_and_never_final() -> None:
    """Each enumerated value that nobody documented is named; packaging may be a code or a word."""

    def spoil(record: dict[str, Any]) -> None:
        record.update(type="SWAP", status="SHIPPED")
        record["responses"][0]["type"] = "MAYBE"
        record["request"]["items"][0].update(order_by="crate", price_per="dozen")
        record["request"]["items"][0]["vessel"]["unit"] = "gal"
        record["request"]["items"][0]["bundle"]["type"] = "ZZ"

    order = readable(example(spoil))

    assert (order.type, order.status, order.is_final) == ("SWAP", "SHIPPED", False)
    assert order.unknown == (
        "type=SWAP",
        "status=SHIPPED",
        "responses.type=MAYBE",
        "items.order_by=crate",
        "items.price_per=dozen",
        "items.vessel.unit=gal",
    )


@pytest.mark.parametrize("spelling", ["PX", "pallet"])
def test_a_pallet_is_one_in_both_spellings(spelling: str) -> None:
    """Codes and words mean the same."""
    bundle = {"type": spelling, "size": 40, "pallet_bundle": {"type": "CT", "size": 12}}
    item = readable(example(lambda record: record["request"]["items"][0].update(bundle=bundle))).items

    assert item is not None
    assert item[0].bundle is not None
    assert item[0].bundle.is_pallet
    assert item[0].bundle.pallet_bundle is not None
    assert item[0].bundle.pallet_bundle.size == Decimal(12)


def test_a_response_is_found_by_its_reference() -> None:
    """The newest one that carries it, in whatever order they come."""

    def answer_more(record: dict[str, Any]) -> None:
        first = record["responses"][0]
        record["responses"] += [
            {**first, "timestamp": "2021-06-25T00:00:00Z", "type": "UPDATE"},
            {**first, "timestamp": "2021-06-24T00:00:00Z"},
            {**first, "timestamp": "2021-06-26T00:00:00Z", "reference": "another"},
        ]

    order = readable(example(answer_more))
    found = order.response_with("delivery-123")

    assert found is not None
    assert found.timestamp == datetime(2021, 6, 25, tzinfo=UTC)
    assert order.response_with("delivery-1") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text() | st.sampled_from(["kg", "PX", "2020-05-26"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(value: object) -> list[tuple[Any, Any]]:
    """Return every place of a JSON value: what holds it, and its name or index there."""
    names = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    holder: Any = value
    return [(holder, name) for name in names] + [place for name in names for place in places(holder[name])]


@given(JSON, st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_comes_in_a_place_the_record_is_read_or_set_aside(value: object, data: st.DataObject) -> None:
    """Reading never raises, and what was read or set aside can be stored."""
    record = example()
    holder, name = data.draw(st.sampled_from(places(record)))
    holder[name] = value
    found = customer_order(record)

    if isinstance(found, Unreadable):
        assert found.reason
        assert found.payload.isascii()
    else:
        assert f"{found}{found.personal.requested.message}{found.id}".encode()
