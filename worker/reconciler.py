"""Reconcile: our ledger against the registry's, over all linked orders or everything the supplier delivered.

Read-only at the registry, and needs no daemon. What differs stays as a row until a person closes it (DESIGN §6.9).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from connectors.errors import NotFound
from connectors.isometric_records import CreditDelivery
from worker.db import Database
from worker.db.tables import counted_deliveries, credit_deliveries, deliveries, firings, links, mismatches, orders
from worker.discrepancies import Discrepancy, Held, Kind, compare
from worker.errors import NotReady, UsageError
from worker.firing.account import RegistryAccount
from worker.firing.ledger import Ledger
from worker.states import UNRESOLVED, FiringState


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A difference between the ledgers that nobody closed yet."""

    id: str
    kind: str
    subject: str
    detail: Mapping[str, Any]
    found_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a reconciliation found: firings that match, unresolved ones, and all open mismatches."""

    matched: int
    pending: int
    credit_orders: int
    mismatches: tuple[Mismatch, ...]

    @property
    def agrees(self) -> bool:
        """Whether nothing is open."""
        return not self.mismatches


class Reconciler:
    """Compares the ledgers."""

    def __init__(self, *, database: Database, account: RegistryAccount, ledger: Ledger) -> None:
        self._database = database
        self._account = account
        self._ledger = ledger

    def run(self, *, supplier: bool = False) -> Report:
        """Compare; `supplier` takes in everything the supplier delivered, linked or not. Raises ConnectorError."""
        if self._account.registry is None:
            sentence = (
                "Reconciling needs registry credentials: set WAYBILL_ISOMETRIC__ACCESS_TOKEN "
                "and WAYBILL_ISOMETRIC__CLIENT_SECRET."
            )
            raise NotReady(sentence)
        with self._database.read() as connection:
            # What is confirmed while we read may be missing from what was read before: it is not compared.
            held = _held(connection)
            credit_orders = _credit_orders(connection)
        unknown: list[str] = []
        listed = self._supplier_list() if supplier else self._listed(credit_orders, unknown)
        compared = [firing for firing in held if supplier or firing.credit_order_id in credit_orders]
        with self._database.read() as connection:
            found = [
                *compare(compared, listed, _attributions(connection)),
                *_late_siblings(connection),
                *_misnamed(connection, unknown),
            ]
        sure = [one for one in found if not self._is_there_after_all(one)]
        with self._database.write() as connection:
            self._keep(connection, sure)
            return Report(
                matched=len(compared) - sum(one.kind in (Kind.MISSING, Kind.KILOGRAMS) for one in sure),
                pending=_pending(connection),
                credit_orders=len(credit_orders),
                mismatches=tuple(open_mismatches(connection)),
            )

    def close(self, identity: str, because: str) -> None:
        """Close a mismatch for good, with a reason. Raises UsageError."""
        if not because.strip():
            sentence = "Say with --because why; it is kept with the mismatch."
            raise UsageError(sentence)
        with self._database.write() as connection:
            closed = connection.execute(
                sa.update(mismatches)
                .where(mismatches.c.id == identity, mismatches.c.closed_at.is_(None))
                .values(closed_at=self._database.now(connection), because=because)
            )
            if closed.rowcount == 0:
                sentence = f"There is no open mismatch {identity}; `reconcile` lists them."
                raise UsageError(sentence)

    def _listed(self, credit_orders: Iterable[str], unknown: list[str]) -> list[CreditDelivery]:
        """What was delivered to them; those that the registry does not know go to `unknown`."""
        listed: list[CreditDelivery] = []
        for credit_order in sorted(credit_orders):
            try:
                listed += self._ledger.read_whole_order(credit_order).nodes
            except NotFound:
                # One mistyped link must not hide what is wrong with the others.
                unknown.append(credit_order)
        return listed

    def _supplier_list(self) -> Sequence[CreditDelivery]:
        return self._ledger.read_whole_supplier().nodes

    def _is_there_after_all(self, found: Discrepancy) -> bool:
        """A list may lag: what it lacks is asked for by id before it is called missing."""
        if found.kind is not Kind.MISSING:
            return False
        try:
            self._account.require().delivery(found.subject)
        except NotFound:
            return False
        return True

    def _keep(self, connection: sa.Connection, found: Iterable[Discrepancy]) -> None:
        known = frozenset(connection.execute(sa.select(mismatches.c.id)).scalars())
        now = self._database.now(connection)
        rows = [
            {"id": one.id, "kind": one.kind, "subject": one.subject, "detail": dict(one.detail), "found_at": now}
            for one in found
            if one.id not in known
        ]
        if rows:
            connection.execute(sa.insert(mismatches), rows)


def open_mismatches(connection: sa.Connection) -> Iterator[Mismatch]:
    """Every mismatch that nobody closed, oldest first."""
    statement = sa.select(mismatches).where(mismatches.c.closed_at.is_(None))
    for row in connection.execute(statement.order_by(mismatches.c.found_at, mismatches.c.id)):
        yield Mismatch(id=row.id, kind=row.kind, subject=row.subject, detail=row.detail, found_at=row.found_at)


def _held(connection: sa.Connection) -> list[Held]:
    statement = (
        sa.select(firings.c.credit_delivery_id, firings.c.credit_order_id, firings.c.kg, orders.c.purchase_order)
        .join_from(firings, orders)
        .where(firings.c.state == FiringState.CONFIRMED)
    )
    return [
        Held(
            credit_delivery_id=row.credit_delivery_id,
            credit_order_id=row.credit_order_id,
            kg=row.kg,
            order=row.purchase_order,
        )
        for row in connection.execute(statement)
    ]


def _credit_orders(connection: sa.Connection) -> frozenset[str]:
    fired = sa.select(firings.c.credit_order_id).where(firings.c.credit_order_id.is_not(None))
    return frozenset(connection.execute(sa.union(sa.select(links.c.credit_order_id), fired)).scalars())


def _misnamed(connection: sa.Connection, unknown: Iterable[str]) -> Iterator[Discrepancy]:
    """Credit orders that the registry does not know, with the purchase orders that are linked to them."""
    for credit_order in unknown:
        linked = sa.select(links.c.purchase_order).where(links.c.credit_order_id == credit_order)
        fired = (
            sa.select(orders.c.purchase_order)
            .join_from(firings, orders)
            .where(firings.c.credit_order_id == credit_order)
        )
        named = sorted(connection.execute(sa.union(linked, fired)).scalars())
        yield Discrepancy(kind=Kind.NO_CREDIT_ORDER, subject=credit_order, detail={"linked_by": named})


def _attributions(connection: sa.Connection) -> dict[str, str]:
    rows = connection.execute(sa.select(credit_deliveries.c.id, credit_deliveries.c.attribution))
    return {row.id: row.attribution for row in rows}


def _pending(connection: sa.Connection) -> int:
    statement = sa.select(sa.func.count()).select_from(firings).where(firings.c.state.in_(UNRESOLVED))
    return connection.execute(statement).scalar_one()


def _late_siblings(connection: sa.Connection) -> Iterator[Discrepancy]:
    """Deliveries of fired orders that are not as any firing of the order counted them, and counted ones that left."""
    for row in connection.execute(sa.union(_not_as_counted(), _gone())):
        detail = {"account": row.account, "purchase_order": row.purchase_order, "delivery_id": row.id}
        subject = f"{row.account}/{row.id}/{row.content_hash[:12]}"
        yield Discrepancy(kind=Kind.LATE_SIBLING, subject=subject, detail=detail)


_COLUMNS = (deliveries.c.account, deliveries.c.id, orders.c.purchase_order, deliveries.c.content_hash)
_OF_THE_ORDER = sa.and_(
    orders.c.account == deliveries.c.account,
    orders.c.customer_id == deliveries.c.customer_id,
    orders.c.purchase_order == deliveries.c.purchase_order,
)
# An adopted firing counted its deliveries in a database that was lost.
_FIRED = sa.and_(
    firings.c.ordinal == 0,
    firings.c.request.is_not(None),
    firings.c.state.in_([*UNRESOLVED, FiringState.CONFIRMED]),
)


def _not_as_counted() -> sa.Select[tuple[str, int, str, str]]:
    """What is in the order now; a supplement that counted it settles it. Cancelled ones count if they once did."""
    counted, by = counted_deliveries.alias(), firings.alias()
    ours = (
        sa.select(counted.c.content_hash)
        .join(by, by.c.id == counted.c.firing_id)
        .where(
            by.c.order_id == orders.c.id,
            counted.c.account == deliveries.c.account,
            counted.c.delivery_id == deliveries.c.id,
        )
        .correlate(orders, deliveries)
    )
    return (
        sa.select(*_COLUMNS)
        .select_from(deliveries)
        .join(orders, _OF_THE_ORDER)
        .join(firings, firings.c.order_id == orders.c.id)
        .where(
            _FIRED,
            deliveries.c.visible,
            sa.or_(deliveries.c.status != "cancelled", ours.exists()),
            ~ours.where(counted.c.content_hash == deliveries.c.content_hash).exists(),
        )
    )


def _gone() -> sa.Select[tuple[str, int, str, str]]:
    """What was counted and belongs to another order now, or to none, or is not to be seen any more."""
    counted = sa.and_(
        counted_deliveries.c.account == deliveries.c.account, counted_deliveries.c.delivery_id == deliveries.c.id
    )
    still = sa.and_(deliveries.c.visible, deliveries.c.purchase_order.is_not(None), _OF_THE_ORDER)
    return (
        sa.select(*_COLUMNS)
        .select_from(deliveries)
        .join(counted_deliveries, counted)
        .join(firings, firings.c.id == counted_deliveries.c.firing_id)
        .join(orders, orders.c.id == firings.c.order_id)
        .where(_FIRED, ~still)
    )
