"""The vocabulary: event types, subjects, order keys and how an event's id is made. Imports nothing of ours.

An event is an immutable fact in the past tense. `docs/events.md` lists them.
"""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import orjson


class EventType(StrEnum):
    """CloudEvents `type` of everything that can be in the log."""

    DELIVERY_APPEARED = "waybill.delivery.appeared"
    DELIVERY_CHANGED = "waybill.delivery.changed"
    DELIVERY_VANISHED = "waybill.delivery.vanished"
    DELIVERY_RETURNED = "waybill.delivery.returned"
    RECORD_SET_ASIDE = "waybill.record.set_aside"
    ORDER_COMPLETED = "waybill.order.completed"
    ORDER_REOPENED = "waybill.order.reopened"
    ORDER_BLOCKED = "waybill.order.blocked"
    ORDER_CANCELLED = "waybill.order.cancelled"
    ORDER_LATE_SIBLING = "waybill.order.late_sibling"
    FIRING_CHANGED = "waybill.firing.changed"
    CUSTOMER_ORDER_APPEARED = "waybill.customer_order.appeared"
    CUSTOMER_ORDER_CHANGED = "waybill.customer_order.changed"
    CUSTOMER_ORDER_VANISHED = "waybill.customer_order.vanished"
    CUSTOMER_ORDER_RETURNED = "waybill.customer_order.returned"
    COVERAGE_HOLE = "waybill.coverage.hole"
    COVERAGE_REOPENED = "waybill.coverage.reopened"
    ACCOUNT_STOPPED = "waybill.account.stopped"
    ACCOUNT_RECOVERED = "waybill.account.recovered"
    ACCOUNT_SKEWED = "waybill.account.clock_skewed"
    CREDITS_FROZEN = "waybill.credits.frozen"


class OrderKey(NamedTuple):
    """An order: the deliveries of one account and customer that share a purchase order number, byte for byte."""

    account: str
    customer_id: int
    purchase_order: str

    @property
    def subject(self) -> str:
        """The event subject of this order."""
        return f"orders/{self.customer_id}/{self.purchase_order}"

    @property
    def text(self) -> str:
        """The whole key as one string, from which `parse` makes it again: a task's subject.

        The number before the customer, as in the index of deliveries: where numbers follow time, so does what is new.
        """
        return f"{self.account}|#{self.purchase_order}|{self.customer_id}"

    @classmethod
    def parse(cls, text: str) -> "OrderKey":
        """The key that `text` was made from. Raises ValueError for anything else."""
        account, _, rest = text.partition("|")
        if rest.startswith("#"):
            purchase_order, between, customer_id = rest[1:].rpartition("|")
        else:
            # As the version before wrote it, which may have left a message behind (migration 0010).
            customer_id, between, purchase_order = rest.partition("|")
        if not between:
            sentence = f"no order is named by {text}"
            raise ValueError(sentence)
        return cls(account, int(customer_id), purchase_order)


def order_key(account: str, customer_id: int | None, purchase_order: str | None) -> OrderKey | None:
    """The order of a delivery; None without a customer or with a blank number: no number, no order."""
    if customer_id is None or purchase_order is None or not purchase_order.strip():
        return None
    return OrderKey(account, customer_id, purchase_order)


def account_source(account: str) -> str:
    """The CloudEvents `source` of everything read from an account."""
    return f"/accounts/{account}"


def barmate_source(host: str) -> str:
    """The CloudEvents `source` of everything read from barmate."""
    return f"/barmate/{host}"


def customer_order_subject(order_id: str) -> str:
    """The event subject of a customer order."""
    return f"customer_orders/{order_id}"


def delivery_subject(delivery_id: int) -> str:
    """The event subject of a delivery; its source names the account."""
    return f"deliveries/{delivery_id}"


def firing_subject(key: OrderKey, ordinal: int) -> str:
    """The event subject of a firing."""
    return f"firings/{key.customer_id}/{key.purchase_order}/{ordinal}"


REGISTRY_SOURCE = "/registry"

_EPOCH, _SECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=1)
# Seconds in the first eight digits of an id.
_PREFIX = 0xFFFFFFFF


class EventDraft(NamedTuple):
    """A fact about to be appended; the log gives it its sequence and its id.

    `fingerprint` is what makes this fact this fact (a delivery's content hash, a state change): the same fact read
    again after the database was lost gets the same id, so that a receiver drops the repeat. A tuple like `Event`,
    since a million of them are made at a time.
    """

    source: str
    subject: str
    type: EventType
    time: datetime
    fingerprint: str
    data: Mapping[str, object] = MappingProxyType({})
    # The orders concerned: a delivery whose number changed concerns the one it left and the one it joined.
    orders: tuple[OrderKey, ...] = ()
    # A time that belongs to the fact itself, the same whenever it is read again: ids of such facts lie in its order.
    origin: datetime | None = None
    # Nothing was ever told about the subject. Whoever says so knows it, and spares looking that up.
    first: bool = False

    @property
    def order_subjects(self) -> tuple[str, ...]:
        """The orders concerned, each once, by their `text`."""
        if len(self.orders) == 1:
            return (self.orders[0].text,)
        return tuple(dict.fromkeys(key.text for key in self.orders))


class About(Protocol):
    """What a subscriber may know of a fact to tell which subjects its tasks are about."""

    @property
    def source(self) -> str:
        """CloudEvents `source`."""
        ...

    @property
    def subject(self) -> str:
        """CloudEvents `subject`."""
        ...

    @property
    def type(self) -> EventType:
        """CloudEvents `type`."""
        ...

    @property
    def data(self) -> Mapping[str, Any]:
        """The document."""
        ...

    @property
    def order_subjects(self) -> Sequence[str]:
        """The orders concerned, each by its `text`."""
        ...


class FirstFact(NamedTuple):
    """One of `FirstFacts`, for who looks at it alone."""

    source: str
    type: EventType
    subject: str
    # The document as JSON.
    told: str
    order_subjects: Sequence[str]

    @property
    def data(self) -> Mapping[str, Any]:
        """The document, for who looks into it."""
        document: dict[str, Any] = orjson.loads(self.told)
        return document


class FirstFacts(NamedTuple):
    """The first facts about many subjects, in columns: whoever makes them has looked up that nothing was told yet."""

    source: str
    type: EventType
    ids: Sequence[str]
    subjects: Sequence[str]
    # Whole microseconds since 1970.
    moments: Sequence[int]
    # Their documents as JSON.
    told: Sequence[str]
    order_subjects: Sequence[Sequence[str]]

    def each(self) -> Iterator[FirstFact]:
        """One after the other."""
        alike = itertools.repeat(self.source), itertools.repeat(self.type)
        return map(FirstFact, *alike, self.subjects, self.told, self.order_subjects)


class Event(NamedTuple):
    """A fact as it stands in the log."""

    id: str
    source: str
    subject: str
    type: str
    sequence: int
    time: datetime
    data: Mapping[str, object]

    def cloud_event(self) -> dict[str, object]:
        """The event as a CloudEvents 1.0 JSON object (the `sequence` extension is a sortable decimal string)."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": self.type,
            "subject": self.subject,
            "time": self.time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "datacontenttype": "application/json",
            "sequence": f"{self.sequence:016d}",
            "data": dict(self.data),
        }


def event_id(draft: EventDraft, occurrence: int) -> str:
    """The deterministic id: a hash over source, subject, type, fingerprint and which occurrence of that fact it is.

    Where the fact has a time of its own, the id begins with it, so that an index over millions of ids grows near its
    end instead of everywhere.
    """
    digest = _digest(draft.source, draft.subject, draft.type, draft.fingerprint, occurrence)
    if draft.origin is None:
        return f"evt_{digest[:40]}"
    return _timed_id((draft.origin - _EPOCH) // _SECOND, digest)


def first_event_id(source: str, subject: str, kind: EventType, fingerprint: str, second: int) -> str:
    """What `event_id` gives for the first occurrence of a fact whose origin is that second since 1970."""
    return _timed_id(second, _digest(source, subject, kind, fingerprint, 0))


def _digest(source: str, subject: str, kind: EventType, fingerprint: str, occurrence: int) -> str:
    text = "\x1f".join((source, subject, kind, fingerprint, str(occurrence)))
    return hashlib.sha256(text.encode()).hexdigest()


def _timed_id(second: int, digest: str) -> str:
    return f"evt_{second & _PREFIX:08x}{digest[:32]}"


def next_sequence(previous: int, micros: int) -> int:
    """One more than the last, or the time of recording (or the fact's own, if later) in milliseconds if that is more.

    Taken from the time, which is given in microseconds since 1970, so that a database that was lost and read anew goes
    on above what receivers saw before.
    """
    return max(previous + 1, micros // 1000)
