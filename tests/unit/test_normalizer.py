from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vendor_examples import printed_delivery
from worker.reading.normalizer import DeliveryRecord, SetAside, normalize

SEED = printed_delivery()


def parsed(**changes: object) -> DeliveryRecord:
    """The seed's delivery with changes, which must parse."""
    found = normalize({**SEED, **changes})
    assert isinstance(found, DeliveryRecord), found
    return found


def refused(**changes: object) -> SetAside:
    """The seed's delivery with changes, which must not parse."""
    found = normalize({**SEED, **changes})
    assert isinstance(found, SetAside), found
    return found


def test_the_documented_example_is_read_field_by_field() -> None:
    """A delivery as the vendor documents it is understood completely."""
    record = parsed()

    assert (record.id, record.customer_id) == (21001206, 1000050)
    assert (record.status, record.status_inbound) == ("draft", "new")
    assert (record.number, record.number_external, record.purchase_order) == ("LS010328", None, "PO010328")
    assert record.updated_at == record.created_at == datetime(2024, 5, 13, 12, 11, 9, tzinfo=UTC)
    assert record.unrecognised == ()
    assert record.line_items is not None
    assert record.line_items[0].quantity == Decimal(5000)
    assert (record.line_items[0].article_number, record.line_items[0].unit) == ("A1000-BLUE", "ST")


def test_the_purchase_order_is_kept_byte_for_byte() -> None:
    """Nothing is trimmed, folded or normalised: it is a key."""
    assert parsed(numberPurchaseOrder=" po\u00e9 ").purchase_order == " po\u00e9 "
    assert parsed(numberPurchaseOrder="").purchase_order == ""
    assert parsed(numberPurchaseOrder=None).purchase_order is None


def test_extra_fields_and_missing_optional_ones_are_tolerated() -> None:
    """The interface is a beta: fields come and go."""
    bare = {name: SEED[name] for name in ("id", "customerId", "status", "statusInbound", "number", "updatedAt")}
    record = normalize({**bare, "carrier": {"name": "new"}})

    assert isinstance(record, DeliveryRecord)
    assert record.line_items is None
    assert record.created_at is None


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2024-05-13T14:11:09+02:00", datetime(2024, 5, 13, 12, 11, 9, tzinfo=UTC)),
        ("2024-05-13T12:11:09.5Z", datetime(2024, 5, 13, 12, 11, 9, 500000, tzinfo=UTC)),
        ("2024-05-13T12:11:09.1234567Z", datetime(2024, 5, 13, 12, 11, 9, 123456, tzinfo=UTC)),
        ("2024-05-13T12:11:09", datetime(2024, 5, 13, 12, 11, 9, tzinfo=UTC)),
    ],
)
def test_stamps_may_carry_offsets_and_fractions(stamp: str, expected: datetime) -> None:
    """Whatever form of ISO 8601 comes, it is the same instant in UTC; without an offset it is UTC."""
    assert parsed(updatedAt=stamp).updated_at == expected


@pytest.mark.parametrize("stamp", ["yesterday", "2024-05-13", "2024-13-13T00:00:00Z", "0001-01-01T00:00:00+23:00", ""])
def test_a_stamp_that_is_none_sets_the_record_aside(stamp: str) -> None:
    """A delivery without a usable stamp can't be ordered, so it is set aside with what could be read."""
    aside = refused(updatedAt=stamp)

    assert "updatedAt" in aside.reason
    assert aside.stamp is None
    assert (aside.delivery_id, aside.customer_id, aside.purchase_order) == (21001206, 1000050, "PO010328")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": "21001206"}, "id"),
        ({"id": True}, "id"),
        ({"id": 0}, "id"),
        ({"id": 2**63}, "id"),
        ({"customerId": 1.0}, "customerId"),
        ({"customerId": None}, "customerId"),
        ({"status": 3}, "status"),
        ({"number": None}, "number"),
        ({"number": "a\x00b"}, "number"),
        ({"numberPurchaseOrder": 17}, "numberPurchaseOrder"),
        ({"lineItems": {}}, "lineItems"),
        ({"lineItems": [{"status": "new", "quantity": "5"}]}, "lineItems[0].quantity"),
        ({"lineItems": [{"status": "new", "quantity": True}]}, "lineItems[0].quantity"),
    ],
)
def test_a_value_of_another_type_sets_the_record_aside(changes: dict[str, object], field: str) -> None:
    """Text in a whole number, a boolean, a null where one is needed: nothing is guessed, the reason names the field."""
    assert f"The field {field} " in refused(**changes).reason


def test_a_missing_field_is_named() -> None:
    """The reason says which field is missing."""
    aside = normalize({name: value for name, value in SEED.items() if name != "number"})

    assert isinstance(aside, SetAside)
    assert aside.reason == "The field number is missing."


@pytest.mark.parametrize("raw", [None, 3, "text", [], [SEED]])
def test_what_is_no_object_is_set_aside(raw: object) -> None:
    """A list may hold anything."""
    aside = normalize(raw)

    assert isinstance(aside, SetAside)
    assert aside.delivery_id is None
    assert aside.identity == aside.payload_hash


def test_what_is_nested_deeper_than_can_be_written_is_still_kept() -> None:
    """A record that our fast writer refuses stops nobody."""
    deep: object = 1
    for _ in range(400):
        deep = [deep]

    assert parsed(attributes=deep).raw.count("[") >= 400


def test_undocumented_values_are_kept_and_flagged() -> None:
    """A new status is kept as it came, flagged, and never final."""
    record = parsed(
        status="Completed",
        statusInbound="parked",
        priority="urgent",
        lineItems=[{"status": "lost", "quantity": 1}],
    )

    assert record.status == "Completed"
    assert record.unrecognised == (
        "status=Completed",
        "statusInbound=parked",
        "priority=urgent",
        "lineItems[0].status=lost",
    )


def test_the_content_hash_does_not_depend_on_the_order_of_fields() -> None:
    """Equal content has an equal hash, and any other content another one."""
    turned = normalize(dict(reversed(SEED.items())))

    assert isinstance(turned, DeliveryRecord)
    assert turned.content_hash == parsed().content_hash
    assert parsed(note="other").content_hash != parsed().content_hash


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(), st.lists))
def test_normalizing_never_raises(value: object) -> None:
    """Whatever JSON a record is made of, it is a delivery or set aside."""
    for field in SEED:
        assert isinstance(normalize({**SEED, field: value}), DeliveryRecord | SetAside)
