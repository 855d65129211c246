"""Files of links: what is taken, and a sentence for every kind of mistake."""

import json
from pathlib import Path

import pytest

from tests.order_kit import CREDIT_ORDER
from worker.errors import UsageError
from worker.orders.link_file import load_links, parse_links
from worker.orders.link_row import NOTE_CHARACTERS, LinkRow

HEADER = (
    "purchase_order,credit_order_id,credit_kg,account,customer_id,expected_deliveries,open_ended,"
    "project,issuance,batches,note"
)
BATCHES = ("ctb_1FAN3S3WVSBXB001", "ctb_1FAN3S3WVSBXB002")


def refused(text: str | bytes, *, count_required: bool = False) -> str:
    """The sentence with which a file's content is refused."""
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(UsageError) as caught:
        parse_links(data, "links.csv", count_required=count_required)
    return caught.value.sentence


def taken(text: str, *, count_required: bool = False) -> tuple[LinkRow, ...]:
    """The rows of a file's content."""
    return parse_links(text.encode(), "links.csv", count_required=count_required)


def one(**cells: object) -> dict[str, object]:
    """A JSON object that is a good row, changed."""
    return {"purchase_order": "PO-1", "credit_order_id": CREDIT_ORDER, **cells}


def csv_row(**cells: str) -> str:
    """A CSV file of one row that is good, changed."""
    row = {"purchase_order": "PO-1", "credit_order_id": CREDIT_ORDER, **cells}
    return HEADER + "\n" + ",".join(f'"{row.get(column, "")}"' for column in HEADER.split(",")) + "\n"


FULL = LinkRow(
    line=2,
    purchase_order="PO-1",
    credit_order_id=CREDIT_ORDER,
    credit_kg=12,
    account="acme.logistic.cloud",
    customer_id=7,
    expected_deliveries=3,
    open_ended=False,
    project="prj_1FAN3S3WVSBXB842",
    issuance="iss_1FAN3S3WVSBXB842",
    batches=BATCHES,
    note="Delivered with care.",
)


def test_every_column_of_a_csv_file_is_read() -> None:
    """Cells become what they mean; blanks around them do not matter."""
    text = csv_row(
        credit_kg=" 12 ",
        account="ACME.logistic.cloud",
        customer_id="7",
        expected_deliveries="3",
        open_ended="no",
        project="prj_1FAN3S3WVSBXB842",
        issuance="iss_1FAN3S3WVSBXB842",
        batches=f"{BATCHES[0]}; {BATCHES[1]}",
        note="Delivered with care.",
    )

    assert taken(text) == (FULL,)


def test_json_and_csv_say_the_same() -> None:
    """An array of objects, one object a line, or a single object; numbers as numbers, batches as a list."""
    row = one(
        credit_kg=12,
        account="acme.logistic.cloud",
        customer_id=7,
        expected_deliveries=3,
        open_ended=False,
        project="prj_1FAN3S3WVSBXB842",
        issuance="iss_1FAN3S3WVSBXB842",
        batches=list(BATCHES),
        note="Delivered with care.",
    )
    other = one(purchase_order="PO-2", credit_kg=None)
    shapes = ("\n" + json.dumps(row), f"\n{json.dumps(row)}\n\n{json.dumps(other)}\n", "[\n" + json.dumps(row) + "]")

    assert [taken(text)[0] for text in shapes] == [FULL, FULL, FULL]
    assert taken(shapes[1])[1].line == 4


def test_only_two_columns_are_needed() -> None:
    """Everything else is optional, in any order of the columns."""
    (row,) = taken(f"credit_order_id,purchase_order\n{CREDIT_ORDER},PO-1\n")

    assert (row.credit_kg, row.account, row.customer_id, row.batches, row.note) == (None, "", 0, (), None)


def test_a_byte_order_mark_and_blank_lines_do_not_matter() -> None:
    """Spreadsheets leave both behind; lines are counted as they stand in the file."""
    text = f"\ufeffpurchase_order,credit_order_id\r\n\r\nPO-1,{CREDIT_ORDER}\r\n,\r\n\r\n"

    assert [(row.line, row.purchase_order) for row in taken(text)] == [(3, "PO-1")]


def test_a_purchase_order_number_is_kept_byte_for_byte() -> None:
    """Blanks and signs that belong to a number come through a JSON file."""
    rows = taken(json.dumps([one(purchase_order=number) for number in (" 01", "-5", "Ä/1")]))

    assert [row.purchase_order for row in rows] == [" 01", "-5", "Ä/1"]


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"purchase_order": " "}, "column purchase_order: blank; every link names a purchase order"),
        ({"purchase_order": "P" * 51}, "column purchase_order: 51 characters; a purchase order number has at most 50"),
        ({"purchase_order": "a\x07"}, "column purchase_order: 'a\\x07' holds a character that cannot be seen"),
        ({"purchase_order": " PO"}, "column purchase_order: ' PO' begins or ends with a blank"),
        ({"purchase_order": "=1+1"}, "column purchase_order: '=1+1' would be run as a formula"),
        (
            {"purchase_order": "4.5E+09"},
            "column purchase_order: '4.5E+09' is a number that a spreadsheet has shortened",
        ),
        ({"note": "@cmd"}, "column note: '@cmd' would be run as a formula"),
        ({"credit_order_id": ""}, "column credit_order_id: blank; every link names a credit order"),
        ({"credit_order_id": "dlv_1FAN3S3WVSBXB842"}, "column credit_order_id: 'dlv_1FAN3S3WVSBXB842' is not a credit"),
        ({"credit_order_id": "ord_1"}, "column credit_order_id: 'ord_1' is not a credit order's id"),
        ({"credit_kg": "1.5"}, "column credit_kg: '1.5' is not a whole number of kilograms"),
        ({"credit_kg": "0"}, "column credit_kg: '0' is not a whole number of kilograms (digits only, above 0)"),
        ({"credit_kg": "-4"}, "column credit_kg: '-4' is not a whole number"),
        ({"credit_kg": "²"}, "column credit_kg: '²' is not a whole number"),
        ({"credit_kg": "9" * 5000}, "column credit_kg: '999"),
        ({"customer_id": "x"}, "column customer_id: 'x' is not a customer's number"),
        ({"customer_id": str(2**31)}, "column customer_id: '2147483648' is too large"),
        ({"account": "https://acme"}, "column account: 'https://acme' is not an account"),
        ({"expected_deliveries": "0"}, "column expected_deliveries: '0' is not a number of deliveries"),
        ({"open_ended": "maybe"}, "column open_ended: 'maybe' is neither yes nor no"),
        ({"open_ended": "yes", "expected_deliveries": "2"}, "column open_ended: the order is open-ended and has an"),
        ({"project": "iss_1FAN3S3WVSBXB842"}, "column project: 'iss_1FAN3S3WVSBXB842' is not a project's id"),
        ({"issuance": "nothing"}, "column issuance: 'nothing' is not an issuance's id"),
        ({"batches": f"{BATCHES[0]},{BATCHES[1]}"}, "is not a credit batch's id"),
        ({"batches": f"{BATCHES[0]} {BATCHES[0]}"}, "column batches: the same batch stands here twice"),
        ({"note": "für"}, "column note: the note is public and holds a character other than printable ASCII"),
        ({"note": "n" * (NOTE_CHARACTERS + 1)}, f"column note: {NOTE_CHARACTERS + 1} characters; beside the marker"),
        ({"note": "see wb1abc"}, "column note: a word of the note begins with wb1"),
    ],
)
def test_a_wrong_cell_is_named_by_line_and_column(cells: dict[str, str], sentence: str) -> None:
    """Each kind of mistake has a sentence of its own."""
    said = refused(csv_row(**cells))

    assert said.startswith("Nothing was taken from links.csv: line 2, ")
    assert sentence in said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "links.csv is empty"),
        (b"\xef\xbb\xbf \n", "links.csv is empty"),
        (b"purchase_order\nM\xfcller", "links.csv is not UTF-8 text (byte 17); save it again as UTF-8"),
        ("P\ufeff".encode("utf-16"), "links.csv is not UTF-8 text (byte 1)"),
        (f"PO-1,{CREDIT_ORDER}", "line 1: the header is missing; the first line names the columns, at least purchase"),
        ("purchase_order;credit_order_id\nPO-1;x", "line 1: the cells are separated by semicolons; save the file with"),
        ("purchase_order,credit_kgs\nPO-1,5", "line 1, column credit_kgs: no such column; did you mean credit_kg?"),
        ("purchase_order,xyz\nPO-1,5", "line 1, column xyz: no such column; the known ones are purchase_order, credit"),
        ("purchase_order,note\nPO-1,5", "line 1, column credit_order_id: this column is missing in the header"),
        ("purchase_order,purchase_order\n1,2", "column purchase_order: this column stands twice in the header"),
        (f"purchase_order,credit_order_id\nPO-1,{CREDIT_ORDER},5", "line 2: 3 cells, but the header has 2 columns"),
        ('purchase_order,credit_order_id\nPO-1,"ord', "line 2: this is not CSV (unexpected end of data)"),
        ("purchase_order,credit_order_id\n\n", "line 1: there is no link in it"),
        ("[]", "line 1: there is no link in it"),
        ("[\n5]", "line 2: this is not an object with the columns as keys"),
        ('[{"purchase_order": 5}]', 'line 1, column purchase_order: this is not text; write it in "quotes"'),
        ('[{"credit_kg": 5.0}]', "line 1, column credit_kg: this is not a whole number"),
        ('[{"credit_kg": true}]', "line 1, column credit_kg: this is not a whole number"),
        ('[{"open_ended": "no", "open_ended": "no"}]', "column open_ended: this key stands twice in the object"),
        ('[{"open_ended": 1}]', "column open_ended: this is neither true nor false"),
        ('[{"purchase_orders": "1"}]', "column purchase_orders: no such column; did you mean purchase_order?"),
        ('{"purchase_order": "1"}\n{"purchase_order"', "line 2: this is not JSON; check quotes, commas and brackets"),
        ('[{"purchase_order": "1"}', "line 1: the array is not closed; the file may have been cut off"),
        ('[{"purchase_order": "1"}]\n[]', "line 1: something follows the array; the file holds one array only"),
        ("[" * 100_000, "line 1: this is not JSON"),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_with_its_own_sentence(text: str | bytes, sentence: str) -> None:
    """What the file as a whole has wrong is said before any cell is looked at."""
    assert sentence in refused(text)


def test_automatic_mode_wants_to_know_how_many_deliveries_there_will_be() -> None:
    """Either the number or open_ended=yes, in every row."""
    assert "column expected_deliveries: blank; automatic mode needs the number" in refused(
        csv_row(), count_required=True
    )
    assert taken(csv_row(open_ended="yes"), count_required=True)[0].open_ended


def test_a_link_that_stands_twice_in_the_file_is_refused() -> None:
    """Same number, account and customer; the sentence names both lines."""
    text = f"purchase_order,credit_order_id\nPO-1,{CREDIT_ORDER}\nPO-2,{CREDIT_ORDER}\nPO-1,{CREDIT_ORDER}\n"

    assert "line 4, column purchase_order: the same purchase order, account and customer as line 2" in refused(text)


def test_the_first_twenty_mistakes_are_shown_and_the_others_counted() -> None:
    """A person mends a screenful at a time."""
    said = refused("purchase_order,credit_order_id\n" + "PO,x\n" * 23)

    assert said.count("is not a credit order's id") == 20
    assert said.endswith("; and 3 more.")


def test_a_file_is_read_from_disk_or_named_as_unreadable(tmp_path: Path) -> None:
    """The command hands over a path."""
    file = tmp_path / "links.csv"
    file.write_text(csv_row())

    assert len(load_links(file, count_required=False)) == 1
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        load_links(tmp_path, count_required=False)
