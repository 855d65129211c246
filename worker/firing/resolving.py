"""Resolving: what became of a request whose answer proves nothing (DESIGN §6.7).

One look as soon as it is unclear, for the marker alone; then, after the settle time, three spaced readings that count.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from connectors.isometric_records import CreditBatch, CreditDelivery, CreditOrder
from connectors.pagination import ReadList
from worker.checkpoints import Checkpoint, nothing
from worker.db import Database
from worker.firing import evidence, pins
from worker.firing.absence import (
    MAX_USELESS,
    READINGS,
    PinSight,
    Sight,
    Verdict,
    judge,
    judge_pins,
    next_reading_at,
)
from worker.firing.account import RegistryAccount
from worker.firing.answers import About, Asked
from worker.firing.batches import BatchReader
from worker.firing.ledger import Ledger, explained_on
from worker.firing.policy import Policy
from worker.firing.preparing import DELIVERABLE
from worker.firing.rows import FiringRow, FiringRows
from worker.states import FiringState

# The registry was read, and nothing of it is kept yet; then, in the transaction, with the verdict written.
LOOKED = "firing: looked"
VERDICT_WRITTEN = "firing: verdict written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One look at the registry, not yet judged."""

    at: datetime
    order: CreditOrder
    listed: ReadList[CreditDelivery]
    # Read only where absence may be decided by it.
    families: Mapping[str, tuple[CreditBatch, ...]] | None
    # The deliveries that have pinned batches now, on whatever credit order.
    users: tuple[CreditDelivery, ...]


class Resolving:
    """Reads and decides; every decision is one transaction."""

    def __init__(
        self,
        *,
        database: Database,
        rows: FiringRows,
        account: RegistryAccount,
        ledger: Ledger,
        policy: Policy,
        owner: str,
        checkpoint: Checkpoint = nothing,
    ) -> None:
        self._database = database
        self._rows = rows
        self._account = account
        self._ledger = ledger
        self._policy = policy
        self._owner = owner
        self._checkpoint = checkpoint

    def resolve(self, firing: FiringRow) -> FiringRow | None:
        """Read once if it is time, and decide; None if it is not time yet. Raises ConnectorError."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            so_far, settled_at = self._so_far(connection, firing)
            due = next_reading_at(settled_at, so_far.counted + so_far.useless, so_far.last, self._policy.settle_seconds)
            if so_far.looked_before and now < due:
                self._rows.note(connection, firing, look_at=due)
                return None
        looked = self._look(firing, now, decisive=so_far.counted + 1 >= READINGS)
        self._checkpoint(LOOKED)
        with self._database.write() as connection:
            decided = self._decide(connection, firing, looked)
            self._checkpoint(VERDICT_WRITTEN)
            return decided

    def _so_far(self, connection: sa.Connection, firing: FiringRow) -> tuple[evidence.SoFar, datetime]:
        attempt = evidence.last_attempt(connection, firing.id)
        unclear_at = firing.changed_at
        # Until its deadline the request may still have been on its way.
        start = unclear_at if attempt is None else max(unclear_at, attempt.deadline)
        settled_at = start + timedelta(seconds=self._policy.settle_seconds)
        return evidence.since(connection, firing.id, unclear_at=unclear_at, settled_at=settled_at), settled_at

    def _look(self, firing: FiringRow, now: datetime, *, decisive: bool) -> Looked:
        registry = self._account.require()
        # Asked here, outside of any transaction, because absorbing needs to know who we are.
        self._account.supplier()
        order = registry.order(str(firing.credit_order_id))
        listed = registry.order_deliveries(order.id)
        families = self._families(firing) if decisive else None
        ids = {} if families is None else {batch.delivery_id: None for family in families.values() for batch in family}
        users = tuple(registry.delivery(identity) for identity in ids if identity is not None)
        return Looked(at=now, order=order, listed=listed, families=families, users=users)

    def _families(self, firing: FiringRow) -> Mapping[str, tuple[CreditBatch, ...]]:
        with self._database.read() as connection:
            pinned = pins.active(connection, firing.id)
        return BatchReader(self._account.require()).families(pinned)

    def _decide(self, connection: sa.Connection, firing: FiringRow, looked: Looked) -> FiringRow:
        # Sees the markers of our other firings too, so that they explain what is new on the list.
        self._ledger.absorb(connection, [*looked.listed.nodes, *looked.users], looked.order.supplier.id)
        current = self._rows.load(connection, firing.id, lock=True)
        verdict = self._judge(connection, firing, looked)
        evidence.keep(connection, firing.id, looked.at, verdict, _evidence(looked))
        if current.state is not FiringState.AMBIGUOUS:
            return current
        if verdict.sight is Sight.DIFFERENT:
            return self._to_person(connection, current, verdict.reason)
        so_far, settled_at = self._so_far(connection, current)
        if so_far.useless >= MAX_USELESS:
            return self._to_person(connection, current, f"the registry's lists do not add up: {verdict.reason}")
        if so_far.counted < READINGS or looked.families is None:
            due = next_reading_at(settled_at, so_far.counted + so_far.useless, so_far.last, self._policy.settle_seconds)
            return self._rows.note(connection, current, look_at=due)
        return self._conclude(connection, current, looked, settled_at)

    def _judge(self, connection: sa.Connection, firing: FiringRow, looked: Looked) -> Verdict:
        asked = Asked(credit_order_id=str(firing.credit_order_id), kg=int(firing.kg or 0), marker=str(firing.marker))
        return judge(
            looked.order,
            looked.listed,
            asked=asked,
            baseline=_baseline(firing),
            explained=explained_on(connection, looked.order.id),
        )

    def _conclude(
        self, connection: sa.Connection, firing: FiringRow, looked: Looked, settled_at: datetime
    ) -> FiringRow:
        doubt = evidence.doubted(connection, firing.id, settled_at)
        if doubt is not None:
            return self._to_person(connection, firing, doubt)
        if evidence.said_done(connection, firing.id) is not None:
            return self._to_person(
                connection, firing, "the registry answered 200, and its lists do not show the delivery"
            )
        sight = self._pins(connection, firing, looked)
        if sight is PinSight.UNCLEAR:
            return self._to_person(connection, firing, "pinned batches are gone and no known delivery has them")
        values = {"look_at": self._database.now(connection), "refusal": _believed(firing, looked, sight)}
        reason = f"{READINGS} readings prove that no request took effect"
        return self._rows.move(connection, firing, FiringState.ABSENT, reason=reason, by=self._owner, values=values)

    def _pins(self, connection: sa.Connection, firing: FiringRow, looked: Looked) -> PinSight:
        families = {} if looked.families is None else looked.families
        pinned = {pin.batch_id: pin.kg for pin in pins.active(connection, firing.id)}
        # Had one of them this firing's marker, the firing would be confirmed by now.
        known = frozenset(delivery.id for delivery in looked.users)
        organisation_id = self._account.supplier_now().organisation.id
        return judge_pins(pinned, families, organisation_id=organisation_id, explained=known)

    def _to_person(self, connection: sa.Connection, firing: FiringRow, reason: str) -> FiringRow:
        return self._rows.move(connection, firing, FiringState.NEEDS_PERSON, reason=reason, by=self._owner)


def _believed(firing: FiringRow, looked: Looked, sight: PinSight) -> dict[str, object] | None:
    """The remembered no, now believed, with what it turned out to be about: batches, order or person."""
    if firing.refusal is None:
        return None
    if sight is not PinSight.UNTOUCHED:
        return {**firing.refusal, "believed": "batches"}
    if firing.refusal.get("about") == About.BATCHES:
        # Readings that lag longer than the settle time look like this after our own request took the batches: with
        # fresh ones it would be delivered twice. Were the no true, the same batches would only be chosen again.
        reason = f"{firing.refusal.get('reason')}; and yet every reading shows the batches untouched"
        return {**firing.refusal, "believed": "person", "reason": reason}
    return {**firing.refusal, "believed": "order" if _order_changed(firing, looked.order) else "person"}


def _order_changed(firing: FiringRow, order: CreditOrder) -> bool:
    before = {} if firing.baseline is None else firing.baseline
    left = order.ordered_kg - order.delivered_kg
    return order.status not in DELIVERABLE or order.ordered_kg != before.get("ordered_kg") or left < (firing.kg or 0)


def _baseline(firing: FiringRow) -> frozenset[str]:
    before = {} if firing.baseline is None else firing.baseline
    return frozenset(before.get("deliveries", ()))


def _evidence(looked: Looked) -> dict[str, object]:
    return {
        "deliveries": [delivery.id for delivery in looked.listed.nodes],
        "total_count": looked.listed.total_count,
        "delivered_kg": looked.order.delivered_kg,
        "ordered_kg": looked.order.ordered_kg,
        "order_status": looked.order.status,
        "batches": None
        if looked.families is None
        else {name: [batch.status for batch in family] for name, family in looked.families.items()},
    }
