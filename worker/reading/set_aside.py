"""Records set aside: what could not be understood is kept with its payload and the reason, and the rest goes on.

An open one blocks the order it belongs to, until the record parses or a person drops it (DESIGN §2.7, §5).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.db.tables import deliveries, orders, set_aside
from worker.events import EventDraft, EventType, OrderKey, account_source, order_key
from worker.reading.normalizer import SetAside

# Hex digits of a record's id: unique among the payloads of all accounts.
_ID_DIGITS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A record that does not parse, as it was read by the request with that turn."""

    record: SetAside
    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A record newly set aside, and the orders it may belong to."""

    id: str
    record: SetAside
    orders: tuple[OrderKey, ...]

    def draft(self, account: str, server_time: datetime) -> EventDraft:
        """The fact, without the payload: that stays in the database."""
        record = self.record
        return EventDraft(
            source=account_source(account),
            subject=f"records/{self.id}",
            type=EventType.RECORD_SET_ASIDE,
            time=server_time,
            fingerprint=record.payload_hash,
            data={
                "account": account,
                "record_id": self.id,
                "delivery_id": record.delivery_id,
                "customer_id": record.customer_id,
                "purchase_order": record.purchase_order,
                "reason": record.reason,
                "raw_hash": record.payload_hash,
            },
            orders=self.orders,
        )


def close_parsed(
    connection: sa.Connection, account: str, turns: Mapping[int, int], now: datetime
) -> dict[int, tuple[OrderKey, ...]]:
    """Close what is open about deliveries that were read (delivery id → turn) in a form that parses.

    The deliveries concerned, each with the orders that its record may have blocked until now.
    """
    if not turns:
        return {}
    found = connection.execute(
        sa.select(set_aside).where(
            set_aside.c.account == account,
            set_aside.c.closed_at.is_(None),
            set_aside.c.delivery_id.between(min(turns), max(turns)),
        )
    ).all()
    later = [row for row in found if row.delivery_id in turns and row.turn < turns[row.delivery_id]]
    _close(connection, [row.id for row in later], now)
    freed: dict[int, tuple[OrderKey, ...]] = {}
    for row in later:
        freed[row.delivery_id] = (*freed.get(row.delivery_id, ()), *_may_belong_to(connection, row))
    return freed


def keep(
    connection: sa.Connection, account: str, broken: Sequence[Broken], held: Mapping[int, sa.Row[Any]], now: datetime
) -> list[Kept]:
    """Keep records that do not parse; those that are new. `held` are the rows of deliveries by id, where there are."""
    kept = []
    for item in broken:
        known = None if item.record.delivery_id is None else held.get(item.record.delivery_id)
        if known is not None and known.turn > item.turn:
            continue
        older = _older(connection, account, item)
        if _taken(connection, account, item, known, now):
            _close(connection, [row.id for row in older], now)
            kept.append(_kept(connection, account, item.record, known, older))
    return kept


def record_id(account: str, payload_hash: str) -> str:
    """The id of a record set aside: the same payload of an account is the same record."""
    return "rec_" + hashlib.sha256(f"{account}\x1f{payload_hash}".encode()).hexdigest()[:_ID_DIGITS]


def _taken(connection: sa.Connection, account: str, item: Broken, known: sa.Row[Any] | None, now: datetime) -> bool:
    identity = record_id(account, item.record.payload_hash)
    row = connection.execute(sa.select(set_aside).where(set_aside.c.id == identity)).first()
    if row is not None and not _came_back(row, item, known):
        return False
    if row is None:
        connection.execute(sa.insert(set_aside), [_values(account, identity, item, known, now)])
    else:
        reopened = {"closed_at": None, "turn": item.turn}
        connection.execute(sa.update(set_aside).where(set_aside.c.id == identity).values(reopened))
    return True


def _came_back(row: sa.Row[Any], item: Broken, known: sa.Row[Any] | None) -> bool:
    """Whether a closed record is news: it parsed in between. What a person dropped stays dropped."""
    parsed_since = known is not None and row.turn < known.turn
    return row.closed_at is not None and row.turn < item.turn and parsed_since


def _older(connection: sa.Connection, account: str, item: Broken) -> Sequence[sa.Row[Any]]:
    """Open records of the same delivery that were read before this one."""
    if item.record.delivery_id is None:
        return []
    statement = sa.select(set_aside).where(
        set_aside.c.account == account,
        set_aside.c.delivery_id == item.record.delivery_id,
        set_aside.c.closed_at.is_(None),
        set_aside.c.turn < item.turn,
    )
    return connection.execute(statement).all()


def _close(connection: sa.Connection, ids: list[str], now: datetime) -> None:
    if ids:
        connection.execute(sa.update(set_aside).where(set_aside.c.id.in_(ids)).values(closed_at=now))


def _kept(
    connection: sa.Connection,
    account: str,
    record: SetAside,
    known: sa.Row[Any] | None,
    older: Sequence[sa.Row[Any]],
) -> Kept:
    identity = record_id(account, record.payload_hash)
    this = connection.execute(sa.select(set_aside).where(set_aside.c.id == identity)).one()
    keys = [key for row in (this, *older) for key in _may_belong_to(connection, row)]
    if known is not None:
        last = order_key(account, known.customer_id, known.purchase_order)
        keys += [] if last is None else [last]
    return Kept(id=identity, record=record, orders=tuple(dict.fromkeys(keys)))


def _may_belong_to(connection: sa.Connection, row: sa.Row[Any]) -> list[OrderKey]:
    """The orders that a record may belong to: its own, or every known one of its number where no customer was read."""
    if row.customer_id is not None or order_key(row.account, 0, row.purchase_order) is None:
        key = order_key(row.account, row.customer_id, row.purchase_order)
        return [] if key is None else [key]
    # An order may be known by its row alone, once its deliveries have left it, or by deliveries that wait for a look.
    customers = sa.union(
        *(
            sa.select(table.c.customer_id).where(
                table.c.account == row.account, table.c.purchase_order == row.purchase_order
            )
            for table in (deliveries, orders)
        )
    )
    found = sorted(connection.execute(customers).scalars())
    return [OrderKey(row.account, customer_id, row.purchase_order) for customer_id in found]


def _values(account: str, identity: str, item: Broken, known: sa.Row[Any] | None, now: datetime) -> dict[str, object]:
    record = item.record
    # What can't be read of the record is taken from the delivery as it was last understood.
    customer_id = known.customer_id if record.customer_id is None and known is not None else record.customer_id
    purchase_order = (
        known.purchase_order if record.purchase_order is None and known is not None else record.purchase_order
    )
    return {
        "id": identity,
        "account": account,
        "delivery_id": record.delivery_id,
        "customer_id": customer_id,
        "purchase_order": purchase_order,
        "payload": record.payload,
        "payload_hash": record.payload_hash,
        "reason": record.reason,
        "turn": item.turn,
        "first_seen_at": now,
    }
