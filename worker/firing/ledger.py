"""The registry's ledger, mirrored: every credit delivery of our supplier, and whose it is (DESIGN §6.3).

Read newest first until known, completely once for each credit order that is linked, and completely again whenever the
counts do not agree: a delivery can be stamped early and then lies below the newest one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from connectors.isometric import Isometric
from connectors.isometric_records import CreditDelivery
from connectors.pagination import ReadList
from worker.db import Database
from worker.db.tables import credit_deliveries, ledger_reads
from worker.firing.account import RegistryAccount
from worker.firing.attribution import Attributor
from worker.firing.binding import one_at_a_time
from worker.firing.confirming import Attribution

_SUPPLIER = "supplier"


@dataclass(frozen=True, slots=True)
class Joined:
    """Whether the mirror agrees with the registry's own count, and the reason if it does not."""

    agrees: bool
    reason: str


class Ledger:
    """Reads the registry's ledger into `credit_deliveries`."""

    def __init__(self, *, database: Database, account: RegistryAccount, attributor: Attributor) -> None:
        self._database = database
        self._account = account
        self._attributor = attributor

    def refresh(self, credit_order_id: str) -> Joined:
        """Read what is new, and the credit order completely if it never was. Raises ConnectorError."""
        registry, supplier_id = self._account.require(), self._account.supplier().id
        joined = self._read_supplier(registry, supplier_id)
        if joined.agrees and not self._was_read(credit_order_id):
            return self._read_credit_order(credit_order_id)
        return joined

    def read_whole_supplier(self) -> ReadList[CreditDelivery]:
        """Read everything that the supplier delivered, and mirror it. Raises ConnectorError."""
        supplier_id = self._account.supplier().id
        listed = self._account.require().supplier_deliveries(supplier_id)
        self._keep(listed.nodes, _SUPPLIER, listed, supplier_id)
        return listed

    def read_whole_order(self, credit_order_id: str) -> ReadList[CreditDelivery]:
        """Read everything that was delivered to a credit order, and mirror it. Raises ConnectorError."""
        supplier_id = self._account.supplier().id
        listed = self._account.require().order_deliveries(credit_order_id)
        self._keep(listed.nodes, credit_order_id, listed, supplier_id)
        return listed

    def absorb(self, connection: sa.Connection, deliveries: Iterable[CreditDelivery], supplier_id: str) -> None:
        """Mirror the supplier's deliveries among those read, and attribute what is new, in the caller's transaction."""
        one_at_a_time(connection)
        own = [delivery for delivery in deliveries if delivery.supplier_id == supplier_id]
        self._attributor.attribute(connection, own, supplier_id)

    def match_again(self) -> None:
        """Match what nobody claims against the orders known by now; asks nobody."""
        supplier_id = self._account.known_supplier_id()
        if supplier_id is not None:
            with self._database.write() as connection:
                one_at_a_time(connection)
                self._attributor.attribute(connection, (), supplier_id)

    def _read_supplier(self, registry: Isometric, supplier_id: str) -> Joined:
        known = self._known_ids() if self._was_read(_SUPPLIER) else frozenset()
        listed = registry.supplier_deliveries(supplier_id, until=lambda delivery: delivery.id in known)
        new = [delivery for delivery in listed.nodes if delivery.id not in known]
        if self._agrees(len(known | {delivery.id for delivery in new}), listed):
            self._keep(new, _SUPPLIER, listed, supplier_id)
            return Joined(agrees=True, reason="")
        whole = self.read_whole_supplier()
        count = len(self._known_ids())
        if whole.counts_agree and count == whole.total_count:
            return Joined(agrees=True, reason="")
        return Joined(agrees=False, reason=f"{count} deliveries are known and the registry counts {whole.total_count}")

    def _agrees(self, count: int, listed: ReadList[CreditDelivery]) -> bool:
        whole_or_joined = listed.joined or listed.complete
        return whole_or_joined and listed.first_total_count == listed.total_count == count

    def _read_credit_order(self, credit_order_id: str) -> Joined:
        listed = self.read_whole_order(credit_order_id)
        if listed.counts_agree:
            return Joined(agrees=True, reason="")
        return Joined(agrees=False, reason=f"the deliveries of credit order {credit_order_id} could not be read whole")

    def _keep(
        self, deliveries: Sequence[CreditDelivery], name: str, listed: ReadList[CreditDelivery], supplier_id: str
    ) -> None:
        with self._database.write() as connection:
            self.absorb(connection, deliveries, supplier_id)
            if listed.complete and listed.first_total_count == listed.total_count:
                self._remember_read(connection, name, listed.total_count)

    def _remember_read(self, connection: sa.Connection, name: str, total_count: int) -> None:
        values = {"at": self._database.now(connection), "total_count": total_count}
        changed = connection.execute(sa.update(ledger_reads).where(ledger_reads.c.name == name).values(**values))
        if changed.rowcount == 0:
            connection.execute(sa.insert(ledger_reads).values(name=name, **values))

    def _was_read(self, name: str) -> bool:
        with self._database.read() as connection:
            statement = sa.select(ledger_reads.c.name).where(ledger_reads.c.name == name)
            return connection.execute(statement).first() is not None

    def _known_ids(self) -> frozenset[str]:
        with self._database.read() as connection:
            return frozenset(connection.execute(sa.select(credit_deliveries.c.id)).scalars())


def unattributed_on(connection: sa.Connection, credit_order_id: str) -> list[str]:
    """Ids of deliveries on a credit order that nobody claims yet: they hold it."""
    statement = sa.select(credit_deliveries.c.id).where(
        credit_deliveries.c.credit_order_id == credit_order_id,
        credit_deliveries.c.attribution == Attribution.UNATTRIBUTED,
    )
    return list(connection.execute(statement.order_by(credit_deliveries.c.delivered_at)).scalars())


def mirrored_on(connection: sa.Connection, credit_order_id: str) -> dict[str, int]:
    """Deliveries known on a credit order, with their kilograms."""
    statement = sa.select(credit_deliveries.c.id, credit_deliveries.c.kg).where(
        credit_deliveries.c.credit_order_id == credit_order_id
    )
    return {row.id: row.kg for row in connection.execute(statement)}


def explained_on(connection: sa.Connection, credit_order_id: str) -> frozenset[str]:
    """Ids of deliveries on a credit order that are confirmed firings of ours, or that a person dismissed."""
    statement = sa.select(credit_deliveries.c.id).where(
        credit_deliveries.c.credit_order_id == credit_order_id,
        credit_deliveries.c.attribution != Attribution.UNATTRIBUTED,
    )
    return frozenset(connection.execute(statement).scalars())
