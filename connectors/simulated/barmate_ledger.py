"""What barmate's twin was asked and what it told: every POST in the order of arrival, and a count of the reads."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from connectors.simulated.clock import stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One POST of a response; ``commits`` counts how often it took effect, ``status`` is None where no answer left."""

    request_number: int
    at: str
    delivery_id: str
    body_sha256: str
    fault: str
    type: str | None = None
    reference: str | None = None
    commits: int = 0
    refusal: str | None = None
    status: int | None = None


class BarmateLedger:
    """Every POST, and how often what was read; safe to use from several threads."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._answered: list[Answered] = []
        self._reads: Counter[str] = Counter()

    def open(self, at: datetime, delivery_id: str, body: bytes, fault: str) -> int:
        """Note that a POST arrived and return its number."""
        with self._lock:
            number = len(self._answered) + 1
            entry = Answered(
                request_number=number,
                at=stamp(at, fractions=True),
                delivery_id=delivery_id,
                body_sha256=hashlib.sha256(body).hexdigest(),
                fault=fault,
            )
            self._answered.append(entry)
            return number

    def took_effect(self, number: int, *, type_: str, reference: str | None) -> None:
        """Note that the response is there, once more."""
        with self._lock:
            entry = self._answered[number - 1]
            more = replace(entry, type=type_, reference=reference, commits=entry.commits + 1)
            self._answered[number - 1] = more

    def refused(self, number: int, sentence: str) -> None:
        """Note why nothing happened."""
        self._change(number, refusal=sentence)

    def told(self, number: int, status: int) -> None:
        """Note what the sender was told."""
        self._change(number, status=status)

    def count_read(self, kind: str) -> None:
        """Count a read."""
        with self._lock:
            self._reads[kind] += 1

    def as_json(self) -> dict[str, Any]:
        """Return both."""
        with self._lock:
            return {"answered": [asdict(entry) for entry in self._answered], "reads": dict(self._reads)}

    def _change(self, number: int, **fields: Any) -> None:  # noqa: ANN401 - the fields of Answered
        with self._lock:
            self._answered[number - 1] = replace(self._answered[number - 1], **fields)
