"""A call of barmate's webhooks is read for the order that it names, and for nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.barmate_call import LONGEST_TEXT, BadCall, Call, CallType, UnknownCall, read_call

GOOD: dict[str, Any] = {"type": "cancel-delivery", "idempotency_key": "k", "data": {"id": 12, "status": "CANCELLED"}}

ANYTHING = (
    st.none() | st.booleans() | st.floats() | st.text() | st.dictionaries(st.just("id"), st.text() | st.integers())
)


def read(**changes: object) -> Call | UnknownCall | BadCall:
    """Read a good call with these changes."""
    return read_call(json.dumps({**GOOD, **changes}).encode())


@pytest.mark.parametrize(
    ("written", "meant"), [(12, "12"), ("12", "12"), ("d-1/2", "d-1/2"), (2**70, str(2**70)), ("ä", "ä")]
)
def test_an_id_is_an_opaque_text_however_it_is_written(written: object, meant: str) -> None:
    """The vendor's example shows a number; nothing says that it stays one."""
    assert read(data={"id": written}) == Call(type=CallType.CANCEL, key="k", order_id=meant)


def test_nothing_but_type_key_and_id_is_needed() -> None:
    """What else a call says is not believed, so it may be anything."""
    assert read(type="request-delivery", data={"id": 1, "items": "none"}, extra=[]) == Call(
        type=CallType.REQUEST, key="k", order_id="1"
    )


@pytest.mark.parametrize("type_", ["deliver", "", "REQUEST-DELIVERY", "request-delivery "])
def test_a_type_that_is_not_documented_is_told_apart_from_a_bad_call(type_: str) -> None:
    """It may be a new event; it is no mistake."""
    assert read(type=type_, data=None) == UnknownCall()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": 1}, "the field type should be a string and is int"),
        ({"idempotency_key": None}, "the field idempotency_key should be a string and is NoneType"),
        ({"idempotency_key": ""}, "the field idempotency_key is empty"),
        ({"idempotency_key": "a\x00"}, "the field idempotency_key is longer than 200 characters or has some"),
        ({"idempotency_key": "a" * (LONGEST_TEXT + 1)}, "the field idempotency_key is longer than 200 characters"),
        ({"idempotency_key": "\ud800"}, "the field idempotency_key is longer than 200 characters or has some"),
        ({"data": [1]}, "the field data should be a JSON object and is list"),
        ({"data": {}}, "the field data.id is missing"),
        ({"data": {"id": True}}, "the field data.id should be an identifier and is bool"),
        ({"data": {"id": 1.5}}, "the field data.id should be an identifier and is Decimal"),
        ({"data": {"id": ""}}, "the field data.id should be an identifier and is str"),
        ({"data": {"id": "a\nb"}}, "the field data.id is longer than 200 characters or has some"),
        ({"data": {"id": "9" * (LONGEST_TEXT + 1)}}, "the field data.id is longer than 200 characters"),
    ],
)
def test_a_bad_call_names_the_field_and_quotes_nothing(changes: dict[str, object], reason: str) -> None:
    """The value is foreign, and may be about people."""
    bad = read(**changes)

    assert isinstance(bad, BadCall)
    assert bad.reason.startswith(reason)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"type": NaN}',
        b'{"data": {"id": 1e999999999999999999999}}',
        b'{"data": {"id": ' + b"9" * 10_000 + b"}}",
        b"\x1f\x8b\x08",
    ],
)
def test_what_is_no_json_object_is_a_bad_call(body: bytes) -> None:
    """However it is broken, and however deep."""
    assert isinstance(read_call(body), BadCall)


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=60) | st.dictionaries(st.sampled_from(sorted(GOOD)), ANYTHING).map(json.dumps).map(str.encode)
)
def test_reading_never_raises(body: bytes) -> None:
    """Whatever came: it is a call, or it is none."""
    assert isinstance(read_call(body), Call | UnknownCall | BadCall)
