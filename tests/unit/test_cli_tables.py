import io
import sys

import pytest
from rich.console import Console

from worker.cli.output import show_rows
from worker.cli.tables import draw

ORDER = "ord_1FAN3S3WVSBX0842"
REASON = "2 of 3 deliveries are completed; delivery 21001217 is processing"


class Terminal(io.StringIO):
    """Says that somebody watches."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def drawn(width: int, titles: list[str], *rows: list[str]) -> list[str]:
    """The lines on a terminal of this width."""
    out = io.StringIO()
    draw(Console(file=out, width=width, highlight=False), titles, rows)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_listing_on_a_terminal_fits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a long sentence is folded into its width."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")
    show_rows([{"id": 1, "reason": "word " * 60}], ("id", "reason"), as_json=False)
    lines = terminal.getvalue().splitlines()

    assert lines[0].split() == ["id", "reason"]
    assert len(lines) > 3
    assert max(len(line) for line in lines) <= 80


def test_a_sentence_too_long_for_its_column_is_folded_within_it() -> None:
    """The last column takes what room there is; the others stand on one line."""
    lines = drawn(70, ["credit order id", "reason"], [ORDER, REASON])

    assert lines[0].split() == ["credit", "order", "id", "reason"]
    assert lines[1].startswith(f"{ORDER}  2 of 3 deliveries")
    assert lines[2].startswith(" " * 22)


def test_a_sentence_without_room_stands_beneath_its_row() -> None:
    """Rather than in a column of one word a line; titles are folded between their words."""
    lines = drawn(45, ["credit order id", "purchase order", "reason"], [ORDER, "PO000001", REASON], [ORDER, "P2", "x"])

    # What is the same in every row is said once.
    assert lines == [
        f"credit order id: {ORDER}",
        "purchase order  reason",
        "PO000001        2 of 3 deliveries are",
        "                completed; delivery 21001217",
        "                is processing",
        "P2              x",
    ]
    assert drawn(42, ["credit order id", "purchase order", "reason"], [ORDER, "PO000001", REASON]) == [
        "credit                purchase",
        "order                 order",
        "id",
        "    reason",
        f"{ORDER}  PO000001",
        "    2 of 3 deliveries are completed;",
        "    delivery 21001217 is processing",
    ]


def test_where_no_table_fits_every_value_has_a_line_of_its_own() -> None:
    """An id that was cut could not be copied into the next command."""
    lines = drawn(40, ["credit order id", "event", "at"], [ORDER, "evt_" + "a" * 40, "-"], ["ord_2", "evt_2", "-"])

    assert lines == [
        f"credit order id  {ORDER}",
        "event            evt_aaaaaaaaaaaaaaaaaaa",
        "                 aaaaaaaaaaaaaaaaaaaaa",
        "at               -",
        "",
        "credit order id  ord_2",
        "event            evt_2",
        "at               -",
        "",
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_nothing_is_ever_cut(width: int) -> None:
    """Whatever the width, all letters of all cells are there."""
    titles = ["account", "customer id", "purchase order", "credit order id", "reason"]
    rows = [["acme.logistic.cloud", str(number), f"PO-{number:05}", ORDER, REASON] for number in range(3)]
    lines = drawn(width, titles, *rows)
    shown = "".join("".join(lines).split())

    assert "…" not in shown
    assert max(len(line) for line in lines) <= width
    assert all(shown.count(letter) >= ORDER.count(letter) * 3 for letter in ORDER)
