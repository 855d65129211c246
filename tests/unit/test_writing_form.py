"""The file of deliveries that an operator hands in: the vendor's own examples are taken, mistakes are named."""

import json
from pathlib import Path

import pytest

from worker.errors import UsageError
from worker.writing.delivery_file import MAX_DELIVERIES, load_changes, load_new

# As printed on the vendor's page, with its comma too many.
VENDOR_CREATE = """{
        "customerId": 1000050,
        "number": "LS010328",
        "numberExternal": null,
        "numberPurchaseOrder": "PO123456",
        "date": "2024-05-13T09:30:00Z",
        "note": "Unload with care, \\"top, }\\" first!",
        "attributes": {
          "areaId": "1000175",
          "placeId": "1145046"
        },
        "lineItems": [
          {
            "articleId": 71035893,
            "quantity": 5000,
            "serialNumber": null,
            "batchNumber": null,
            "bestBeforeDate": null,
            "handlingUnitNumberExternal": null,
            "note": "Please carry out a random check on 5% of the articles.",
          }
        ]
      }"""
VENDOR_UPDATE = """{
        "customerId": 1000050,
        "number": "LS010328",
        "numberExternal": "LSEX010328",
        "numberPurchaseOrder": "PO010328",
        "date": "2024-05-13T09:30:00Z",
        "priority": "high",
        "note": null,
        "attributes": {"areaId": "1000175", "placeId": "1145046"},
        "lineItems": [
          {
            "articleId": 71035893,
            "quantity": 5000,
            "serialNumber": null,
            "batchNumber": null,
            "loadNumberExternal": "0033245687899",
            "note": "Please carry out a random check on 5% of the articles."
          }
        ]
      }"""
LEAST = {"customerId": 1, "number": "N", "date": "2024-05-13T09:30:00Z"}
ITEM = {"articleId": 1, "quantity": 1}


def _file(folder: Path, content: object) -> Path:
    path = folder / "deliveries.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_the_vendors_create_example_is_taken_with_its_comma_too_many(tmp_path: Path) -> None:
    """What is copied from the page works, and text inside quotes is left alone."""
    (read,) = load_new(_file(tmp_path, VENDOR_CREATE))

    assert read["note"] == 'Unload with care, "top, }" first!'
    assert read["lineItems"] == [
        {
            "articleId": 71035893,
            "quantity": 5000,
            "serialNumber": None,
            "batchNumber": None,
            "bestBeforeDate": None,
            "handlingUnitNumberExternal": None,
            "note": "Please carry out a random check on 5% of the articles.",
        }
    ]


def test_the_vendors_update_example_is_taken_with_its_other_name_of_the_handling_unit(tmp_path: Path) -> None:
    """`loadNumberExternal` is a slip of the page; it is sent by the name that the resource has."""
    read = load_changes(_file(tmp_path, VENDOR_UPDATE))

    items = read["lineItems"]
    assert isinstance(items, list)
    assert items[0]["handlingUnitNumberExternal"] == "0033245687899"
    assert "loadNumberExternal" not in items[0]


def test_only_what_the_file_says_is_kept(tmp_path: Path) -> None:
    """A field that is left out is not the same as one that is null."""
    assert load_changes(_file(tmp_path, {"note": None})) == {"note": None}


def test_dates_with_an_offset_become_utc_as_the_source_shows_them(tmp_path: Path) -> None:
    """An offset of the reader's own is understood; a day alone is its first second."""
    offset = load_new(_file(tmp_path, {**LEAST, "date": "2024-06-20T12:48:48+02:00"}))
    day = load_new(_file(tmp_path, {**LEAST, "date": "2024-06-20"}))

    assert (offset[0]["date"], day[0]["date"]) == ("2024-06-20T10:48:48Z", "2024-06-20T00:00:00Z")


def test_a_list_is_several_deliveries_and_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Each is a write of its own."""
    path = _file(tmp_path, "\ufeff" + json.dumps([LEAST, {**LEAST, "number": "M"}]))

    assert [one["number"] for one in load_new(path)] == ["N", "M"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"number": "N", "date": "2024-05-13"}, "customerId is missing"),
        ({**LEAST, "number": "  "}, "number is blank"),
        ({**LEAST, "number": 5}, "number must be text in quotes"),
        ({**LEAST, "number": "N" * 51}, "number has more than 50 characters"),
        ({**LEAST, "customerId": 0}, "customerId must be at least 1"),
        ({**LEAST, "customerId": 2**31}, "customerId must be at most 2147483647"),
        ({**LEAST, "customerId": True}, "customerId must be a whole number"),
        ({**LEAST, "date": "soon"}, "date is not an instant; give ISO 8601 such as 2026-01-31T09:30:00Z"),
        ({**LEAST, "date": "2024-05-13T09:30:00"}, "date names no time zone; add Z for UTC, or an offset"),
        ({**LEAST, "date": "0001-01-01T00:00:00+02:00"}, "date is outside the calendar"),
        ({**LEAST, "priority": "urgent"}, "priority must be 'low', 'normal' or 'high'"),
        ({**LEAST, "note": "n" * 501}, "note has more than 500 characters"),
        ({**LEAST, "note": "a\x00b"}, "note holds a NUL character"),
        ({**LEAST, "status": "approved"}, "status is set by the warehouse; leave it out"),
        ({**LEAST, "colour": "red"}, "colour is not a field that can be written; leave it out"),
        ({**LEAST, "attributes": []}, "attributes must be a JSON object"),
        ({**LEAST, "lineItems": {}}, "lineItems must be a list, or null"),
        ({**LEAST, "lineItems": [ITEM, ITEM, {**ITEM, "quantity": 1.5}]}, "lineItems[2].quantity must be a whole"),
        ({**LEAST, "lineItems": [{**ITEM, "quantity": 0}]}, "lineItems[0].quantity must be at least 1"),
        ({**LEAST, "lineItems": [{**ITEM, "articleUnit": "ST"}]}, "lineItems[0].articleUnit is set by the warehouse"),
        (
            {**LEAST, "lineItems": [{**ITEM, "loadNumberExternal": "1", "handlingUnitNumberExternal": "2"}]},
            "lineItems[0].loadNumberExternal and handlingUnitNumberExternal mean the same; leave it out",
        ),
        ({**LEAST, "lineItems": [{**ITEM, "bestBeforeDate": "31.12.2026"}]}, "lineItems[0].bestBeforeDate is not an"),
        ([LEAST, {**LEAST, "date": 3}], "delivery 2: date must be text in quotes"),
        ([LEAST, LEAST], "delivery 2: number 'N' is that of delivery 1 as well"),
        ([], f"it holds 0 deliveries; give 1 to {MAX_DELIVERIES}"),
        ("nothing", "line 1, column 1: it is not JSON"),
        ("5", "it is not a JSON object"),
    ],
)
def test_a_mistake_is_named_by_field_and_nothing_is_taken(tmp_path: Path, content: object, sentence: str) -> None:
    """One sentence says what and where, in the words of the file."""
    with pytest.raises(UsageError) as refused:
        load_new(_file(tmp_path, content))

    assert refused.value.sentence.startswith("Nothing of deliveries.json was sent: ")
    assert sentence in refused.value.sentence


def test_an_update_must_name_a_field_and_cannot_clear_what_is_required(tmp_path: Path) -> None:
    """A file that changes nothing, or takes the number away, is a mistake."""
    with pytest.raises(UsageError, match="names no field to be changed"):
        load_changes(_file(tmp_path, {}))
    with pytest.raises(UsageError, match="number must be text in quotes"):
        load_changes(_file(tmp_path, {"number": None}))


def test_a_file_that_cannot_be_read_or_is_far_too_large_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The remedy is said as well."""
    with pytest.raises(UsageError, match="check the name of the file"):
        load_new(tmp_path / "missing.json")
    monkeypatch.setattr("worker.writing.delivery_file.MAX_BYTES", 10)
    with pytest.raises(UsageError, match="give several smaller files"):
        load_new(_file(tmp_path, LEAST))


def test_many_mistakes_are_told_up_to_a_number(tmp_path: Path) -> None:
    """The rest is counted."""
    with pytest.raises(UsageError, match=r"; and 10 more\.$"):
        load_new(_file(tmp_path, [{**LEAST, "number": str(place), "date": 1} for place in range(30)]))
