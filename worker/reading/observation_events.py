"""The events that observations become: a delivery appeared, changed, vanished or returned. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from worker.clock import instant_text
from worker.events import EventDraft, EventType, OrderKey, account_source, delivery_subject, order_key
from worker.reading.first_rows import told_by_reading, told_by_record
from worker.reading.normalizer import DeliveryRecord


class Change(NamedTuple):
    """A record that differs from what is held (a row of `deliveries`, or None)."""

    kind: EventType
    record: DeliveryRecord
    turn: int
    held: sa.Row[Any] | None
    # Its stamp is older than the held one, and it was confirmed by id.
    went_back: bool = False
    # A record of this delivery had been set aside, and it parses now: a fact although nothing else may have changed.
    mended: bool = False
    # Orders that the record which was set aside may have blocked until now.
    freed: tuple[OrderKey, ...] = ()
    # What the event says about the reading it comes from.
    proof: Mapping[str, object] | None = None


def change_draft(change: Change, account: str) -> EventDraft:
    """The fact that a delivery appeared, changed or returned, with what explains it later."""
    kind, record, turn, held, went_back, mended, _freed, proof = change
    data = {
        **told_by_record(account, record, None if held is None else _previous(held)),
        **told_by_reading(turn, proof, went_back=went_back, mended=mended),
    }
    return EventDraft(
        account_source(account),
        delivery_subject(record.id),
        kind,
        record.updated_at,
        record.content_hash if held is None else _fingerprint(change),
        data,
        _orders(account, change),
        record.updated_at,
        # Its first event makes its row, which is never deleted; a record set aside is a subject of its own.
        held is None,
    )


def vanished_draft(account: str, held: sa.Row[Any], server_time: datetime) -> EventDraft:
    """The fact that the source does not show a delivery any more."""
    key = order_key(account, held.customer_id, held.purchase_order)
    return EventDraft(
        source=account_source(account),
        subject=delivery_subject(held.id),
        type=EventType.DELIVERY_VANISHED,
        time=server_time,
        fingerprint=held.content_hash,
        data={"delivery": {"account": account, "id": held.id, **_previous(held)}, "raw_hash": held.content_hash},
        orders=() if key is None else (key,),
    )


def _fingerprint(change: Change) -> str:
    again = change.mended and change.held is not None and change.held.content_hash == change.record.content_hash
    return f"{change.record.content_hash}:mended" if again else change.record.content_hash


def _previous(held: sa.Row[Any]) -> dict[str, object]:
    return {
        "customer_id": held.customer_id,
        "status": held.status,
        "status_inbound": held.status_inbound,
        "number": held.number,
        "purchase_order": held.purchase_order,
        "updated_at": instant_text(held.updated_at),
        "raw_hash": held.content_hash,
    }


def _orders(account: str, change: Change) -> tuple[OrderKey, ...]:
    record, held = change.record, change.held
    here = order_key(account, record.customer_id, record.purchase_order)
    if held is None and not change.freed:
        return () if here is None else (here,)
    keys = [here, *change.freed]
    if held is not None:
        keys.insert(0, order_key(account, held.customer_id, held.purchase_order))
    return tuple(dict.fromkeys(key for key in keys if key is not None))
