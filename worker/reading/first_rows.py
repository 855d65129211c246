"""What a delivery that is new leaves behind: its row and its first event, but for what is known only when it is kept.

Pure, and light to import: a process of its own makes these for whole pages (`worker.reading.preparing`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

from worker.columns import Value, json_text, micros
from worker.events import EventType, account_source, delivery_subject, first_event_id, order_key
from worker.reading.normalizer import DeliveryRecord

# Columns of `deliveries` that its record gives; `raw` in UTF-8.
RECORD_COLUMNS = (
    "id",
    "customer_id",
    "status",
    "status_inbound",
    "number",
    "number_external",
    "purchase_order",
    "updated_at",
    "created_at",
    "raw",
    "content_hash",
    "unrecognised",
)
# Where some of them are.
ID: Final = 0
UPDATED_AT: Final = 7
RAW: Final = 9
_MICROS: Final = 1_000_000
_status = itemgetter("status")
RecordColumns = tuple[int, int, str, str, str, str | None, str | None, int, int | None, bytes, str, str]


# New deliveries, in columns: their `RECORD_COLUMNS`, one row after the other, then of each its event's id and subject,
# the event's document in JSON as far as the record gives it, without the closing brace, and the orders concerned, as
# subjects. Plain, so that `marshal` takes it.
FirstRows = tuple[list[Value], list[str], list[str], list[str], list[tuple[str, ...]]]


def first_rows(account: str, records: Sequence[DeliveryRecord]) -> FirstRows:
    """What keeping records of deliveries that were never seen writes."""
    values: list[Any] = [value for record in records for value in record_columns(record)]
    subjects = [delivery_subject(record.id) for record in records]
    hashes = [record.content_hash for record in records]
    return (
        values,
        _event_ids(account, subjects, hashes, values[UPDATED_AT :: len(RECORD_COLUMNS)]),
        subjects,
        [json_text(told_by_record(account, record, None))[:-1] for record in records],
        [_orders(account, record) for record in records],
    )


def _event_ids(account: str, subjects: Sequence[str], hashes: Sequence[str], moments: Sequence[int]) -> list[str]:
    source, kind = account_source(account), EventType.DELIVERY_APPEARED
    return [
        first_event_id(source, subject, kind, content_hash, moment // _MICROS)
        for subject, content_hash, moment in zip(subjects, hashes, moments, strict=True)
    ]


def _orders(account: str, record: DeliveryRecord) -> tuple[str, ...]:
    key = order_key(account, record.customer_id, record.purchase_order)
    return () if key is None else (key.text,)


def record_columns(record: DeliveryRecord) -> RecordColumns:
    """The values of `RECORD_COLUMNS`."""
    head, (updated, created), unrecognised, (digest, payload) = (
        record[:7],
        record[7:9],
        record.unrecognised,
        record[13:],
    )
    updated_at = micros(updated)
    created_at = None if created is None else updated_at if created is updated else micros(created)
    return (*head, updated_at, created_at, payload, digest, json_text(unrecognised) if unrecognised else "[]")


def told_by_record(account: str, record: DeliveryRecord, previous: Mapping[str, object] | None) -> dict[str, object]:
    """What an event tells about a record, and about what was held before."""
    return {
        "delivery": delivery_document(account, record),
        "previous": previous,
        "raw_hash": record.content_hash,
    }


def told_by_reading(
    turn: int, proof: Mapping[str, object] | None, *, went_back: bool = False, mended: bool = False
) -> dict[str, object]:
    """What an event tells about the reading that it comes from."""
    return {"turn": turn, "stamp_went_back": went_back, "parses_again": mended, "proof": proof}


def delivery_document(account: str, record: DeliveryRecord) -> dict[str, object]:
    """A delivery as events tell it: the keys of DESIGN §8, and its line items in sum."""
    items = record.wire_items
    return {
        "account": account,
        "id": record.id,
        "customer_id": record.customer_id,
        "status": record.status,
        "status_inbound": record.status_inbound,
        "number": record.number,
        "number_external": record.number_external,
        "purchase_order": record.purchase_order,
        "updated_at": record.updated_text,
        "created_at": record.created_text,
        "line_items": None if items is None else _in_sum(tuple(map(_status, items))),
        "unrecognised": record.unrecognised,
    }


# Most deliveries are one of a few kinds: so many items, all booked.
@lru_cache(maxsize=1024)
def _in_sum(statuses: tuple[str, ...]) -> Mapping[str, object]:
    return {"count": len(statuses), "by_status": dict(sorted(Counter(statuses).items()))}
