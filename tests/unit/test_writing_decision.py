"""What is to be done about a write, from what was just read."""

from typing import Any

import orjson
import pytest

from tests.vendor_examples import printed_delivery
from worker.writing import decision
from worker.writing.decision import Doubt, Hits, Impossible, Send, There
from worker.writing.likeness import differences, fingerprint, merged

ITEM = {"articleId": 71035893, "quantity": 5000}
_PRINTED = printed_delivery()
SHOWN = {**_PRINTED, "lineItems": [{**_PRINTED["lineItems"][0], "note": None}]}
NEW = {"customerId": 1000050, "number": "LS010328", "date": "2024-05-13T09:30:00Z", "lineItems": [ITEM]}


def _hits(*records: dict[str, Any], doubt: str | None = None) -> Hits:
    return Hits(records=records, doubt=doubt)


@pytest.mark.parametrize(
    ("wanted", "others"),
    [
        (NEW, ()),
        ({"numberExternal": ""}, ()),
        ({"priority": None}, ()),
        ({"date": "2024-05-13T11:30:00+02:00"}, ()),
        ({"date": "2024-05-13T09:30:00.400Z"}, ()),
        ({"attributes": {"areaId": "1000175"}}, ()),
        ({"lineItems": None}, ()),
        ({"note": "other"}, ("note",)),
        ({"date": "2024-05-14T09:30:00Z"}, ("date",)),
        ({"date": "2024-05-14"}, ("date",)),
        ({"attributes": None}, ("attributes",)),
        ({"attributes": {"placeId": "7"}}, ("attributes",)),
        ({"lineItems": []}, ("lineItems",)),
        ({"lineItems": [ITEM, ITEM]}, ("lineItems",)),
        ({"lineItems": [{**ITEM, "batchNumber": "B"}]}, ("lineItems",)),
        ({"priority": "high", "number": "X"}, ("priority", "number")),
    ],
)
def test_only_fields_that_are_wanted_are_compared_by_what_they_mean(
    wanted: dict[str, Any], others: tuple[str, ...]
) -> None:
    """A blank is null, an offset is an instant, a field that was not named says nothing."""
    assert differences(wanted, SHOWN) == others


def test_line_items_are_alike_in_any_order_and_by_either_name_of_the_handling_unit() -> None:
    """The source may list them otherwise, and its own page has two names."""
    units = [{**ITEM, "handlingUnitNumberExternal": name, "bestBeforeDate": "2026-05-01"} for name in ("A", "B")]
    shown = [{**ITEM, "loadNumberExternal": name, "bestBeforeDate": "2026-05-01T00:00:00Z"} for name in ("B", "A")]

    assert differences({"lineItems": units}, {"lineItems": shown}) == ()


def test_a_number_that_is_not_there_may_be_created() -> None:
    """The body is what the file says."""
    decided = decision.create(NEW, _hits())

    assert isinstance(decided, Send)
    assert orjson.loads(decided.body or b"") == NEW


def test_a_number_that_is_there_is_not_created_again() -> None:
    """As wanted it is done; otherwise, or twice, it cannot be."""
    again = decision.create(NEW, _hits(SHOWN))
    other = decision.create({**NEW, "date": "2025-01-01"}, _hits(SHOWN))
    twice = decision.create(NEW, _hits(SHOWN, {**SHOWN, "id": 5}))

    assert isinstance(again, There)
    assert isinstance(other, Impossible)
    assert "is taken by delivery 21001206, which differs in date" in other.sentence
    assert isinstance(twice, Impossible)
    assert "has 2 deliveries with the number 'LS010328' (21001206, 5)" in twice.sentence


def test_a_reading_that_proves_nothing_creates_nothing() -> None:
    """Absence needs a proof; presence does not."""
    assert isinstance(decision.create(NEW, _hits(doubt="the answer came from a cache (Age)")), Doubt)
    assert isinstance(decision.create(NEW, _hits(SHOWN, doubt="the answer came from a cache (Age)")), There)


def test_an_update_sends_the_whole_head_as_it_was_read_with_what_is_wanted_over_it() -> None:
    """An omitted head field may be cleared, so none is omitted, not even one that we do not know."""
    decided = decision.update({"note": None}, 21001206, {**SHOWN, "dock": "7"})

    assert isinstance(decided, Send)
    assert decided.baseline == fingerprint({**SHOWN, "dock": "7"})
    assert orjson.loads(decided.body or b"") == {
        "customerId": 1000050,
        "number": "LS010328",
        "numberExternal": None,
        "numberPurchaseOrder": "PO010328",
        "date": "2024-05-13T09:30:00Z",
        "priority": "normal",
        "note": None,
        "attributes": {"areaId": "1000175", "placeId": "1145046"},
        "dock": "7",
        "lineItems": [
            {
                **ITEM,
                "serialNumber": None,
                "batchNumber": None,
                "bestBeforeDate": None,
                "handlingUnitNumberExternal": None,
                "note": None,
            }
        ],
    }


def test_line_items_go_with_a_draft_and_are_null_afterwards() -> None:
    """logistic.cloud: after the approval they must be null."""
    draft = merged({"lineItems": [ITEM, ITEM]}, SHOWN)
    approved = merged({"note": "x"}, {**SHOWN, "status": "approved"})

    assert draft["lineItems"] == [ITEM, ITEM]
    assert approved["lineItems"] is None


def test_attributes_are_merged_one_by_one() -> None:
    """Naming the area leaves the place alone; null takes both away."""
    one = merged({"attributes": {"areaId": "9"}}, SHOWN)
    none = merged({"attributes": None}, SHOWN)

    assert one["attributes"] == {"areaId": "9", "placeId": "1145046"}
    assert none["attributes"] == {"areaId": None, "placeId": None}


@pytest.mark.parametrize(
    ("wanted", "status", "sentence"),
    [
        ({"lineItems": []}, "approved", "is approved, and line items can be changed in a draft only"),
        ({"note": "x"}, "completed", "is completed: nothing about it can be changed any more"),
        ({"note": "x"}, "cancelled", "is cancelled: nothing about it can be changed any more"),
        ({"customerId": 5}, "draft", "belongs to customer 1000050, and stays there"),
    ],
)
def test_what_the_source_would_refuse_is_not_sent(wanted: dict[str, Any], status: str, sentence: str) -> None:
    """One sentence instead."""
    decided = decision.update(wanted, 21001206, {**SHOWN, "status": status})

    assert isinstance(decided, Impossible)
    assert sentence in decided.sentence


def test_an_update_that_changes_nothing_is_done_even_where_nothing_can_be_changed() -> None:
    """Asking twice is no mistake."""
    assert isinstance(decision.update({"note": SHOWN["note"]}, 21001206, {**SHOWN, "status": "completed"}), There)


@pytest.mark.parametrize("status", ["approved", "processing", "completed"])
def test_what_is_approved_already_is_done(status: str) -> None:
    """Approving twice may be refused or not; it is not tried."""
    assert isinstance(decision.approve(21001206, {**SHOWN, "status": status}), There)


@pytest.mark.parametrize("status", ["cancelled", "error", "unknown", "somethingNew"])
def test_only_a_draft_can_be_approved(status: str) -> None:
    """Anything else is no approval, and is not called one."""
    decided = decision.approve(21001206, {**SHOWN, "status": status})

    assert isinstance(decided, Impossible)
    assert f"is {status}: only a draft" in decided.sentence


def test_a_draft_is_approved_without_a_body_and_a_missing_delivery_cannot_be() -> None:
    """A 404 may also mean that the key does not see it."""
    assert decision.approve(1, SHOWN) == Send(body=None)
    for decided in (decision.approve(1, None), decision.update({"note": "x"}, 1, None)):
        assert isinstance(decided, Impossible)
        assert "or its API key does not see it" in decided.sentence
