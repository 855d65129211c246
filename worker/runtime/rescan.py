"""Orders and firings whose time to be looked at has come: rows, so that a lost task forgets nothing.

Whoever hints at a row first moves its `look_at` a minute on; the service that looks sets it to what it wants. A row
that still has the moved time is one that nobody has looked at yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from worker.db.tables import firings, orders
from worker.events import OrderKey

# Seconds until a row is hinted at again if nobody looked: a killed worker's work is taken up within a minute.
AGAIN_SECONDS = 60.0

_KEY = (orders.c.account, orders.c.customer_id, orders.c.purchase_order)


@dataclass(frozen=True, slots=True)
class Hinted:
    """A row that is hinted at: the time that its `look_at` is moved to, and what it was."""

    id: int
    until: datetime
    was: datetime
    subject: str


class Rescan:
    """The rows of one table (`orders` or `firings`) as far as looking at them goes."""

    def __init__(self, table: sa.Table) -> None:
        self._table = table
        # Made once: the relay asks many times a second, and putting a statement together costs as much as running it.
        self._due = self._select().where(table.c.look_at <= sa.bindparam("now")).limit(sa.bindparam("most"))
        self._stands = sa.select(table.c.id, table.c.look_at).where(table.c.id.in_(sa.bindparam("ids", expanding=True)))

    def due(self, connection: sa.Connection, now: datetime, limit: int) -> list[Hinted]:
        """Up to `limit` due rows, the longest due first, with the time that they are to be moved on to."""
        rows = connection.execute(self._due, {"now": now, "most": limit})
        until = now + timedelta(seconds=AGAIN_SECONDS)
        return [Hinted(row.id, until, row.look_at, _subject(row)) for row in rows]

    def move_on(self, connection: sa.Connection, hinted: Sequence[Hinted]) -> None:
        """Move these rows a minute on; one that was looked at meanwhile is left alone."""
        for row in hinted:
            unchanged = sa.and_(self._table.c.id == row.id, self._table.c.look_at == row.was)
            connection.execute(sa.update(self._table).where(unchanged).values(look_at=row.until))

    def unseen(self, connection: sa.Connection, hinted: Sequence[Hinted]) -> list[Hinted]:
        """Those of `hinted` that nobody has looked at yet."""
        if not hinted:
            return []
        ids = [row.id for row in hinted]
        stands = {row.id: row.look_at for row in connection.execute(self._stands, {"ids": ids})}
        return [row for row in hinted if stands.get(row.id) == row.until]

    def look_again(self, connection: sa.Connection, key: OrderKey, until: datetime) -> None:
        """Have the rows of this order looked at again then, unless the service said otherwise meanwhile."""
        order = sa.select(orders.c.id).where(
            orders.c.account == key.account,
            orders.c.customer_id == key.customer_id,
            orders.c.purchase_order == key.purchase_order,
        )
        column = self._table.c.id if self._table is orders else self._table.c.order_id
        connection.execute(
            sa.update(self._table).where(column.in_(order), self._table.c.look_at.is_not(None)).values(look_at=until)
        )

    def _select(self) -> sa.Select[Any]:
        statement = sa.select(self._table.c.id, self._table.c.look_at, *_KEY).order_by(self._table.c.look_at)
        return statement if self._table is orders else statement.join_from(firings, orders)


def _subject(row: sa.Row[Any]) -> str:
    return OrderKey(row.account, row.customer_id, row.purchase_order).text
