"""A file of order links: CSV, or JSON (an array of objects, or one object a line).

Nothing is taken from a file with a mistake in it.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from worker.orders.link_row import COLUMNS, REQUIRED, LinkRow, read_row
from worker.orders.mistakes import Mistake, refuse, shown
from worker.orders.sheet import (
    SheetRow,
    decode,
    formula_mistakes,
    read_bytes,
    read_sheet,
    shortened_mistakes,
    unknown_column,
)

_JSON_BLANKS = " \t\r\n"
# A number without quotes loses its leading zeros, so what is compared letter by letter must be text.
_NUMBERS = ("credit_kg", "customer_id", "expected_deliveries")
_FREE_TEXT = ("purchase_order", "account", "note")


def load_links(path: Path, *, count_required: bool) -> tuple[LinkRow, ...]:
    """The rows of a file. Raises UsageError where it cannot be read, and for everything that `parse_links` refuses."""
    return parse_links(read_bytes(path), path.name, count_required=count_required)


def parse_links(data: bytes, name: str, *, count_required: bool) -> tuple[LinkRow, ...]:
    """The rows of a file's content, in its order. Raises UsageError naming bad rows by line and column."""
    text = decode(data, name)
    found = _json_rows(text, name) if text.lstrip()[0] in "[{" else _csv_rows(text, name)
    read = [read_row(row.line, row.cells, count_required=count_required) for row in found]
    mistakes = [mistake for row in read if isinstance(row, list) for mistake in row]
    rows = tuple(row for row in read if isinstance(row, LinkRow))
    mistakes += _repeated(rows)
    if mistakes:
        refuse(name, mistakes)
    if not rows:
        refuse(name, [Mistake(1, "", "there is no link in it")])
    return rows


def _repeated(rows: Iterable[LinkRow]) -> list[Mistake]:
    first: dict[tuple[str, int, str], int] = {}
    mistakes = []
    for row in rows:
        if row.key in first:
            what = f"the same purchase order, account and customer as line {first[row.key]}; keep one of them"
            mistakes.append(Mistake(row.line, "purchase_order", what))
        first.setdefault(row.key, row.line)
    return mistakes


def _csv_rows(text: str, name: str) -> list[SheetRow]:
    rows = read_sheet(text, name, columns=COLUMNS, required=REQUIRED)
    mistakes = [mistake for row in rows for mistake in _csv_mistakes(row)]
    if mistakes:
        refuse(name, mistakes)
    return rows


def _csv_mistakes(row: SheetRow) -> list[Mistake]:
    found = formula_mistakes(row, _FREE_TEXT) + shortened_mistakes(row, ("purchase_order",))
    number = row.cells["purchase_order"]
    if number.strip() and number != number.strip():
        what = f"{shown(number)} begins or ends with a blank; remove it, or use a JSON file if it belongs to the number"
        found.append(Mistake(row.line, "purchase_order", what))
    return found


def _json_rows(text: str, name: str) -> list[SheetRow]:
    rows: list[SheetRow] = []
    mistakes: list[Mistake] = []
    for line, pairs in _objects(text, name):
        if isinstance(pairs, Pairs):
            row, wrong = _cells(line, pairs)
            rows.append(row)
            mistakes += wrong
        else:
            mistakes.append(Mistake(line, "", "this is not an object with the columns as keys"))
    if mistakes:
        refuse(name, mistakes)
    return rows


class Pairs(tuple[tuple[str, object], ...]):
    """The keys and values of a JSON object as they stand, so that a key that stands twice is seen."""

    __slots__ = ()


def _objects(text: str, name: str) -> Iterator[tuple[int, object]]:
    """Each value of an array, or of a sequence of values, with the line it begins on."""
    decoder = json.JSONDecoder(object_pairs_hook=Pairs)
    at = _skip(text, 0, "")
    array = text[at] == "["
    at = _skip(text, at + 1, "") if array else at
    line, counted = 1, 0
    while at < len(text) and not (array and text[at] == "]"):
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            refuse(name, [Mistake(_line_of(error, line), "", "this is not JSON; check quotes, commas and brackets")])
        yield line, value
        at = _skip(text, end, "," if array else "")
    _ended(text, at, name, array=array)


def _line_of(error: Exception, line: int) -> int:
    return error.lineno if isinstance(error, json.JSONDecodeError) else line


def _skip(text: str, at: int, separator: str) -> int:
    at = _past_blanks(text, at)
    if separator and text[at : at + 1] == separator:
        return _past_blanks(text, at + 1)
    return at


def _past_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _JSON_BLANKS:
        at += 1
    return at


def _ended(text: str, at: int, name: str, *, array: bool) -> None:
    if not array:
        return
    line = text.count("\n", 0, at) + 1
    if at >= len(text):
        refuse(name, [Mistake(line, "", "the array is not closed; the file may have been cut off")])
    if text[at + 1 :].strip():
        refuse(name, [Mistake(line, "", "something follows the array; the file holds one array only")])


def _cells(line: int, pairs: Pairs) -> tuple[SheetRow, list[Mistake]]:
    cells: dict[str, str] = {}
    mistakes: list[Mistake] = []
    for column, value in pairs:
        cell = _cell(column, value)
        if column not in COLUMNS:
            mistakes.append(Mistake(line, column, unknown_column(column, COLUMNS)))
        elif column in cells:
            mistakes.append(Mistake(line, column, "this key stands twice in the object; keep one of them"))
        elif cell is None:
            mistakes.append(Mistake(line, column, _wrong_type(column)))
        else:
            cells[column] = cell
    return SheetRow(line, cells), mistakes


def _cell(column: str, value: object) -> str | None:
    """A JSON value as the text of a cell; None where its type does not fit the column."""
    if value is None or isinstance(value, str):
        return "" if value is None else value
    if isinstance(value, bool):
        return ("yes" if value else "no") if column == "open_ended" else None
    if isinstance(value, int):
        return str(value) if column in _NUMBERS else None
    if column == "batches" and isinstance(value, list) and all(isinstance(batch, str) for batch in value):
        return " ".join(value)
    return None


def _wrong_type(column: str) -> str:
    if column in _NUMBERS:
        return "this is not a whole number"
    return "this is neither true nor false" if column == "open_ended" else 'this is not text; write it in "quotes"'
