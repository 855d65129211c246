"""The binding: a database belongs to one registry host, one supplier and one marker key; others are refused."""

import sqlalchemy as sa

from connectors.isometric import Environment, environment_of
from worker.db import Database, for_update
from worker.db.tables import bindings
from worker.errors import NotReady

HOST = "registry_host"
SUPPLIER = "supplier"
MARKER_KEY = "marker_key"

_REMEDIES = {
    HOST: "The database belongs to the registry {bound} and the settings name {given}: "
    "set WAYBILL_ISOMETRIC__BASE_URL back, or use another database.",
    SUPPLIER: "The database belongs to the supplier {bound} and the credentials to {given}: "
    "set the access token back, or use another database.",
    MARKER_KEY: "The database was used with the marker key of fingerprint {bound} and the settings hold {given}: "
    "set WAYBILL_CREDITS__MARKER_KEY back, or use another database.",
}


class Bindings:
    """The rows of `bindings`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self, connection: sa.Connection, name: str, value: str) -> None:
        """Raise NotReady if the database is bound to another value; being bound to none is fine."""
        bound = self.value(connection, name)
        if bound is not None and bound != value:
            raise NotReady(_REMEDIES[name].format(bound=bound, given=value))

    def bind(self, connection: sa.Connection, name: str, value: str) -> None:
        """Bind the database for ever. Raises NotReady if it is bound to another value."""
        self.check(connection, name, value)
        if self.value(connection, name) is None:
            row = {"name": name, "value": value, "bound_at": self._database.now(connection)}
            connection.execute(sa.insert(bindings).values(row))

    def value(self, connection: sa.Connection, name: str) -> str | None:
        """What the database is bound to; None if to nothing yet."""
        return connection.execute(sa.select(bindings.c.value).where(bindings.c.name == name)).scalar_one_or_none()


def one_at_a_time(connection: sa.Connection) -> None:
    """Let nobody else attribute deliveries until the transaction ends; to be called before any row of it is locked.

    The row of the supplier serves as the lock: it exists before anything could be attributed.
    """
    connection.execute(for_update(sa.select(bindings.c.name).where(bindings.c.name == SUPPLIER)))


def mixed_up(credit_order_id: str, host: str) -> str | None:
    """A sentence if an id of one environment meets the host of the other (Isometric ids: observed, not documented)."""
    of_id, of_host = environment_of(credit_order_id), environment_of(host)
    if Environment.UNKNOWN in (of_id, of_host) or of_id is of_host:
        return None
    remedy = "correct the link or WAYBILL_ISOMETRIC__BASE_URL"
    return f"{credit_order_id} is a {of_id} id and the registry is {of_host}: {remedy}"
