"""The vocabulary of an audit."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong. Any of them fails a rehearsal."""

    MISSED = "missed"  # a change was not seen, or not passed on
    DOUBLED = "doubled"  # an order was delivered more than once
    FORGOTTEN = "forgotten"  # an order that is due was left without a delivery, or without a word
    WRONG = "wrong"  # other kilograms, another credit order, or an order that must not be touched
    UNEQUAL = "unequal"  # our ledger is not the registry's


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One discrepancy, as one line."""

    kind: Kind
    subject: str
    sentence: str

    def __str__(self) -> str:
        """`doubled: order 1000050 PO000001: …`."""
        return f"{self.kind}: {self.subject}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an audit came to: discrepancies, and notes that a reader should see but that fail nothing."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing was missed, doubled or forgotten."""
        return not self.findings
