"""Switches that outlive a process: whether something is on, since when and why."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from worker.db.tables import switches

# Off after the receiver said 410, until a person switches it on again. No row: on.
WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Switch:
    """How a switch stands."""

    name: str
    on: bool
    reason: str
    changed_at: datetime


def read(connection: sa.Connection, name: str) -> Switch | None:
    """The switch of that name, or None where nobody ever touched it."""
    row = connection.execute(sa.select(switches).where(switches.c.name == name)).first()
    return None if row is None else Switch(row.name, row.on, row.reason, row.changed_at)


def turn(connection: sa.Connection, name: str, *, on: bool, reason: str, now: datetime) -> bool:
    """Set the switch, with a reason that a person understands; whether that changed anything.

    One that stands so already keeps its first reason, also where two processes reach for it in the same moment.
    """
    values = {"on": on, "reason": reason, "changed_at": now}
    change = sa.update(switches).where(switches.c.name == name, switches.c.on.is_not(on)).values(**values)
    if connection.execute(change).rowcount:
        return True
    if read(connection, name) is not None:
        return False
    try:
        with connection.begin_nested():
            connection.execute(sa.insert(switches).values(name=name, **values))
    except IntegrityError:
        # Somebody else was the first to touch it.
        return bool(connection.execute(change).rowcount)
    return True


def webhook_is_on(connection: sa.Connection) -> bool:
    """Whether events may be posted to the receiver."""
    switch = read(connection, WEBHOOK)
    return switch is None or switch.on
