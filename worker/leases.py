"""Leases: one process acts, for a while. The term grows with every change of holder and fences the one before."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from worker.db import Database, for_update
from worker.db.tables import leases


@dataclass(frozen=True, slots=True)
class Lease:
    """A right to act, valid while `name` still has this term and has not run out."""

    name: str
    holder: str
    term: int


class Leases:
    """The rows of `leases`. Times are the database's own."""

    def __init__(self, database: Database, *, holder: str) -> None:
        self._database = database
        self._holder = holder

    def acquire(self, name: str, seconds: float) -> Lease | None:
        """Take or prolong the lease for that long; None while somebody else holds it."""
        with self._database.write() as connection:
            return self.acquire_in(connection, name, seconds)

    def acquire_in(self, connection: sa.Connection, name: str, seconds: float) -> Lease | None:
        """As `acquire`, inside the caller's transaction."""
        now = self._database.now(connection)
        row = connection.execute(for_update(sa.select(leases).where(leases.c.name == name))).first()
        if row is None:
            return self._first(connection, name, seconds)
        if row.holder != self._holder and row.until > now:
            return None
        term = row.term if row.holder == self._holder and row.until > now else row.term + 1
        connection.execute(
            sa.update(leases)
            .where(leases.c.name == name)
            .values(holder=self._holder, term=term, until=now + timedelta(seconds=seconds))
        )
        return Lease(name, self._holder, term)

    def _first(self, connection: sa.Connection, name: str, seconds: float) -> Lease | None:
        until = self._database.now(connection) + timedelta(seconds=seconds)
        try:
            with connection.begin_nested():
                connection.execute(sa.insert(leases).values(name=name, holder=self._holder, term=1, until=until))
        except sa.exc.IntegrityError:
            # Another process was first by a moment; it has the lease.
            return None
        return Lease(name, self._holder, 1)

    def holds(self, connection: sa.Connection, lease: Lease) -> bool:
        """Whether the lease is still in force, in the caller's transaction; locks its row until that ends."""
        row = connection.execute(for_update(sa.select(leases).where(leases.c.name == lease.name))).first()
        if row is None:
            return False
        in_force: bool = (
            row.holder == lease.holder and row.term == lease.term and row.until > self._database.now(connection)
        )
        return in_force

    def give_back(self, lease: Lease) -> None:
        """End the lease now, if it is still ours."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(leases)
                .where(leases.c.name == lease.name, leases.c.holder == lease.holder, leases.c.term == lease.term)
                .values(until=self._database.now(connection))
            )
