"""The rows of `pins`: the batches and kilograms frozen into a firing's request; a batch has one unresolved firing."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from worker.db.tables import pins


@dataclass(frozen=True, slots=True)
class Pin:
    """So many kilograms of one batch."""

    batch_id: str
    kg: int


def reserved(connection: sa.Connection, *, but: int) -> frozenset[str]:
    """Batches pinned by unresolved firings other than the one with id `but`."""
    statement = sa.select(pins.c.batch_id).where(pins.c.active, pins.c.firing_id != but)
    return frozenset(connection.execute(statement).scalars())


def active(connection: sa.Connection, firing_id: int) -> tuple[Pin, ...]:
    """The firing's pins in force, in the order of the request."""
    statement = sa.select(pins.c.batch_id, pins.c.kg).where(pins.c.firing_id == firing_id, pins.c.active)
    return tuple(Pin(row.batch_id, row.kg) for row in connection.execute(statement.order_by(pins.c.batch_id)))


def pin(connection: sa.Connection, firing_id: int, freeze: int, chosen: Sequence[Pin]) -> None:
    """Reserve the batches. Raises IntegrityError if another unresolved firing has one of them."""
    rows = [
        {"firing_id": firing_id, "freeze": freeze, "batch_id": one.batch_id, "kg": one.kg, "active": True}
        for one in chosen
    ]
    connection.execute(sa.insert(pins), rows)


def free(connection: sa.Connection, firing_id: int) -> None:
    """End the reservation; the rows stay as the record of what was asked for."""
    connection.execute(sa.update(pins).where(pins.c.firing_id == firing_id, pins.c.active).values(active=False))
