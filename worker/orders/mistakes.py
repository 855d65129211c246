"""Mistakes in a file that an operator hands us: named by line and column, told in one sentence, nothing taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from worker.errors import UsageError

# More than that many at once is read by nobody; the rest shows up once these are mended.
SHOWN_MISTAKES = 20


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """What is wrong where; `column` is '' where the whole line is meant."""

    line: int
    column: str
    what: str

    def __str__(self) -> str:
        """`line 3, column credit_kg: …`."""
        place = f"line {self.line}, column {self.column}" if self.column else f"line {self.line}"
        return f"{place}: {self.what}"


class Wrong(ValueError):
    """A cell that cannot be what it should be; the text says why and what to do."""


def refuse(name: str, mistakes: Sequence[Mistake]) -> NoReturn:
    """Refuse the whole file. Raises UsageError with the first mistakes in the order of the lines."""
    shown = "; ".join(str(mistake) for mistake in sorted(mistakes)[:SHOWN_MISTAKES])
    left = len(mistakes) - SHOWN_MISTAKES
    more = f"; and {left} more" if left > 0 else ""
    sentence = f"Nothing was taken from {name}: {shown}{more}."
    raise UsageError(sentence)


def shown(text: str) -> str:
    """A cell as it is quoted in a sentence: short, control characters visible."""
    longest = 60
    cut = text if len(text) <= longest else text[:longest] + "…"
    return repr(cut)
