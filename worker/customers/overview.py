"""How reading barmate stands, from the rows alone: for `status` and the metrics."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.clock import instant_text
from worker.customers import hints
from worker.db.tables import barmate_accounts, customer_orders
from worker.db.tables.customers import NOT_FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomersStatus:
    """An account at barmate. `open`: not final and visible; `unread`: never read by their id; `wanted`: to be read now.

    `longest_unread_at`: when the open order was read whose reading is longest ago.
    """

    account: str
    polled_at: datetime | None
    orders: int
    open: int
    unread: int
    wanted: int
    longest_unread_at: datetime | None
    stopped: str | None

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "account": self.account,
            "polled_at": None if self.polled_at is None else instant_text(self.polled_at),
            "orders": self.orders,
            "open": self.open,
            "unread": self.unread,
            "wanted": self.wanted,
            "longest_unread_at": None if self.longest_unread_at is None else instant_text(self.longest_unread_at),
            "stopped": self.stopped,
        }


def customers_status(connection: sa.Connection) -> tuple[CustomersStatus, ...]:
    """Every account at barmate that was ever asked, by name."""
    rows = connection.execute(sa.select(barmate_accounts).order_by(barmate_accounts.c.host)).all()
    return tuple(_status(connection, row.host, polled_at=row.walked_at, stopped=row.stopped_reason) for row in rows)


def _status(
    connection: sa.Connection, host: str, *, polled_at: datetime | None, stopped: str | None
) -> CustomersStatus:
    ours = sa.select(sa.func.count()).where(customer_orders.c.host == host)
    unfinished = (sa.text(NOT_FINAL), customer_orders.c.visible)
    oldest = sa.select(sa.func.min(customer_orders.c.read_at)).where(customer_orders.c.host == host, *unfinished)
    wanted = connection.execute(ours.where(customer_orders.c.wanted_at.is_not(None))).scalar_one()
    return CustomersStatus(
        account=host,
        polled_at=polled_at,
        orders=connection.execute(ours).scalar_one(),
        open=connection.execute(ours.where(*unfinished)).scalar_one(),
        unread=connection.execute(ours.where(customer_orders.c.read_at.is_(None))).scalar_one(),
        wanted=wanted + hints.waiting(connection, host),
        longest_unread_at=connection.execute(oldest).scalar_one(),
        stopped=stopped,
    )
