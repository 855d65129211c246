"""Confirming: a credit delivery and the firing that it fulfils are tied together, or an anomaly freezes everything."""

from enum import StrEnum

import sqlalchemy as sa

from connectors.isometric_records import CreditDelivery
from worker.db import Database
from worker.db.tables import credit_deliveries
from worker.firing import pins
from worker.firing.brakes import Brakes
from worker.firing.policy import Cause
from worker.firing.rows import FiringRow, FiringRows, wake
from worker.states import UNRESOLVED, FiringState


class Attribution(StrEnum):
    """Whose a credit delivery is."""

    OURS = "ours"
    ADOPTED = "adopted"
    DISMISSED = "dismissed"
    UNATTRIBUTED = "unattributed"


# A delivery that is no longer a riddle.
EXPLAINED = (Attribution.OURS, Attribution.ADOPTED, Attribution.DISMISSED)


class Confirming:
    """Ties deliveries to firings in the caller's transaction."""

    def __init__(self, *, database: Database, rows: FiringRows, brakes: Brakes) -> None:
        self._database = database
        self._rows = rows
        self._brakes = brakes

    def confirm(
        self, connection: sa.Connection, firing: FiringRow, delivery: CreditDelivery, *, reason: str, by: str
    ) -> FiringRow:
        """Confirm the firing by this delivery of its own; twice is once. Freezes if it has another one already."""
        if firing.credit_delivery_id == delivery.id:
            self.attribute(connection, delivery, self.attribution_of(firing), firing.id)
            return firing
        if firing.state in (FiringState.CONFIRMED, FiringState.ABANDONED):
            return self._impossible(connection, firing, delivery)
        attribution = Attribution.OURS if firing.state in UNRESOLVED else Attribution.ADOPTED
        self.attribute(connection, delivery, attribution, firing.id)
        pins.free(connection, firing.id)
        values = {
            "credit_delivery_id": delivery.id,
            "credit_order_id": delivery.order_id,
            "kg": delivery.kg,
            "held_by_person": False,
        }
        moved = self._rows.move(connection, firing, FiringState.CONFIRMED, reason=reason, by=by, values=values)
        wake(connection, [Cause.RESERVED, Cause.UNATTRIBUTED], self._database.now(connection))
        return moved

    def attribution_of(self, firing: FiringRow) -> Attribution:
        """What a delivery of a firing that has it already is called: sent by this database, or adopted."""
        return Attribution.ADOPTED if firing.request is None else Attribution.OURS

    def attribute(
        self,
        connection: sa.Connection,
        delivery: CreditDelivery,
        attribution: Attribution,
        firing_id: int | None,
        because: str | None = None,
    ) -> None:
        """Keep the delivery in the mirrored ledger, with whose it is."""
        values = {"attribution": attribution, "firing_id": firing_id, "because": because}
        changed = connection.execute(
            sa.update(credit_deliveries).where(credit_deliveries.c.id == delivery.id).values(**values)
        )
        if changed.rowcount == 0:
            row = {
                "id": delivery.id,
                "credit_order_id": delivery.order_id,
                "kg": delivery.kg,
                "notes": delivery.notes,
                "delivered_at": delivery.delivered_at,
                "seen_at": self._database.now(connection),
            }
            connection.execute(sa.insert(credit_deliveries).values(**row, **values))

    def set_aside(self, connection: sa.Connection, firing: FiringRow, delivery: CreditDelivery, reason: str) -> None:
        """A delivery carries the firing's marker and is not what it should be: keep it unattributed and freeze."""
        self.attribute(connection, delivery, Attribution.UNATTRIBUTED, None, reason)
        self._brakes.freeze(connection, f"{firing.name}: {reason}")

    def _impossible(self, connection: sa.Connection, firing: FiringRow, delivery: CreditDelivery) -> FiringRow:
        if firing.state is FiringState.ABANDONED:
            reason = f"delivery {delivery.id} carries the marker of a firing that was abandoned"
        else:
            reason = f"deliveries {firing.credit_delivery_id} and {delivery.id} carry the same marker"
        self.set_aside(connection, firing, delivery, reason)
        return firing
