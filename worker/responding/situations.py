"""What is held about customer orders and their deliveries, loaded for a decision."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import sqlalchemy as sa

from worker.customers import customer_rows
from worker.customers.customer_rows import CustomerOrderRow
from worker.customers.linking import LinkBy, NamedBy, names_by_value
from worker.db.tables import deliveries, set_aside
from worker.reading import accounts, coverage
from worker.reading.spans import instant_of
from worker.responding import reply_rows
from worker.responding.decision import Linked, Situation
from worker.responding.terms import Terms

# Values in one statement: SQLite takes some thousands at most.
_CHUNK = 400
_CANCELLED = "cancelled"

_Key = tuple[str, int]


def load(connection: sa.Connection, terms: Terms, order_id: str) -> Situation:
    """How it stands with one customer order."""
    return load_many(connection, terms, [order_id])[order_id]


def load_many(connection: sa.Connection, terms: Terms, ids: Collection[str]) -> dict[str, Situation]:
    """How it stands with each of these customer orders."""
    # First, so that what was read up to then is among what follows: each statement may see more than the one before.
    until = seen_until(connection, terms.accounts)
    orders = customer_rows.load_many(connection, terms.host, ids)
    values = {order_id: _value(order_id, orders.get(order_id), terms.link_by) for order_id in ids}
    named = names_by_value(connection, {value for value in values.values() if value is not None}, terms.link_by)
    linked = _linked(connection, terms, named)
    broken = customer_rows.set_aside_reasons(connection, terms.host, ids)
    replies = reply_rows.of_orders(connection, terms.host, ids)
    return {
        order_id: Situation(
            order_id=order_id,
            order=orders.get(order_id),
            set_aside=broken.get(order_id),
            linked=tuple(linked[one.account, one.delivery_id] for one in named if one.value == values[order_id]),
            replies=tuple(replies[order_id]),
            seen_until=until,
        )
        for order_id in ids
    }


def _value(order_id: str, order: CustomerOrderRow | None, link_by: LinkBy) -> str | None:
    """What a delivery of this customer order carries."""
    if link_by is not LinkBy.REFERENCE:
        return order_id
    return None if order is None else order.reference


def seen_until(connection: sa.Connection, names: Sequence[str]) -> datetime | None:
    """Up to when, by our clock, every account was read without a gap; None where one was not read at all."""
    found = [_certified(connection, name) for name in names]
    known = [moment for moment in found if moment is not None]
    return min(known) if known and len(known) == len(found) else None


def _certified(connection: sa.Connection, name: str) -> datetime | None:
    account = accounts.find_or_none(connection, name)
    if account is None:
        return None
    until = coverage.certified_until(connection, name, account.start)
    # Coverage goes by the server's clock, and what it is compared with by ours, which may be hours away from it.
    skew = timedelta() if account.skew_seconds is None else timedelta(seconds=account.skew_seconds)
    return None if until is None else instant_of(until) - skew


def _linked(connection: sa.Connection, terms: Terms, named: Sequence[NamedBy]) -> Mapping[_Key, Linked]:
    keys = sorted({(one.account, one.delivery_id) for one in named})
    details: dict[_Key, sa.Row[Any]] = {}
    broken: set[_Key] = set()
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        details.update(_details(connection, chunk))
        broken |= _broken(connection, chunk)
    return {
        (one.account, one.delivery_id): _one(one, details[one.account, one.delivery_id], terms, broken) for one in named
    }


def _one(one: NamedBy, row: sa.Row[Any], terms: Terms, broken: Collection[_Key]) -> Linked:
    return Linked(
        account=one.account,
        delivery_id=one.delivery_id,
        number=one.number,
        status=one.status,
        day=_day(row.raw, terms.zone),
        changed_at=row.changed_at,
        unclear=_unclear(one, terms, is_broken=(one.account, one.delivery_id) in broken),
    )


def _unclear(one: NamedBy, terms: Terms, *, is_broken: bool) -> str | None:
    if one.account not in terms.accounts:
        return f"is of {one.account}, which is not in the settings"
    if is_broken:
        return "has a record that was set aside"
    # What was cancelled stays so, whoever may see it.
    return None if one.visible or one.status == _CANCELLED else "is no longer shown by the warehouse"


def _details(connection: sa.Connection, keys: Sequence[_Key]) -> dict[_Key, sa.Row[Any]]:
    statement: sa.Select[Any] = sa.select(
        deliveries.c.account, deliveries.c.id, deliveries.c.raw, deliveries.c.changed_at
    ).where(among(deliveries.c.account, deliveries.c.id, keys))
    return {(str(row.account), int(row.id)): row for row in connection.execute(statement)}


def _broken(connection: sa.Connection, keys: Sequence[_Key]) -> set[_Key]:
    statement = sa.select(set_aside.c.account, set_aside.c.delivery_id).where(
        among(set_aside.c.account, set_aside.c.delivery_id, keys), set_aside.c.closed_at.is_(None)
    )
    return {(row.account, row.delivery_id) for row in connection.execute(statement)}


def among(account: sa.Column[str], delivery_id: sa.Column[int], keys: Sequence[_Key]) -> sa.ColumnElement[bool]:
    """Rows of these deliveries, found by the index that begins with the account; those of a namesake may come too."""
    names, ids = {name for name, _ in keys}, [known for _, known in keys]
    return sa.and_(account.in_(sorted(names)), delivery_id.in_(ids))


def _day(raw: str, zone: ZoneInfo | None) -> date | None:
    """The day of a delivery's `date` where the goods go (logistic.cloud developer docs, resources/deliveries)."""
    if zone is None:
        return None
    told = orjson.loads(raw).get("date")
    try:
        moment = datetime.fromisoformat(str(told))
    except ValueError:
        return None
    return moment.date() if moment.tzinfo is None else moment.astimezone(zone).date()
