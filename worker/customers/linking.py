"""Which deliveries and which customer orders belong together, by the field that the operator named (DESIGN §5).

A delivery has at most one customer order; several deliveries may be shipped for the same one. Values are compared
byte for byte; a blank one names nothing.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa

from worker.db import Database
from worker.db.tables import deliveries
from worker.events import OrderKey, order_key

# Values in one statement: SQLite takes some thousands at most.
_CHUNK = 400


class LinkBy(StrEnum):
    """What names the customer order of a delivery: a field with its id, or its number as the accepted reference."""

    NUMBER = "number"
    NUMBER_EXTERNAL = "number_external"
    NUMBER_PURCHASE_ORDER = "number_purchase_order"
    REFERENCE = "reference"


_FIELDS: Mapping[LinkBy, sa.Column[str]] = {
    LinkBy.NUMBER: deliveries.c.number,
    LinkBy.NUMBER_EXTERNAL: deliveries.c.number_external,
    LinkBy.NUMBER_PURCHASE_ORDER: deliveries.c.purchase_order,
    LinkBy.REFERENCE: deliveries.c.number,
}

# Made where barmate is in use: on every delivery's numbers they would slow reading down for those without it.
_INDEXES: Mapping[LinkBy, str] = {
    LinkBy.NUMBER: "ix_deliveries_number",
    LinkBy.NUMBER_EXTERNAL: "ix_deliveries_number_external",
    LinkBy.REFERENCE: "ix_deliveries_number",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBy:
    """A delivery that names a customer order: where it is, what it says, and how it stands."""

    account: str
    delivery_id: int
    customer_id: int
    purchase_order: str | None
    number: str
    value: str
    status: str
    visible: bool

    @property
    def order(self) -> OrderKey | None:
        """Its order; None without a purchase order number."""
        return order_key(self.account, self.customer_id, self.purchase_order)


def prepare(database: Database, link_by: LinkBy) -> None:
    """Make sure that the deliveries of a customer order are found fast. Raises DatabaseUnavailable."""
    index = _INDEXES.get(link_by)
    if index is None:
        return
    with database.read() as connection:
        there = {found["name"] for found in sa.inspect(connection).get_indexes(deliveries.name)}
    if index not in there:
        with database.write() as connection:
            connection.execute(sa.text(f"CREATE INDEX IF NOT EXISTS {index} ON deliveries ({_FIELDS[link_by].name})"))


def names_by_order(connection: sa.Connection, key: OrderKey, link_by: LinkBy) -> list[NamedBy]:
    """The deliveries of an order that name a customer order, by id."""
    statement = _select(link_by).where(
        deliveries.c.account == key.account,
        deliveries.c.customer_id == key.customer_id,
        deliveries.c.purchase_order == key.purchase_order,
    )
    # Sorted here: to spare itself the sorting, SQLite would read the whole account in the order of its ids.
    named = (found for found in _named(connection, statement) if found.value.strip())
    return sorted(named, key=lambda one: one.delivery_id)


def names_by_value(connection: sa.Connection, values: Collection[str], link_by: LinkBy) -> list[NamedBy]:
    """The deliveries of all accounts that carry one of the values, by account and id."""
    wanted = sorted(value for value in values if value.strip())
    found: list[NamedBy] = []
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        found.extend(_named(connection, _select(link_by).where(_FIELDS[link_by].in_(chunk))))
    return sorted(found, key=lambda one: (one.account, one.delivery_id))


def linking_values(order_id: str, references: Sequence[str | None], link_by: LinkBy) -> frozenset[str]:
    """What a delivery of this customer order carries: its id, or a reference that it has or had."""
    if link_by is LinkBy.REFERENCE:
        return frozenset(reference for reference in references if reference is not None)
    return frozenset({order_id})


def orders_about(
    connection: sa.Connection, order_id: str, references: Sequence[str | None], link_by: LinkBy
) -> tuple[OrderKey, ...]:
    """The orders with a delivery of this customer order, by its id or by a reference that it has or had."""
    named = names_by_value(connection, linking_values(order_id, references, link_by), link_by)
    keys = (found.order for found in named)
    return tuple(dict.fromkeys(key for key in keys if key is not None))


def _select(link_by: LinkBy) -> sa.Select[tuple[str, int, int, str | None, str, str, str, bool]]:
    return sa.select(
        deliveries.c.account,
        deliveries.c.id,
        deliveries.c.customer_id,
        deliveries.c.purchase_order,
        deliveries.c.number,
        _FIELDS[link_by].label("value"),
        deliveries.c.status,
        deliveries.c.visible,
    )


def _named(
    connection: sa.Connection, statement: sa.Select[tuple[str, int, int, str | None, str, str, str, bool]]
) -> Iterator[NamedBy]:
    for row in connection.execute(statement).all():
        yield NamedBy(
            account=row.account,
            delivery_id=row.id,
            customer_id=row.customer_id,
            purchase_order=row.purchase_order,
            number=row.number,
            value="" if row.value is None else row.value,
            status=row.status,
            visible=row.visible,
        )
