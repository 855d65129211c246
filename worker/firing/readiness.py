"""Readiness: whether an order's firing may go on, judged from what we hold, without asking anybody (DESIGN §6).

The same judgement is made when a firing is planned, and again in the transaction that sends it.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.db import Database
from worker.events import OrderKey
from worker.firing.account import RegistryAccount
from worker.firing.binding import mixed_up
from worker.firing.brakes import Brakes
from worker.firing.ledger import unattributed_on
from worker.firing.policy import Cause, Hold, Policy
from worker.firing.rows import FiringRow
from worker.orders.amounts import Calculate, Missing
from worker.standing import Link, Standing
from worker.states import OrderState

FindStanding = Callable[[sa.Connection, OrderKey], Standing]

# Supplements and the first firing alike are only for an order that stands as complete.
_STANDS = frozenset({OrderState.COMPLETE, OrderState.UNLINKED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Nothing that we know of is missing: what would be sent."""

    link: Link
    kg: int
    calculation: Mapping[str, object]
    completed_at: datetime | None

    @property
    def bound_hash(self) -> str:
        """What an approval is bound to: credit order, kilograms, project and calculation."""
        bound = {
            "credit_order_id": self.link.credit_order_id,
            "kg": self.kg,
            "project": self.link.project,
            "calculation": self.calculation,
        }
        return hashlib.sha256(json.dumps(bound, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def values(self) -> dict[str, object]:
        """The columns of a firing that say so."""
        return {
            "credit_order_id": self.link.credit_order_id,
            "kg": self.kg,
            "project": self.link.project,
            "calculation": dict(self.calculation),
            "calculation_hash": self.bound_hash,
            "completed_at": self.completed_at,
        }


@dataclass(frozen=True, slots=True)
class Gone:
    """The order does not stand as complete any more."""

    reason: str


Judgement = Ready | Hold | Gone


class Readiness:
    """Judges firings in the caller's transaction."""

    def __init__(
        self,
        *,
        database: Database,
        brakes: Brakes,
        account: RegistryAccount,
        standing: FindStanding,
        calculate: Calculate,
        policy: Policy,
    ) -> None:
        self._database = database
        self._brakes = brakes
        self._account = account
        self._standing = standing
        self._calculate = calculate
        self.policy = policy

    def standing(self, connection: sa.Connection, key: OrderKey) -> Standing:
        """How the order stands, from what we hold."""
        return self._standing(connection, key)

    def judge(self, connection: sa.Connection, standing: Standing, firing: FiringRow | None) -> Judgement:
        """Judge a firing, or the first one of an order that has none yet."""
        if standing.state not in _STANDS:
            return Gone(f"the order is {standing.state}: {standing.reason}")
        if firing is not None and firing.held_by_person:
            return Hold(Cause.PERSON, firing.reason)
        ready = self._worth(standing, firing)
        if isinstance(ready, Hold):
            return ready
        for missing in (self._held_back(standing, ready, firing), self._held_by_ledger(connection, ready)):
            if missing is not None:
                return missing
        braked = self._held_by_brakes(connection, ready, firing) if self.policy.sends else None
        return ready if braked is None else braked

    def _worth(self, standing: Standing, firing: FiringRow | None) -> Ready | Hold:
        link = standing.link
        if link is None:
            return Hold(Cause.LINK, "no link says what the order is paid with; import one")
        mixed = mixed_up(link.credit_order_id, self._account.host)
        if mixed is not None:
            return Hold(Cause.LINK, mixed)
        if firing is not None and firing.ordinal > 0 and firing.kg is not None and firing.calculation is not None:
            # A supplement is worth what the person said.
            return Ready(link=link, kg=firing.kg, calculation=firing.calculation, completed_at=standing.completed_at)
        found = self._calculate(link, standing.deliveries)
        if isinstance(found, Missing):
            return Hold(Cause.AMOUNT, found.reason)
        return Ready(link=link, kg=found.kg, calculation=found.document(), completed_at=standing.completed_at)

    def _held_back(self, standing: Standing, ready: Ready, firing: FiringRow | None) -> Hold | None:
        # A person who supplements has looked.
        since = self.policy.since if firing is None or firing.ordinal == 0 else None
        if since is None or standing.completed_at is None or standing.completed_at >= since:
            return None
        going_live = f"{since.isoformat()} (WAYBILL_CREDITS__SINCE)"
        reason = f"the order was completed before {going_live} and may have been delivered by hand"
        remedy = (
            f"if it was, `credits adopt` that delivery on {ready.link.credit_order_id}; "
            "if not, `credits supplement` says how many kilograms to deliver"
        )
        return Hold(Cause.SINCE, f"{reason}: {remedy}")

    def _held_by_ledger(self, connection: sa.Connection, ready: Ready) -> Hold | None:
        waiting = unattributed_on(connection, ready.link.credit_order_id)
        if not waiting:
            return None
        reason = (
            f"nobody claims delivery {waiting[0]} on credit order {ready.link.credit_order_id}: adopt or dismiss it"
        )
        return Hold(Cause.UNATTRIBUTED, reason)

    def _held_by_brakes(self, connection: sa.Connection, ready: Ready, firing: FiringRow | None) -> Hold | None:
        if self._account.registry is None:
            return Hold(Cause.CREDENTIALS, "there are no registry credentials")
        switch = self._brakes.first_on(connection)
        if switch is not None:
            return switch.hold
        return self._brakes.over_limit(connection, self.policy, -1 if firing is None else firing.id, ready.kg)
