from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.reading import normalizer
from worker.reading.normalizer import DeliveryRecord, normalize
from worker.reading.plain import is_plain
from worker.reading.wire import fault_of

PLAIN: dict[str, Any] = {
    "id": 21001206,
    "customerId": 1000050,
    "status": "completed",
    "statusInbound": "booked",
    "number": "LS1",
    "numberExternal": None,
    "numberPurchaseOrder": "PO1",
    "priority": "normal",
    "note": "Rampe 3, bitte klingeln: Süd",
    "lineItems": [{"id": 1, "status": "booked", "articleNumber": "A1", "articleUnit": "kg", "quantity": 3}],
    "createdAt": "2026-03-01T09:30:00Z",
    "updatedAt": "2026-03-02T09:30:00Z",
}

# What a source might send in any field: near misses of every type that is documented.
_STAMPS = (
    "2026-02-30T09:30:00Z",
    "2026-03-02T24:00:00Z",
    "2026-03-02 09:30:00Z",
    "2026-03-02T09:30:00Z\n",
    "0000-01-01T",
)
_NUMBERS = (0, 1, -1, 2**63 - 1, 2**63, -(2**63) + 1, -(2**63), 2**64 - 1, True, False, 1.0, "1")
_TEXTS = ("", "x", "\x00", "a\\u0000b", "é", "draft", "unheard of", None)
_SHAPES: tuple[object, ...] = (
    [],
    {},
    [{}],
    [None],
    [{"status": "booked"}],
    [{"status": 1, "quantity": 1}],
    {"status": "booked"},
)
VALUES = st.one_of(
    st.sampled_from((*_STAMPS, *_NUMBERS, *_TEXTS, *_SHAPES)),
    st.integers(-(2**63), 2**64 - 1),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%SZ}"),
)
LEFT_OUT = "left out"


@st.composite
def records(draw: st.DrawFn) -> dict[str, Any]:
    """A plain record with some of its fields bent or left out, in the head and in its line item."""
    record: dict[str, Any] = orjson.loads(orjson.dumps(PLAIN))
    for place in (record, record["lineItems"][0]):
        for name in draw(st.lists(st.sampled_from(sorted(place)), max_size=2, unique=True)):
            value = draw(st.one_of(st.just(LEFT_OUT), VALUES))
            if value == LEFT_OUT:
                del place[name]
            else:
                place[name] = value
    return record


@given(records())
def test_what_looks_plain_is_what_a_close_look_accepts(raw: dict[str, Any]) -> None:
    """A record that is taken at first sight is one that the careful check takes, and it says the same."""
    quick = normalize(raw)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normalizer, "is_plain", lambda _raw, _payload: False)
        assert quick == normalize(raw)


def test_most_records_are_plain() -> None:
    """The documented form is recognised at first sight: else every record would be looked at twice."""
    assert is_plain(PLAIN, orjson.dumps(PLAIN))


@pytest.mark.parametrize("change", [{"status": 1}, {"lineItems": [{"status": "booked"}]}, {"number": "a\x00b"}])
def test_a_record_with_a_fault_is_not_plain(change: dict[str, Any]) -> None:
    """What the careful check refuses is never taken at first sight."""
    raw = PLAIN | change

    assert fault_of(raw) is not None
    assert not is_plain(raw, orjson.dumps(raw))


def test_a_stamp_that_is_no_day_is_set_aside_with_its_reason() -> None:
    """A stamp may look plain and be no instant: then the careful check says why."""
    found = normalize(PLAIN | {"updatedAt": "2026-02-30T09:30:00Z"})

    assert not isinstance(found, DeliveryRecord)
    assert found.reason == "The field updatedAt cannot be understood: is not an ISO 8601 instant."
