"""A file of deliveries to be written: JSON, one delivery, or for a creation a list of them.

Nothing is taken from a file with a mistake in it.
"""

import codecs
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import orjson

from worker.errors import UsageError
from worker.writing import form
from worker.writing.form import Document

# Deliveries in one file: at one request a second and two or three each, a thousand take most of an hour.
MAX_DELIVERIES = 1000
# Bytes: a thousand deliveries of some hundred line items stay below; more is another kind of file.
MAX_BYTES = 64 * 1024 * 1024
# Mistakes told at once; the rest shows up once these are mended.
SHOWN_MISTAKES = 20

# The vendor's own create example has a comma too many, and is what people begin with. Strings are passed over.
_TRAILING_COMMA = re.compile(rb'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


def load_new(path: Path) -> tuple[Document, ...]:
    """The deliveries to be created. Raises UsageError naming delivery and field of each mistake."""
    content = _content(path)
    given = content if isinstance(content, list) else [content]
    if not 0 < len(given) <= MAX_DELIVERIES:
        _refuse(path, [f"it holds {len(given)} deliveries; give 1 to {MAX_DELIVERIES}"])
    read: list[Document] = []
    mistakes: list[str] = []
    for number, one in enumerate(given, 1):
        _gather(form.new_delivery, one, f"delivery {number}: " if len(given) > 1 else "", read, mistakes)
    mistakes += [] if mistakes else _repeated(read)
    if mistakes:
        _refuse(path, mistakes)
    return tuple(read)


def load_changes(path: Path) -> Document:
    """What an update changes. Raises UsageError naming the field of each mistake."""
    read: list[Document] = []
    mistakes: list[str] = []
    _gather(form.changes, _content(path), "", read, mistakes)
    if mistakes:
        _refuse(path, mistakes)
    return read[0]


def _gather(
    reader: Callable[[object], Document], raw: object, where: str, read: list[Document], mistakes: list[str]
) -> None:
    try:
        read.append(reader(raw))
    except form.Wrong as wrong:
        mistakes.extend(f"{where}{mistake}" for mistake in wrong.mistakes)


def _repeated(read: Sequence[Document]) -> list[str]:
    first: dict[object, int] = {}
    mistakes = []
    for place, document in enumerate(read, 1):
        number = document["number"]
        if number in first:
            mistakes.append(f"delivery {place}: number {number!r} is that of delivery {first[number]} as well")
        first.setdefault(number, place)
    return mistakes


def _content(path: Path) -> object:
    data = _bytes(path)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        return orjson.loads(_TRAILING_COMMA.sub(lambda found: found.group(1) or b"", data))
    except orjson.JSONDecodeError as error:
        _refuse(path, [f"line {error.lineno}, column {error.colno}: it is not JSON ({error.msg})"])


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            _refuse(path, [f"it is larger than {MAX_BYTES} bytes; give several smaller files"])
        # Windows editors begin a file with a mark that is no JSON.
        return path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        sentence = f"{path} cannot be read: {error.strerror}; check the name of the file."
        raise UsageError(sentence) from error


def _refuse(path: Path, mistakes: Sequence[str]) -> NoReturn:
    left = len(mistakes) - SHOWN_MISTAKES
    more = f"; and {left} more" if left > 0 else ""
    sentence = f"Nothing of {path.name} was sent: {'; '.join(mistakes[:SHOWN_MISTAKES])}{more}."
    raise UsageError(sentence)
