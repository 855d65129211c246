"""Order links as rows, read: found for an order, listed, loaded by number."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from worker.db.tables import deliveries, links, set_aside
from worker.events import OrderKey
from worker.orders.link_match import LinkMatch, best, match
from worker.standing import Link

# SQLite takes at most some thousands of values in one statement.
_CHUNK = 400
# The columns that make a `Link` as they stand.
_PLAIN = tuple(field.name for field in fields(Link) if field.name != "batches")


class LinkRows:
    """The rows of `links`, for those who only look. Methods take the caller's transaction."""

    def find(self, connection: sa.Connection, key: OrderKey) -> LinkMatch:
        """The link that this order is under: one, none, or it cannot be told."""
        held = load_links(connection, [key.purchase_order])
        chosen = best(held, key)
        if chosen is None or (chosen.account and chosen.customer_id):
            return match(held, key, ())
        return match(held, key, _same_number(connection, key.purchase_order))

    def of_numbers(self, connection: sa.Connection, numbers: Iterable[str]) -> dict[str, list[Link]]:
        """All links of these purchase order numbers, by number."""
        return by_number(load_links(connection, sorted(set(numbers))))

    def all(self, connection: sa.Connection) -> Iterator[Link]:
        """Every link, in the order of their numbers."""
        for row in connection.execute(sa.select(links).order_by(links.c.purchase_order, links.c.id)):
            yield link_of(row)


def link_of(row: sa.Row[Any]) -> Link:
    """A link from its row."""
    return Link(batches=tuple(row.batches), **{name: getattr(row, name) for name in _PLAIN})


def load_links(connection: sa.Connection, numbers: Sequence[str]) -> list[Link]:
    """Every link of these purchase order numbers."""
    found: list[Link] = []
    for chunk in chunks(numbers):
        statement = sa.select(links).where(links.c.purchase_order.in_(chunk)).order_by(links.c.id)
        found += [link_of(row) for row in connection.execute(statement)]
    return found


def by_number(found: Iterable[Link]) -> dict[str, list[Link]]:
    """Links grouped by purchase order number."""
    groups: dict[str, list[Link]] = {}
    for link in found:
        groups.setdefault(link.purchase_order, []).append(link)
    return groups


def _same_number(connection: sa.Connection, purchase_order: str) -> set[OrderKey]:
    """Every known order of that number, whether it was looked at yet or not."""
    seen = sa.select(deliveries.c.account, deliveries.c.customer_id).where(
        deliveries.c.purchase_order == purchase_order
    )
    aside = sa.select(set_aside.c.account, set_aside.c.customer_id).where(
        set_aside.c.purchase_order == purchase_order,
        set_aside.c.customer_id.is_not(None),
        set_aside.c.closed_at.is_(None),
    )
    rows = connection.execute(sa.union(seen, aside))
    return {OrderKey(row.account, row.customer_id, purchase_order) for row in rows}


def chunks(values: Sequence[str]) -> list[Sequence[str]]:
    """Parts that fit into one statement."""
    return [values[start : start + _CHUNK] for start in range(0, len(values), _CHUNK)]
