"""The terms that orders are decided on beside their deliveries and links: which customer orders they wait for.

No event tells that the settings were changed, so what was decided on other terms is looked at once more.
"""

from datetime import datetime

import sqlalchemy as sa

from worker.db.tables import bindings, firings, orders
from worker.states import ENDED, OrderState

_NAME = "customer_terms"
# Nothing about these depends on customer orders.
_APART = (OrderState.CANCELLED, OrderState.UNLINKED)


def in_force(connection: sa.Connection) -> str:
    """The terms of the last start; '' before anything was said."""
    held = connection.execute(sa.select(bindings.c.value).where(bindings.c.name == _NAME)).scalar_one_or_none()
    return "" if held is None else held


def apply(connection: sa.Connection, terms: str, now: datetime) -> int:
    """Have orders looked at again if the terms are not those of the last start; how many.

    An order whose credit delivery is confirmed or abandoned is left alone.
    """
    if terms == in_force(connection):
        return 0
    connection.execute(sa.delete(bindings).where(bindings.c.name == _NAME))
    connection.execute(sa.insert(bindings).values(name=_NAME, value=terms, bound_at=now))
    ended = sa.select(firings.c.id).where(
        firings.c.order_id == orders.c.id, firings.c.ordinal == 0, firings.c.state.in_(sorted(ENDED))
    )
    statement = sa.update(orders).where(orders.c.state.not_in(_APART), ~ended.exists())
    return connection.execute(statement.values(look_at=now)).rowcount
