"""What a person may do to firings. Bad requests raise UsageError with one sentence and change nothing."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from connectors.isometric_records import CreditDelivery
from worker.db import Database
from worker.db.tables import credit_deliveries
from worker.errors import UsageError
from worker.events import OrderKey
from worker.firing import pins
from worker.firing.attribution import delivery_of
from worker.firing.binding import one_at_a_time
from worker.firing.brakes import FREEZE, PAUSE, Brakes
from worker.firing.confirming import Attribution, Confirming
from worker.firing.marker import ORDINALS
from worker.firing.policy import Cause, Hold, Mode, Policy
from worker.firing.readiness import Readiness, Ready
from worker.firing.rows import FiringRow, FiringRows, Overtaken, wake
from worker.firing.unsent import Unsent
from worker.states import ENDED, UNSENT, FiringState

_BY = "person"


class Decision(StrEnum):
    """How a person resolves a firing that needs one."""

    CONFIRMED = "confirmed"
    ABSENT = "absent"
    ABANDONED = "abandoned"


class Person:
    """The commands under `credits`, each one transaction."""

    def __init__(
        self,
        *,
        database: Database,
        rows: FiringRows,
        brakes: Brakes,
        confirming: Confirming,
        readiness: Readiness,
        unsent: Unsent,
        policy: Policy,
    ) -> None:
        self._database = database
        self._rows = rows
        self._brakes = brakes
        self._confirming = confirming
        self._readiness = readiness
        self._unsent = unsent
        self._policy = policy

    def approve(self, key: OrderKey, ordinal: int = 0) -> FiringRow:
        """Approve what is planned now; it is armed by whoever looks next."""
        if self._policy.mode is not Mode.APPROVE:
            sentence = f"The mode is {self._policy.mode}: approvals count only with WAYBILL_CREDITS__MODE=approve."
            raise UsageError(sentence)
        with self._database.write() as connection:
            firing = self._find(connection, key, ordinal)
            ready = self._ready(connection, firing)
            if firing.calculation_hash != ready.bound_hash:
                self._rows.note(connection, firing, look_at=self._now(connection))
                sentence = (
                    f"What would be sent for {firing.name} has just changed: look at `credits plan` and approve again."
                )
            else:
                values = {"approved_hash": ready.bound_hash, "look_at": self._now(connection)}
                return self._rows.note(connection, firing, **values)
        raise UsageError(sentence)

    def hold(self, key: OrderKey, ordinal: int = 0, because: str = "a person holds it") -> FiringRow:
        """Hold a firing that was not sent, until `release`."""
        with self._database.write() as connection:
            firing = self._find(connection, key, ordinal)
            _require_state(firing, UNSENT, "held")
            held = self._unsent.hold_in(connection, firing, Hold(Cause.PERSON, because))
            return self._rows.note(connection, held, held_by_person=True, approved_hash=None)

    def release(self, key: OrderKey, ordinal: int = 0) -> FiringRow:
        """Let a held firing go on, or plan a refused one anew."""
        with self._database.write() as connection:
            firing = self._find(connection, key, ordinal)
            now = self._now(connection)
            if firing.state is FiringState.REFUSED:
                values = {"look_at": now, "refusal": None, "approved_hash": None}
                reason = "planned anew by a person"
                return self._rows.move(connection, firing, FiringState.PLANNED, reason=reason, by=_BY, values=values)
            if not firing.held_by_person:
                sentence = f"The firing of {firing.name} is {firing.state} ({firing.reason}) and not held by a person."
                raise UsageError(sentence)
            return self._rows.note(connection, firing, held_by_person=False, cause=Cause.ORDER.value, look_at=now)

    def resolve(
        self, key: OrderKey, decision: Decision, *, because: str, delivery_id: str | None = None, ordinal: int = 0
    ) -> FiringRow:
        """Decide what the readings left open; `delivery_id` names the credit delivery of a confirmed one."""
        with self._database.write() as connection:
            one_at_a_time(connection)
            firing = self._find(connection, key, ordinal)
            _require_state(firing, frozenset({FiringState.NEEDS_PERSON}), "resolved")
            reason = _because(because)
            if decision is Decision.CONFIRMED:
                delivery = self._delivery(connection, delivery_id)
                if delivery.order_id != firing.credit_order_id:
                    sentence = f"{delivery.id} is on credit order {delivery.order_id}, not on {firing.credit_order_id}."
                    raise UsageError(sentence)
                return self._confirming.confirm(connection, firing, delivery, reason=reason, by=_BY)
            if decision is Decision.ABSENT:
                values = {"look_at": self._now(connection), "resend_allowed": True, "refusal": None}
                return self._rows.move(connection, firing, FiringState.ABSENT, reason=reason, by=_BY, values=values)
            pins.free(connection, firing.id)
            wake(connection, [Cause.RESERVED], self._now(connection))
            return self._rows.move(connection, firing, FiringState.ABANDONED, reason=reason, by=_BY)

    def adopt(
        self, key: OrderKey, delivery_id: str, ordinal: int = 0, because: str = "adopted by a person"
    ) -> FiringRow:
        """Say that this credit delivery, which nobody claims, is the order's."""
        with self._database.write() as connection:
            one_at_a_time(connection)
            delivery = self._delivery(connection, delivery_id)
            firing = next((one for one in self._rows.of_order(connection, key) if one.ordinal == ordinal), None)
            if firing is None:
                return self._adopt_new(connection, key, ordinal, delivery, because)
            if firing.state in ENDED or firing.state is FiringState.SENDING:
                sentence = f"The firing of {firing.name} is {firing.state}: it can not adopt {delivery.id}."
                raise UsageError(sentence)
            return self._confirming.confirm(connection, firing, delivery, reason=because, by=_BY)

    def dismiss(self, delivery_id: str, because: str = "dismissed by a person") -> None:
        """Say that this credit delivery is none of ours, so that it holds its credit order no longer."""
        with self._database.write() as connection:
            one_at_a_time(connection)
            delivery = self._delivery(connection, delivery_id)
            self._confirming.attribute(connection, delivery, Attribution.DISMISSED, None, because)
            wake(connection, [Cause.UNATTRIBUTED], self._now(connection))

    def supplement(self, key: OrderKey, kg: int, because: str) -> FiringRow:
        """Plan a further credit delivery of so many kilograms.

        For an order whose firings have ended, or are held because it was completed before CREDITS__SINCE.
        """
        if kg < 1:
            sentence = f"--kg must be a whole number of kilograms above 0, not {kg}."
            raise UsageError(sentence)
        with self._database.write() as connection:
            existing = self._rows.of_order(connection, key)
            ordinal = _next_ordinal(key, existing)
            self._stand_aside(connection, existing, ordinal)
            values = {
                "kg": kg,
                "credit_order_id": existing[-1].credit_order_id,
                "calculation": {"kg": kg, "fixed": True, "lines": [], "because": _because(because)},
                "look_at": self._now(connection),
            }
            reason = f"supplement: {because}"
            return self._rows.create(
                connection, key, ordinal, state=FiringState.PLANNED, reason=reason, by=_BY, values=values
            )

    def _stand_aside(self, connection: sa.Connection, existing: list[FiringRow], ordinal: int) -> None:
        """What was held for CREDITS__SINCE must not go on beside its supplement should the setting change."""
        for firing in existing:
            if firing.state not in ENDED:
                hold = Hold(Cause.PERSON, f"a person supplemented the order instead: firing {ordinal}")
                held = self._unsent.hold_in(connection, firing, hold)
                self._rows.note(connection, held, held_by_person=True)

    def pause(self, because: str = "by a person") -> None:
        """Send nothing until `resume`."""
        with self._database.write() as connection:
            self._brakes.put_on(connection, PAUSE, because)

    def resume(self, because: str | None = None) -> None:
        """End the pause, and thaw after a freeze, which needs a reason."""
        with self._database.write() as connection:
            frozen = self._brakes.on(connection, FREEZE)
            if frozen is not None and not (because and because.strip()):
                sentence = f"Firing is frozen ({frozen.reason}): say with --because why it may go on."
                raise UsageError(sentence)
            said = "by a person" if because is None else because
            self._brakes.release(connection, PAUSE, said)
            self._brakes.release(connection, FREEZE, said)

    def _adopt_new(
        self, connection: sa.Connection, key: OrderKey, ordinal: int, delivery: CreditDelivery, because: str
    ) -> FiringRow:
        values = {"credit_order_id": delivery.order_id, "kg": delivery.kg, "credit_delivery_id": delivery.id}
        try:
            firing = self._rows.create(
                connection, key, ordinal, state=FiringState.CONFIRMED, reason=because, by=_BY, values=values
            )
        except Overtaken:
            sentence = f"There is no order {key.purchase_order} of customer {key.customer_id} in {key.account}."
            raise UsageError(sentence) from None
        self._confirming.attribute(connection, delivery, Attribution.ADOPTED, firing.id, because)
        wake(connection, [Cause.UNATTRIBUTED], self._now(connection))
        return firing

    def _ready(self, connection: sa.Connection, firing: FiringRow) -> Ready:
        _require_state(firing, frozenset({FiringState.PLANNED}), "approved")
        judged = self._readiness.judge(connection, self._readiness.standing(connection, firing.key), firing)
        if not isinstance(judged, Ready):
            sentence = f"The firing of {firing.name} can not be approved: {judged.reason}."
            raise UsageError(sentence)
        return judged

    def _find(self, connection: sa.Connection, key: OrderKey, ordinal: int) -> FiringRow:
        for firing in self._rows.of_order(connection, key):
            if firing.ordinal == ordinal:
                return self._rows.load(connection, firing.id, lock=True)
        sentence = f"There is no firing {ordinal} of purchase order {key.purchase_order}; see `credits list`."
        raise UsageError(sentence)

    def _delivery(self, connection: sa.Connection, delivery_id: str | None) -> CreditDelivery:
        if delivery_id is None:
            sentence = "Name the credit delivery with --delivery dlv_…."
            raise UsageError(sentence)
        row = connection.execute(sa.select(credit_deliveries).where(credit_deliveries.c.id == delivery_id)).first()
        if row is None:
            sentence = f"{delivery_id} is not in the mirrored ledger; `reconcile --supplier` reads all of it."
            raise UsageError(sentence)
        if row.firing_id is not None:
            sentence = f"{delivery_id} belongs to another firing already."
            raise UsageError(sentence)
        return delivery_of(row, "")

    def _now(self, connection: sa.Connection) -> datetime:
        return self._database.now(connection)


def _require_state(firing: FiringRow, states: frozenset[FiringState], what: str) -> None:
    if firing.state not in states:
        allowed = " or ".join(sorted(states))
        sentence = f"The firing of {firing.name} is {firing.state}; only one that is {allowed} can be {what}."
        raise UsageError(sentence)


def _because(text: str) -> str:
    if not text.strip():
        sentence = "Say with --because why; it is kept with the firing."
        raise UsageError(sentence)
    return text


def _next_ordinal(key: OrderKey, existing: list[FiringRow]) -> int:
    if not existing or not all(_may_be_supplemented(firing) for firing in existing):
        sentence = (
            f"Purchase order {key.purchase_order} can be supplemented once every firing of it has ended, "
            "or is held because it was completed before CREDITS__SINCE; see `credits list`."
        )
        raise UsageError(sentence)
    ordinal = existing[-1].ordinal + 1
    if ordinal not in ORDINALS:
        sentence = f"Purchase order {key.purchase_order} has had {len(ORDINALS)} firings; there can be no more."
        raise UsageError(sentence)
    return ordinal


def _may_be_supplemented(firing: FiringRow) -> bool:
    return firing.state in ENDED or (firing.state is FiringState.HELD and firing.cause == Cause.SINCE)
