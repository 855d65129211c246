"""What commands print: the only module that writes to standard output. Listings are printed as they are read."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice

import orjson
from rich.console import Console

from worker.cli.tables import draw
from worker.clock import instant_text

# Rows that share one table: columns are as wide as their widest cell, which must be known first.
_BLOCK = 200
# Spaces by which a nested object is indented.
_INDENT = 2

Document = Mapping[str, object]


def say(text: str) -> None:
    """One line for a person, or the one value that was asked for."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def show_object(document: Document, *, as_json: bool) -> None:
    """One object: a line of JSON, or an indented list of names and values."""
    if as_json:
        say(to_json(document))
    else:
        _nested(document, 0)


def show_rows(rows: Iterable[Document], columns: Sequence[str], *, as_json: bool) -> None:
    """A listing: one JSON object a line with all keys, or a table of the named columns.

    Whoever reads it may stop reading (`| head`): then the rest is not printed, and that is no failure.
    """
    try:
        if as_json:
            _lines(rows)
        elif sys.stdout.isatty():
            _tables(rows, columns)
        else:
            _columns(rows, columns)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered would be written at the end of the process, and complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def to_json(document: Document) -> str:
    """One line of JSON; instants in ISO 8601 with `Z`."""
    # The names of a row's columns are a kind of text of their own, which counts as "not text" there.
    option = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(document, option=option, default=_plain).decode()


def _lines(rows: Iterable[Document]) -> None:
    for row in rows:
        sys.stdout.write(f"{to_json(row)}\n")


def _tables(rows: Iterable[Document], columns: Sequence[str]) -> None:
    console = Console(file=sys.stdout, highlight=False)
    titles = [_title(column) for column in columns]
    for block in _blocks(rows):
        draw(console, titles, [[cell(row.get(column)) for column in columns] for row in block])


def _columns(rows: Iterable[Document], columns: Sequence[str]) -> None:
    """Plain lines for a file or a pipe: a header, then a line for each row, never folded."""
    widths = [0] * len(columns)
    for number, block in enumerate(_blocks(rows)):
        cells = [[cell(row.get(column)) for column in columns] for row in block]
        lines = [[_title(column) for column in columns], *cells] if number == 0 else cells
        widths = [max(width, *(len(line[place]) for line in lines)) for place, width in enumerate(widths)]
        for line in lines:
            padded = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            sys.stdout.write(f"{padded.rstrip()}\n")


def _blocks(rows: Iterable[Document]) -> Iterator[list[Document]]:
    remaining = iter(rows)
    while block := list(islice(remaining, _BLOCK)):
        yield block


def _title(column: str) -> str:
    return column.replace("_", " ")


def _nested(document: Document, depth: int) -> None:
    for name, value in document.items():
        start = f"{' ' * depth * _INDENT}{_title(name)}:"
        if isinstance(value, Mapping) and value:
            say(start)
            _nested(value, depth + 1)
        elif isinstance(value, list | tuple) and value:
            say(start)
            _items(value, depth + 1)
        else:
            say(f"{start} {cell(value)}")


def _items(values: Sequence[object], depth: int) -> None:
    for value in values:
        if isinstance(value, Mapping):
            say(f"{' ' * depth * _INDENT}-")
            _nested(value, depth + 1)
        else:
            say(f"{' ' * depth * _INDENT}- {cell(value)}")


def cell(value: object) -> str:
    """A value as a person reads it, on one line; what came from elsewhere can not steer the terminal."""
    if value is None or value in ({}, ""):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, list | tuple):
        return " ".join(cell(item) for item in value) if value else "-"
    if isinstance(value, Mapping):
        return ", ".join(f"{_title(str(name))} {cell(item)}" for name, item in value.items())
    # What came from elsewhere must not steer the terminal.
    return "".join(letter if letter.isprintable() else "�" for letter in str(value))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return instant_text(value)
    return str(value)
