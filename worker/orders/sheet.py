"""CSV as operators hand it in: decoding, header and shape; each row with the line it begins on."""

import csv
import difflib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.errors import UsageError
from worker.orders.mistakes import Mistake, refuse, shown

# A spreadsheet runs what begins so; such a file is dangerous to whoever opens it next.
_FORMULA = ("=", "+", "-", "@")
# What a spreadsheet makes of a long number: the digits behind are lost.
_SHORTENED = re.compile(r"\d[.,]?\d*E\+\d+", re.IGNORECASE)
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row: the line it begins on, and its cells by column."""

    line: int
    cells: dict[str, str]


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises UsageError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        sentence = f"{path} cannot be read: {error.strerror}."
        raise UsageError(sentence) from error


def decode(data: bytes, name: str) -> str:
    """UTF-8 text, with or without a byte order mark. Raises UsageError for any other encoding and for an empty file."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        sentence = f"{name} is not UTF-8 text (byte {error.start + 1}); save it again as UTF-8."
        raise UsageError(sentence) from error
    if not text.strip():
        sentence = f"{name} is empty; it needs a header and a line for each entry."
        raise UsageError(sentence)
    return text


def read_sheet(text: str, name: str, *, columns: Sequence[str], required: Sequence[str]) -> list[SheetRow]:
    """The rows of CSV text; blank lines are left out. Raises UsageError naming every line of a wrong shape."""
    records = list(_records(text, name))
    line, header = records[0]
    mistakes = header_mistakes(line, header, columns=columns, required=required)
    if mistakes:
        refuse(name, mistakes)
    wrong = [mistake for line, fields in records[1:] for mistake in _shape(line, fields, header)]
    if wrong:
        refuse(name, wrong)
    return [SheetRow(line, dict(zip(header, fields, strict=True))) for line, fields in records[1:]]


def header_mistakes(
    line: int, header: Sequence[str], *, columns: Sequence[str], required: Sequence[str]
) -> list[Mistake]:
    """What is wrong with a header: missing altogether, other separators, unknown, repeated or missing columns."""
    if not set(header) & set(columns):
        return [Mistake(line, "", _no_header(header, required))]
    unknown = [Mistake(line, column, unknown_column(column, columns)) for column in header if column not in columns]
    twice = [
        Mistake(line, column, "this column stands twice in the header; keep one of them")
        for column in sorted(set(header))
        if header.count(column) > 1
    ]
    missing = [
        Mistake(line, column, "this column is missing in the header") for column in required if column not in header
    ]
    return unknown + twice + missing


def unknown_column(column: str, columns: Sequence[str]) -> str:
    """The sentence about a column nobody knows, with the nearest known name."""
    near = difflib.get_close_matches(column.strip().lower(), columns, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the known ones are {', '.join(columns)}"
    return f"no such column; {hint}"


def formula_mistakes(row: SheetRow, columns: Sequence[str]) -> list[Mistake]:
    """Cells that a spreadsheet would run as a formula."""
    what = "{} would be run as a formula by a spreadsheet; write it without its first character, or use a JSON file"
    return [
        Mistake(row.line, column, what.format(shown(cell)))
        for column, cell in row.cells.items()
        if column in columns and cell.lstrip().startswith(_FORMULA)
    ]


def shortened_mistakes(row: SheetRow, columns: Sequence[str]) -> list[Mistake]:
    """Cells in which a spreadsheet replaced a long number by its power of ten."""
    what = "{} is a number that a spreadsheet has shortened; format the column as text and enter it again"
    return [
        Mistake(row.line, column, what.format(shown(cell)))
        for column, cell in row.cells.items()
        if column in columns and _SHORTENED.fullmatch(cell.strip())
    ]


def _records(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    begins = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield begins, fields
            begins = reader.line_num + 1
    except csv.Error as error:
        refuse(name, [Mistake(begins, "", f"this is not CSV ({error}); check the quotation marks")])


def _shape(line: int, fields: Sequence[str], header: Sequence[str]) -> list[Mistake]:
    if len(fields) == len(header):
        return []
    return [Mistake(line, "", f"{len(fields)} cells, but the header has {len(header)} columns")]


def _no_header(header: Sequence[str], required: Sequence[str]) -> str:
    for separator, separators in _OTHER_SEPARATORS.items():
        if len(header) == 1 and separator in header[0]:
            return f"the cells are separated by {separators}; save the file with commas"
    return f"the header is missing; the first line names the columns, at least {' and '.join(required)}"
