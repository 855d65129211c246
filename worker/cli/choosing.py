"""Which order a purchase order number on the command line means."""

import sqlalchemy as sa

from worker.errors import UsageError
from worker.events import OrderKey
from worker.orders.order_rows import find_orders

# Candidates named in the sentence; who has more narrows by what these show.
_NAMED = 10


def the_order(
    connection: sa.Connection, purchase_order: str, *, account: str | None, customer_id: int | None
) -> OrderKey:
    """The one order meant. Raises UsageError where there is none, or several: then with the candidates named."""
    found = find_orders(connection, purchase_order, account=account, customer_id=customer_id)
    if len(found) == 1:
        return found[0]
    if not found:
        narrowed = " of that account and customer" if account is not None or customer_id is not None else ""
        sentence = f"There is no order {purchase_order!r}{narrowed}; `waybill orders list` shows those there are."
        raise UsageError(sentence)
    named = "; ".join(f"--account {key.account} --customer {key.customer_id}" for key in found[:_NAMED])
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    sentence = f"Several orders have the number {purchase_order!r}; add one of: {named}{more}."
    raise UsageError(sentence)
