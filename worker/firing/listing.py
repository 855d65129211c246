"""The firings as listings, with the keys of DESIGN §8 that scripts rely on."""

from collections.abc import Iterator

import sqlalchemy as sa

from worker.db.tables import attempts, firings, orders
from worker.states import FiringState

Document = dict[str, object]

# Rows fetched at once: a long listing never stands in memory as a whole.
_FETCH = 500


def list_credits(
    connection: sa.Connection,
    *,
    state: FiringState | None = None,
    credit_order_id: str | None = None,
    limit: int | None = None,
) -> Iterator[Document]:
    """Firings by account, customer, purchase order and ordinal."""
    statement = _SELECT
    if state is not None:
        statement = statement.where(firings.c.state == state)
    if credit_order_id is not None:
        statement = statement.where(firings.c.credit_order_id == credit_order_id)
    result = connection.execution_options(yield_per=_FETCH).execute(statement.limit(limit))
    for row in result:
        yield dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name for a row as a mapping


_ATTEMPTS = (
    sa.select(sa.func.count()).select_from(attempts).where(attempts.c.firing_id == firings.c.id).scalar_subquery()
)
_SELECT = (
    sa.select(
        orders.c.account,
        orders.c.customer_id,
        orders.c.purchase_order,
        firings.c.ordinal,
        firings.c.credit_order_id,
        firings.c.kg,
        firings.c.state,
        firings.c.reason,
        firings.c.credit_delivery_id,
        _ATTEMPTS.label("attempts"),
    )
    .join_from(firings, orders)
    .order_by(orders.c.account, orders.c.customer_id, orders.c.purchase_order, firings.c.ordinal)
)
