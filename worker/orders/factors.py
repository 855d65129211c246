"""Kilograms per unit of an article, from the operator's CSV file; exact decimals."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from worker.orders.mistakes import Mistake, Wrong, refuse, shown
from worker.orders.sheet import SheetRow, decode, read_bytes, read_sheet

COLUMNS = ("article_number", "unit", "kg_per_unit", "account")
REQUIRED = ("article_number", "unit", "kg_per_unit")
# More digits than any weighing has; a longer text is a mistake, not a precision.
MAX_DIGITS = 30

_DECIMAL = re.compile(r"[0-9]+(\.[0-9]+)?")

# (account or '', article number, unit)
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Factors:
    """Factors by account ('' for all), article number and unit; `fingerprint` is the file's SHA-256."""

    entries: Mapping[_Key, Decimal]
    fingerprint: str

    def of(self, account: str, article_number: str, unit: str) -> Decimal | None:
        """Kilograms per unit: the account's own factor, else the one for all accounts; None where there is none."""
        own = self.entries.get((account, article_number, unit))
        return self.entries.get(("", article_number, unit)) if own is None else own


NO_FACTORS = Factors({}, "")


def load_factors(path: Path | None) -> Factors:
    """The factors of a file; none without a file. Raises UsageError naming each bad row by line and column."""
    return NO_FACTORS if path is None else parse_factors(read_bytes(path), path.name)


def parse_factors(data: bytes, name: str) -> Factors:
    """The factors of a file's content. Raises UsageError naming each bad row by line and column."""
    entries: dict[_Key, Decimal] = {}
    mistakes: list[Mistake] = []
    for row in read_sheet(decode(data, name), name, columns=COLUMNS, required=REQUIRED):
        key = _key(row)
        mistakes += _mistakes(row, twice=key in entries)
        entries[key] = _factor_or_zero(row)
    if mistakes:
        refuse(name, mistakes)
    return Factors(entries, hashlib.sha256(data).hexdigest())


def _key(row: SheetRow) -> _Key:
    cells = row.cells
    return cells.get("account", "").strip().lower(), cells["article_number"].strip(), cells["unit"].strip()


def _mistakes(row: SheetRow, *, twice: bool) -> list[Mistake]:
    blank = [
        Mistake(row.line, column, "blank; a factor is for an article in a unit")
        for column in ("article_number", "unit")
        if not row.cells[column].strip()
    ]
    repeated = [Mistake(row.line, "article_number", "this article and unit stand twice; keep one of them")]
    try:
        _factor(row.cells["kg_per_unit"].strip())
    except Wrong as wrong:
        blank.append(Mistake(row.line, "kg_per_unit", str(wrong)))
    return blank + repeated if twice else blank


def _factor_or_zero(row: SheetRow) -> Decimal:
    try:
        return _factor(row.cells["kg_per_unit"].strip())
    except Wrong:
        return Decimal(0)


def _factor(text: str) -> Decimal:
    """An exact decimal, 0 where an article counts for nothing (packaging). Raises Wrong."""
    if not (_DECIMAL.fullmatch(text) and text.isascii()) or len(text) > MAX_DIGITS:
        sentence = f"{shown(text)} is not a decimal number of kilograms such as 0.125 (digits and a point)"
        raise Wrong(sentence)
    return Decimal(text)
