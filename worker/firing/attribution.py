"""Attribution: whose a credit delivery is, told by the marker in its notes (DESIGN §6.3).

Markers are matched against ordinals 0 to 9 of every known order, whatever its state, so that a database that was lost
finds its own deliveries again. A delivery that matches nothing stays unattributed and holds its credit order.
"""

import threading
from collections.abc import Callable, Iterable, Sequence

import sqlalchemy as sa

from connectors.isometric_records import CreditDelivery
from worker.db.tables import credit_deliveries, orders
from worker.events import OrderKey
from worker.firing.account import RegistryAccount
from worker.firing.answers import Asked, mismatch
from worker.firing.confirming import Attribution, Confirming
from worker.firing.marker import ORDINALS, PREFIX, has_fingerprint, tokens
from worker.firing.rows import FiringRow, FiringRows
from worker.states import FiringState

_ADOPTED = "adopted: its marker was found at the registry"
# Ids of rows can become visible out of order; so many below the highest one are looked at again.
_OVERLAP = 1000
_CHUNK = 400


class MarkerIndex:
    """Every marker that a known order can have; grows with the orders, and is built only when somebody asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._markers: dict[str, tuple[OrderKey, int]] = {}
        self._seen: set[int] = set()

    def find(
        self, connection: sa.Connection, token: str, make: Callable[[OrderKey, int], str]
    ) -> tuple[OrderKey, int] | None:
        """The order and ordinal that a marker belongs to."""
        with self._lock:
            if token not in self._markers:
                self._grow(connection, make)
            return self._markers.get(token)

    def _grow(self, connection: sa.Connection, make: Callable[[OrderKey, int], str]) -> None:
        since = max(self._seen, default=0) - _OVERLAP
        statement = sa.select(orders.c.id, orders.c.account, orders.c.customer_id, orders.c.purchase_order)
        for row in connection.execute(statement.where(orders.c.id > since)):
            if row.id in self._seen:
                continue
            key = OrderKey(row.account, row.customer_id, row.purchase_order)
            self._markers.update({make(key, ordinal): (key, ordinal) for ordinal in ORDINALS})
            self._seen.add(row.id)


class Attributor:
    """Gives deliveries to the firings whose markers they carry, in the caller's transaction."""

    def __init__(self, *, account: RegistryAccount, rows: FiringRows, confirming: Confirming, by: str) -> None:
        self._account = account
        self._rows = rows
        self._confirming = confirming
        self._by = by
        self._index = MarkerIndex()

    def attribute(self, connection: sa.Connection, deliveries: Sequence[CreditDelivery], supplier_id: str) -> None:
        """Attribute the deliveries that are new, and again those that nobody claimed before. Freezes at an anomaly."""
        settled = self._settled(connection, [delivery.id for delivery in deliveries])
        for delivery in deliveries:
            if delivery.id not in settled:
                self._one(connection, delivery)
        self._again(connection, {delivery.id for delivery in deliveries}, supplier_id)

    def _again(self, connection: sa.Connection, done: Iterable[str], supplier_id: str) -> None:
        fingerprint = self._account.fingerprint
        if fingerprint is None:
            return
        waiting = connection.execute(
            sa.select(credit_deliveries).where(
                credit_deliveries.c.attribution == Attribution.UNATTRIBUTED,
                credit_deliveries.c.because.is_(None),
                credit_deliveries.c.notes.contains(f"{PREFIX}{fingerprint}", autoescape=True),
            )
        ).all()
        for row in waiting:
            if row.id not in done:
                self._one(connection, delivery_of(row, supplier_id))

    def _one(self, connection: sa.Connection, delivery: CreditDelivery) -> None:
        owner = self._owner(connection, delivery)
        if owner is None:
            self._confirming.attribute(connection, delivery, Attribution.UNATTRIBUTED, None)
            return
        key, ordinal = owner
        firing = next((one for one in self._rows.of_order(connection, key) if one.ordinal == ordinal), None)
        if firing is None:
            firing = self._create(connection, key, ordinal, delivery)
        wrong = _difference(firing, delivery)
        if wrong is not None:
            self._confirming.set_aside(
                connection, firing, delivery, f"delivery {delivery.id} has its marker, but {wrong}"
            )
            return
        reason = "its marker was found at the registry" if firing.request is not None else _ADOPTED
        self._confirming.confirm(connection, firing, delivery, reason=reason, by=self._by)

    def _owner(self, connection: sa.Connection, delivery: CreditDelivery) -> tuple[OrderKey, int] | None:
        fingerprint = self._account.fingerprint
        make = self._account.marker_maker(delivery.supplier_id)
        if fingerprint is None or make is None:
            return None
        own = [token for token in tokens(delivery.notes) if has_fingerprint(token, fingerprint)]
        # Two markers of ours in one note were not written by us: a person looks.
        return self._index.find(connection, own[0], make) if len(own) == 1 else None

    def _create(self, connection: sa.Connection, key: OrderKey, ordinal: int, delivery: CreditDelivery) -> FiringRow:
        values = {"credit_order_id": delivery.order_id, "kg": delivery.kg, "credit_delivery_id": delivery.id}
        return self._rows.create(
            connection, key, ordinal, state=FiringState.CONFIRMED, reason=_ADOPTED, by=self._by, values=values
        )

    def _settled(self, connection: sa.Connection, ids: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for start in range(0, len(ids), _CHUNK):
            statement = sa.select(credit_deliveries.c.id).where(
                credit_deliveries.c.id.in_(ids[start : start + _CHUNK]),
                sa.or_(
                    credit_deliveries.c.attribution != Attribution.UNATTRIBUTED,
                    credit_deliveries.c.because.is_not(None),
                ),
            )
            found.update(connection.execute(statement).scalars())
        return found


def delivery_of(row: sa.Row[tuple[object, ...]], supplier_id: str) -> CreditDelivery:
    """A mirrored delivery as if it had just been read."""
    return CreditDelivery(
        id=row.id,
        order_id=row.credit_order_id,
        delivered_at=row.delivered_at,
        supplier_id=supplier_id,
        organisation_id="",
        kg=row.kg,
        notes=row.notes,
        url="",
    )


def _difference(firing: FiringRow, delivery: CreditDelivery) -> str | None:
    """How a delivery differs from what its firing asks for; what is not decided yet differs in nothing."""
    if firing.credit_delivery_id == delivery.id or firing.credit_order_id is None or firing.kg is None:
        return None
    marker = tokens(delivery.notes)[0]
    return mismatch(delivery, Asked(credit_order_id=firing.credit_order_id, kg=firing.kg, marker=marker))
