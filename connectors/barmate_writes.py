"""What we can say about a customer order, as the bytes that are sent.

Source of the facts: vendor's page `api/post-delivery-response`. Only the type is required; unchanged items may be
left out. Every response may write the customer an e-mail, so one says everything at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import orjson

from connectors.barmate_records import ResponseType, Scheduled


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemChange:
    """What is different about an item; its `count` in the item's own bundles, vessels or kilograms."""

    id: str
    count: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewResponse:
    """One response to be sent; the reference is also what it is found by if its answer is lost."""

    type: ResponseType
    reference: str | None = None
    scheduled: Scheduled | None = None
    items: tuple[ItemChange, ...] = ()
    message: str | None = None

    def body(self) -> bytes:
        """Return the exact bytes, the same for the same response; ValueError for a rejection with a schedule."""
        if self.type is ResponseType.REJECT and self.scheduled is not None:
            sentence = "a rejection has no schedule; leave it out"
            raise ValueError(sentence)
        return orjson.dumps(dict(self._fields()))

    def _fields(self) -> Iterator[tuple[str, object]]:
        yield "type", self.type.value
        if self.reference is not None:
            yield "reference", self.reference
        if self.scheduled is not None:
            yield "scheduled", _scheduled(self.scheduled)
        if self.items:
            yield "items", [_item(item) for item in self.items]
        if self.message is not None:
            yield "message", self.message


def _scheduled(scheduled: Scheduled) -> dict[str, str]:
    day = {"date": scheduled.date.isoformat()}
    return day if scheduled.time is None else {**day, "time": scheduled.time.strftime("%H:%M")}


def _item(item: ItemChange) -> dict[str, object]:
    return {"id": item.id} if item.count is None else {"id": item.id, "count": _number(item.count)}


def _number(count: Decimal) -> orjson.Fragment:
    # The digits themselves: a float would write some of them differently.
    return orjson.Fragment(format(count, "f"))
