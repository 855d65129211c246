import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import typer

from tests.cli_kit import plain_environment
from worker.cli.options import parse_instant
from worker.cli.output import show_object, show_rows, to_json

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def test_a_listing_as_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts read line by line; instants end with Z."""
    show_rows([{"id": 1, "at": NOON}, {"id": 2, "at": None}], ("id",), as_json=True)
    lines = capsys.readouterr().out.splitlines()

    assert [json.loads(line) for line in lines] == [{"id": 1, "at": "2026-03-02T12:00:00Z"}, {"id": 2, "at": None}]


def test_a_table_shows_the_named_columns_on_unfolded_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no terminal is, a row is one line however long it is, so that it can be searched."""
    show_rows([{"id": 1, "purchase_order": "x" * 300, "raw": "hidden"}], ("id", "purchase_order"), as_json=False)
    header, row = capsys.readouterr().out.splitlines()

    assert header.split() == ["id", "purchase", "order"]
    assert row.split() == ["1", "x" * 300]


def test_a_reader_that_stops_reading_is_no_failure() -> None:
    """`waybill events list | head` ends quietly with 0."""
    program = (
        "from worker.cli.output import show_rows\n"
        "show_rows(({'number': number} for number in range(10**6)), ('number',), as_json=True)\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=plain_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        assert listing.stdout is not None
        assert listing.stderr is not None
        listing.stdout.readline()
        listing.stdout.close()
        complaint = listing.stderr.read()

    assert (listing.returncode, complaint) == (0, b"")


def test_a_long_listing_is_printed_while_it_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    """The first rows are out before the last are asked for."""
    printed_before: list[str] = []

    def rows() -> Iterator[dict[str, object]]:
        for number in range(450):
            if number == 449:
                printed_before.append(capsys.readouterr().out)
            yield {"id": number}

    show_rows(rows(), ("id",), as_json=False)

    assert "399" in printed_before[0]
    assert capsys.readouterr().out.split() == [str(number) for number in range(400, 450)]


def test_an_empty_listing_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is not a table with a header."""
    show_rows([], ("id",), as_json=False)

    assert capsys.readouterr().out == ""


def test_an_object_in_a_cell_is_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """A person reads it; scripts take the JSON."""
    show_rows([{"detail": {"kg": 300, "linked_by": ["PO-1", "PO-2"]}}], ("detail",), as_json=False)

    assert capsys.readouterr().out.splitlines()[1] == "kg 300, linked by PO-1 PO-2"


def test_control_characters_from_elsewhere_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A delivery's number cannot clear the screen or pretend to be our markup."""
    show_rows([{"number": "\x1b[2Jred [bold]x[/bold]"}], ("number",), as_json=False)
    shown = capsys.readouterr().out

    assert "\x1b" not in shown
    assert "[bold]x[/bold]" in shown


def test_an_object_is_shown_with_its_names_and_what_is_inside(capsys: pytest.CaptureFixture[str]) -> None:
    """Nested objects and lists are indented; what is missing is a dash."""
    document = {
        "state": "complete",
        "read_at": None,
        "link": {"open_ended": True, "batches": []},
        "deliveries": [{"id": 1, "at": NOON}],
        "notes": ["one", "two"],
    }
    show_object(document, as_json=False)

    assert capsys.readouterr().out.splitlines() == [
        "state: complete",
        "read at: -",
        "link:",
        "  open ended: yes",
        "  batches: -",
        "deliveries:",
        "  -",
        "    id: 1",
        "    at: 2026-03-02T12:00:00Z",
        "notes:",
        "  - one",
        "  - two",
    ]


def test_an_object_as_json_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The same object for scripts."""
    show_object({"idle": True, "inner": {"at": NOON}}, as_json=True)

    assert capsys.readouterr().out == '{"idle":true,"inner":{"at":"2026-03-02T12:00:00Z"}}\n'


def test_what_json_does_not_know_is_told_as_text() -> None:
    """A type that slips into a listing does not break it."""
    assert to_json({"kg": complex(1, 2)}) == '{"kg":"(1+2j)"}'


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02T12:00:00Z", NOON),
        ("2026-03-02T13:00:00+01:00", NOON),
        ("2026-03-02", datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)
def test_an_instant_is_iso_8601_with_a_zone_or_a_date(text: str, moment: datetime) -> None:
    """A date alone is its first second in UTC."""
    assert parse_instant(text) == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-03-02T12:00:00", "2026-03-02 12:00", ""])
def test_an_instant_without_a_zone_is_refused(text: str) -> None:
    """Whose noon it is must be said."""
    with pytest.raises(typer.BadParameter, match=r"names no time zone|is not an instant"):
        parse_instant(text)
