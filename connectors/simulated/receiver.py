"""The operator's webhook receiver as a state: what arrived, whether it was signed, and in which order per subject."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from connectors.simulated.clock import Clock, stamp
from connectors.simulated.signatures import Verdict, verdict
from connectors.simulated.switches import Panel, ReceiverSwitches


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One message that arrived; ``sequence`` is a whole number where the body states one."""

    at: str
    webhook_id: str
    event_id: str | None
    subject: str | None
    type: str | None
    sequence: int | None
    verdict: Verdict

    @property
    def valid(self) -> bool:
        """Whether the signature fits."""
        return self.verdict is Verdict.VALID


class Receiver:
    """Everything that was taken, in the order of arrival; safe to use from several threads."""

    def __init__(self, *, secret: str, clock: Clock, panel: Panel[ReceiverSwitches]) -> None:
        """Begin with nothing received."""
        self.secret = secret
        self.clock = clock
        self.panel = panel
        self._lock = threading.Lock()
        self._taken: list[Receipt] = []
        self._last: dict[str, object] = {}
        self._highest: dict[str, int] = {}
        self.answers: Counter[str] = Counter()

    def take(self, headers: Mapping[str, str], body: bytes) -> Receipt:
        """Read, check and keep one message."""
        event = _event(body)
        receipt = self._receipt(headers, body, event)
        with self._lock:
            self._taken.append(receipt)
            self._remember(receipt, event.get("data"))
        return receipt

    def count(self, answer: str) -> None:
        """Count how a request was answered."""
        with self._lock:
            self.answers[answer] += 1

    def _receipt(self, headers: Mapping[str, str], body: bytes, event: Mapping[str, Any]) -> Receipt:
        now = self.clock.now()
        return Receipt(
            at=stamp(now, fractions=True),
            webhook_id=headers.get("webhook-id", ""),
            event_id=_text(event.get("id")),
            subject=_text(event.get("subject")),
            type=_text(event.get("type")),
            sequence=_whole(event.get("sequence")),
            verdict=verdict(
                headers,
                body,
                secret=self.secret,
                now=now.timestamp(),
                tolerance_seconds=self.panel.now.tolerance_seconds,
            ),
        )

    def _remember(self, receipt: Receipt, data: object) -> None:
        """Keep the data with the highest sequence of each subject."""
        if receipt.subject is None or not receipt.valid:
            return
        sequence = -1 if receipt.sequence is None else receipt.sequence
        if sequence >= self._highest.get(receipt.subject, -1):
            self._highest[receipt.subject] = sequence
            self._last[receipt.subject] = data

    def truth(self) -> dict[str, Any]:
        """Return what was taken per subject, the counts, the repeats, and the newest data per subject."""
        with self._lock:
            taken, last, answers = list(self._taken), dict(self._last), dict(self.answers)
        repeats = Counter(receipt.webhook_id for receipt in taken)
        return {
            "subjects": by_subject(taken),
            "received": len(taken),
            "distinct": len(repeats),
            "invalid": [asdict(receipt) for receipt in taken if not receipt.valid],
            "duplicates": {message: count for message, count in repeats.items() if count > 1},
            "out_of_order": out_of_order(taken),
            "gaps": gaps(taken),
            "answers": answers,
            "last": last,
        }


def by_subject(taken: list[Receipt]) -> dict[str, list[dict[str, Any]]]:
    """Return id, sequence, type and validity of each message under its subject, in the order of arrival."""
    subjects: dict[str, list[dict[str, Any]]] = {}
    for receipt in taken:
        entry = {
            "id": receipt.webhook_id,
            "sequence": receipt.sequence,
            "type": receipt.type,
            "valid": receipt.valid,
        }
        subjects.setdefault("" if receipt.subject is None else receipt.subject, []).append(entry)
    return subjects


def out_of_order(taken: list[Receipt]) -> list[str]:
    """Return the messages that, at their first arrival, came after a higher sequence of their subject."""
    highest: dict[str, int] = {}
    late: list[str] = []
    for receipt in _firsts(taken):
        if receipt.subject is None or receipt.sequence is None:
            continue
        if receipt.sequence < highest.get(receipt.subject, receipt.sequence):
            late.append(receipt.webhook_id)
        highest[receipt.subject] = max(receipt.sequence, highest.get(receipt.subject, receipt.sequence))
    return late


def gaps(taken: list[Receipt]) -> dict[str, list[int]]:
    """Return the sequence numbers missing between the lowest and the highest of each subject."""
    seen: dict[str, set[int]] = {}
    for receipt in taken:
        if receipt.subject is not None and receipt.sequence is not None:
            seen.setdefault(receipt.subject, set()).add(receipt.sequence)
    missing = {subject: sorted(set(range(min(had), max(had))) - had) for subject, had in seen.items()}
    return {subject: numbers for subject, numbers in missing.items() if numbers}


def subject_of(body: bytes) -> str | None:
    """Return the subject that a body states."""
    return _text(_event(body).get("subject"))


def _firsts(taken: list[Receipt]) -> list[Receipt]:
    firsts: dict[str, Receipt] = {}
    for receipt in taken:
        firsts.setdefault(receipt.webhook_id, receipt)
    return list(firsts.values())


def _event(body: bytes) -> Mapping[str, Any]:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _whole(value: object) -> int | None:
    """Return a sequence given as a number or, as the CloudEvents extension has it, as a string of digits."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() else None
