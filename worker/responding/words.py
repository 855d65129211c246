"""What one response says, and whether barmate shows it. Pure.

barmate's list of responses has no ids, and an UPDATE may be listed as an ACCEPT (vendor's pages `api/get-delivery` and
`api/post-delivery-response`): a response is found by its reference and its day, whatever its type. One that was there
before counts for nothing.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from connectors.barmate_records import OrderStatus, ResponseType, Scheduled
from connectors.barmate_writes import NewResponse
from worker.customers.customer_rows import CustomerOrderRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A response: `reference` is the delivery's number, `day` is given where it is to be told."""

    type: ResponseType
    reference: str | None = None
    day: date | None = None

    def body(self) -> bytes:
        """The exact bytes, always the same."""
        scheduled = None if self.day is None else Scheduled(date=self.day, time=None)
        return NewResponse(type=self.type, reference=self.reference, scheduled=scheduled).body()

    @property
    def body_hash(self) -> str:
        """SHA-256 of the bytes."""
        return hashlib.sha256(self.body()).hexdigest()


def times_shown(words: Words, order: CustomerOrderRow) -> int:
    """How many responses of the order say that."""
    if words.type is ResponseType.REJECT:
        return int(order.status == OrderStatus.REJECTED)
    return sum(_says(response, words) for response in order.responses)


def requested_day(order: CustomerOrderRow) -> date | None:
    """The day that the customer asked for."""
    return _day(order.scheduled)


def day_in_force(order: CustomerOrderRow) -> date | None:
    """The day that was told last, by anybody; else the one that the customer asked for."""
    told = [day for day in (_day(response["scheduled"]) for response in in_order(order.responses)) if day is not None]
    return told[-1] if told else requested_day(order)


def in_order(responses: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The oldest first. By their instants: as text, a whole second would come after its own fractions."""
    return sorted(responses, key=lambda response: datetime.fromisoformat(str(response["timestamp"])))


def _says(response: Mapping[str, Any], words: Words) -> bool:
    if response["reference"] != words.reference or response["type"] == ResponseType.REJECT:
        return False
    return words.day is None or _day(response["scheduled"]) == words.day


def _day(scheduled: Mapping[str, Any] | None) -> date | None:
    return None if scheduled is None else date.fromisoformat(str(scheduled["date"]))
