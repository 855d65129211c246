"""The rows of `firings`: created once, moved by naming the state they come from; every move is in history and log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from worker.db import Database, for_update
from worker.db.tables import attempts, counted_deliveries, deliveries, firing_history, firings, orders
from worker.event_log import EventLog
from worker.events import REGISTRY_SOURCE, EventDraft, EventType, OrderKey, firing_subject
from worker.states import UNRESOLVED, FiringState


class Overtaken(Exception):
    """The row is not what it was: somebody else acted first. Look again; nothing of ours was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringRow:
    """A firing as it stood when it was read."""

    id: int
    order_id: int
    key: OrderKey
    ordinal: int
    state: FiringState
    reason: str
    cause: str | None
    credit_order_id: str | None
    kg: int | None
    project: str | None
    calculation: Mapping[str, Any] | None
    calculation_hash: str | None
    marker: str | None
    request: bytes | None
    request_sha256: str | None
    baseline: Mapping[str, Any] | None
    approved_hash: str | None
    held_by_person: bool
    resend_allowed: bool
    refusal: Mapping[str, Any] | None
    repins: int
    credit_delivery_id: str | None
    completed_at: datetime | None
    look_at: datetime | None
    changed_at: datetime

    @property
    def name(self) -> str:
        """How a person is told which firing this is."""
        number = f" ({self.ordinal})" if self.ordinal else ""
        return f"purchase order {self.key.purchase_order} of customer {self.key.customer_id}{number}"


_COLUMNS = [column for column in firings.c if column.name != "created_at"]
_KEY = (orders.c.account, orders.c.customer_id, orders.c.purchase_order)
_SELECT: sa.Select[Any] = sa.select(*_COLUMNS, *_KEY).join_from(firings, orders)


class FiringRows:
    """Reads and changes firings in the caller's transaction."""

    def __init__(self, *, database: Database, event_log: EventLog) -> None:
        self._database = database
        self._event_log = event_log

    def load(self, connection: sa.Connection, firing_id: int, *, lock: bool = False) -> FiringRow:
        """The firing as it is now; `lock` keeps others from changing it until the transaction ends."""
        statement = _SELECT.where(firings.c.id == firing_id)
        if lock:
            connection.execute(for_update(sa.select(firings.c.id).where(firings.c.id == firing_id)))
        return _row(connection.execute(statement).one())

    def of_order(self, connection: sa.Connection, key: OrderKey) -> list[FiringRow]:
        """The order's firings by ordinal; empty if it has none."""
        found = connection.execute(
            _SELECT.where(
                orders.c.account == key.account,
                orders.c.customer_id == key.customer_id,
                orders.c.purchase_order == key.purchase_order,
            ).order_by(firings.c.ordinal)
        )
        return [_row(row) for row in found]

    def in_states(self, connection: sa.Connection, states: frozenset[FiringState]) -> list[FiringRow]:
        """All firings in these states, oldest first."""
        return [_row(row) for row in connection.execute(_SELECT.where(firings.c.state.in_(states)).order_by("id"))]

    def create(
        self,
        connection: sa.Connection,
        key: OrderKey,
        ordinal: int,
        *,
        state: FiringState,
        reason: str,
        by: str,
        values: Mapping[str, object],
    ) -> FiringRow:
        """Add the firing. Raises IntegrityError if it exists, Overtaken if the order itself is not known."""
        order_id = self._order_id(connection, key)
        if order_id is None:
            raise Overtaken(key)
        now = self._database.now(connection)
        row = {
            "held_by_person": False,
            "resend_allowed": False,
            "repins": 0,
            "order_id": order_id,
            "ordinal": ordinal,
            "state": state,
            "reason": reason,
            "created_at": now,
            "changed_at": now,
            **values,
        }
        identity = connection.execute(sa.insert(firings).values(row).returning(firings.c.id)).scalar_one()
        created = self.load(connection, identity)
        self._remember(connection, created, None, by)
        return created

    def move(
        self,
        connection: sa.Connection,
        firing: FiringRow,
        to: FiringState,
        *,
        reason: str,
        by: str,
        values: Mapping[str, object] | None = None,
    ) -> FiringRow:
        """Change the state of a firing that still has the state it was read with. Raises Overtaken otherwise."""
        now = self._database.now(connection)
        extra = {"cause": None, "look_at": None, **({} if values is None else values)}
        self._update(connection, firing, state=to, reason=reason, changed_at=now, **extra)
        moved = self.load(connection, firing.id)
        self._remember(connection, moved, firing.state, by)
        return moved

    def note(self, connection: sa.Connection, firing: FiringRow, **values: object) -> FiringRow:
        """Change facts of a firing that stays in its state. Raises Overtaken if it did not stay."""
        if all(getattr(firing, name) == value for name, value in values.items()):
            return firing
        self._update(connection, firing, **values)
        return self.load(connection, firing.id)

    def _update(self, connection: sa.Connection, firing: FiringRow, **values: object) -> None:
        changed = connection.execute(
            sa.update(firings).where(firings.c.id == firing.id, firings.c.state == firing.state).values(**values)
        )
        if changed.rowcount != 1:
            sentence = f"{firing.name} was changed meanwhile"
            raise Overtaken(sentence)

    def _remember(self, connection: sa.Connection, firing: FiringRow, before: FiringState | None, by: str) -> None:
        history = {
            "firing_id": firing.id,
            "from_state": before,
            "to_state": firing.state,
            "at": firing.changed_at,
            "reason": firing.reason,
            "by": by,
        }
        connection.execute(sa.insert(firing_history).values(history))
        self._event_log.append(connection, [_event(firing, before)], self._database.now(connection))

    def _order_id(self, connection: sa.Connection, key: OrderKey) -> int | None:
        statement = sa.select(orders.c.id).where(
            orders.c.account == key.account,
            orders.c.customer_id == key.customer_id,
            orders.c.purchase_order == key.purchase_order,
        )
        return connection.execute(statement).scalar_one_or_none()


def unresolved_kg(connection: sa.Connection, credit_order_id: str, *, but: int) -> int:
    """Kilograms that unresolved firings, except the one with id `but`, reserve on a credit order."""
    statement = sa.select(sa.func.coalesce(sa.func.sum(firings.c.kg), 0)).where(
        firings.c.credit_order_id == credit_order_id, firings.c.state.in_(UNRESOLVED), firings.c.id != but
    )
    return int(connection.execute(statement).scalar_one())


def kg_sent_since(connection: sa.Connection, since: datetime, *, but: int) -> int:
    """Kilograms of firings, except the one with id `but`, that were sent since then and did not prove absent."""
    sent = sa.select(attempts.c.firing_id).where(attempts.c.started_at >= since)
    statement = sa.select(sa.func.coalesce(sa.func.sum(firings.c.kg), 0)).where(
        firings.c.id.in_(sent), firings.c.id != but, firings.c.state.in_([*UNRESOLVED, FiringState.CONFIRMED])
    )
    return int(connection.execute(statement).scalar_one())


def wake(connection: sa.Connection, causes: Sequence[str], now: datetime) -> None:
    """Have the firings that are held for one of these causes looked at now: it may be gone."""
    connection.execute(
        sa.update(firings)
        .where(firings.c.state == FiringState.HELD, firings.c.cause.in_(causes), firings.c.held_by_person.is_(False))
        .values(look_at=now)
    )


def wake_orders_sharing(connection: sa.Connection, firing: FiringRow, now: datetime) -> None:
    """Have other orders looked at that hold deliveries which this firing counted: it counts for nothing any more."""
    joined = sa.and_(
        deliveries.c.account == orders.c.account,
        deliveries.c.customer_id == orders.c.customer_id,
        deliveries.c.purchase_order == orders.c.purchase_order,
    )
    counted = sa.and_(
        counted_deliveries.c.account == deliveries.c.account, counted_deliveries.c.delivery_id == deliveries.c.id
    )
    sharing = (
        sa.select(orders.c.id)
        .join(deliveries, joined)
        .join(counted_deliveries, counted)
        .where(counted_deliveries.c.firing_id == firing.id, orders.c.id != firing.order_id)
    )
    ids = list(connection.execute(sharing).scalars())
    if ids:
        connection.execute(sa.update(orders).where(orders.c.id.in_(ids)).values(look_at=now))


def _event(firing: FiringRow, before: FiringState | None) -> EventDraft:
    start = "new" if before is None else before.value
    # A confirmation names its delivery, so that a database that was lost tells it again under the same id.
    what = firing.credit_delivery_id if firing.state is FiringState.CONFIRMED else f"{start}>{firing.state}"
    data = {
        "account": firing.key.account,
        "customer_id": firing.key.customer_id,
        "purchase_order": firing.key.purchase_order,
        "ordinal": firing.ordinal,
        "from": before,
        "to": firing.state,
        "reason": firing.reason,
        "kg": firing.kg,
        "credit_order_id": firing.credit_order_id,
        "credit_delivery_id": firing.credit_delivery_id,
    }
    return EventDraft(
        source=REGISTRY_SOURCE,
        subject=firing_subject(firing.key, firing.ordinal),
        type=EventType.FIRING_CHANGED,
        time=firing.changed_at,
        fingerprint=f"{firing.key.account}:{what}",
        data=data,
        orders=(firing.key,),
    )


def _row(row: sa.Row[Any]) -> FiringRow:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name for a row as a mapping
    key = OrderKey(values.pop("account"), values.pop("customer_id"), values.pop("purchase_order"))
    values["state"] = FiringState(values["state"])
    return FiringRow(key=key, **values)
