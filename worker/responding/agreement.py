"""The agreement report: every customer order compared with its deliveries, from what is held (DESIGN §8)."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.customers.linking import LinkBy, names_by_value
from worker.db.tables import customer_missing, customer_orders, deliveries
from worker.reading.delivery_rows import facts_of_row
from worker.responding import situations
from worker.responding.decision import Situation, decide
from worker.responding.differences import Difference, differences, named_and_unknown
from worker.responding.terms import Terms
from worker.standing import LineItem

COLUMNS = ("kind", "customer_order_id", "status", "deliveries", "reason")

# Orders looked at together.
_CHUNK = 400
_CANCELLED = "cancelled"

_Key = tuple[str, int]


def agreement(connection: sa.Connection, terms: Terms, now: datetime, *, still: timedelta) -> Iterator[Difference]:
    """What does not agree, the oldest request first; then what barmate does not know."""
    for chunk in _chunks(_ids(connection, terms.host)):
        found = situations.load_many(connection, terms, chunk)
        keys = {(one.account, one.delivery_id) for each in found.values() for one in each.linked}
        lines = _lines(connection, sorted(keys))
        for order_id in chunk:
            situation = found[order_id]
            verdict = decide(situation, now, quiet=terms.quiet)
            yield from differences(situation, _of(situation, lines), verdict, now, still=still)
    yield from _unknown(connection, terms)


def _ids(connection: sa.Connection, host: str) -> list[str]:
    statement = sa.select(customer_orders.c.id).where(customer_orders.c.host == host)
    return list(connection.execute(statement.order_by(customer_orders.c.requested_at, customer_orders.c.id)).scalars())


def _unknown(connection: sa.Connection, terms: Terms) -> Iterator[Difference]:
    if terms.link_by is LinkBy.REFERENCE:
        return
    statement = sa.select(customer_missing.c.id).where(customer_missing.c.host == terms.host)
    ids = list(connection.execute(statement.order_by(customer_missing.c.id)).scalars())
    for order_id in ids:
        named = names_by_value(connection, [order_id], terms.link_by)
        live = [one.delivery_id for one in named if one.visible and one.status != _CANCELLED]
        if live:
            yield named_and_unknown(order_id, live)


def _lines(connection: sa.Connection, keys: Sequence[_Key]) -> dict[_Key, tuple[LineItem, ...] | None]:
    found: dict[_Key, tuple[LineItem, ...] | None] = {}
    for start in range(0, len(keys), _CHUNK):
        chunk = situations.among(deliveries.c.account, deliveries.c.id, keys[start : start + _CHUNK])
        rows = connection.execute(sa.select(deliveries).where(chunk))
        found.update({(row.account, row.id): facts_of_row(row).line_items for row in rows})
    return found


def _of(situation: Situation, lines: dict[_Key, tuple[LineItem, ...] | None]) -> list[LineItem] | None:
    """The line items of the deliveries that count; None where one of them shows none."""
    live = [one for one in situation.linked if one.status != _CANCELLED]
    each = [lines[one.account, one.delivery_id] for one in live]
    return None if not all(each) else [line for some in each if some is not None for line in some]


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    yield from (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
