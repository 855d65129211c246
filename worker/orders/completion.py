"""Completion: is the order complete? Loads what we hold, decides, asks the source where the rule wants it, and tells.

The reading at the source is made outside of any transaction; what it found is in the database when it returns, so the
decision is always made from what we hold. The same facts decided twice write nothing new.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa

from worker.checkpoints import Checkpoint
from worker.db import Database
from worker.event_log import EventLog
from worker.events import OrderKey
from worker.orders.completion_rule import COMPLETED, Decision, decide
from worker.orders.link_rows import LinkRows
from worker.orders.order_events import Before, drafts
from worker.orders.order_facts import OrderFacts, load_facts
from worker.orders.order_rows import OrderRow, add_order, late_deliveries, load_order, touch_others, update_order
from worker.standing import Gate, OrderReading, Standing
from worker.states import OrderState
from worker.work import Close, Done, Outcome

# Seconds until an order is looked at again whose reading at the source failed or could not be proved.
FAILED_SECONDS = 30.0

ReadOrder = Callable[[OrderKey], OrderReading]
BeginReading = Callable[[OrderKey], AbstractContextManager[Callable[[], OrderReading]]]
ServerTime = Callable[[sa.Connection, str], datetime | None]
FindGates = Callable[[sa.Connection, OrderKey], tuple[Gate, ...]]


def no_gates(connection: sa.Connection, key: OrderKey) -> tuple[Gate, ...]:
    """Without barmate no delivery has a customer order."""
    del connection, key
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """An order in one transaction: its row, the facts, and what follows from them."""

    row: OrderRow | None
    facts: OrderFacts
    decision: Decision
    server_now: datetime | None
    read_hash: str | None
    # Whether the reading that was just made is what confirmed the content.
    read_now: bool

    @property
    def standing(self) -> Standing:
        return self.facts.standing(self.decision)


class Completion:
    """Decides about orders.

    `read_order` reads an order's deliveries at the source by number and raises `connectors.errors.ConnectorError`;
    `server_time` is the newest time that we have from an account's server, None before the first; `gates` says what the
    customer orders mean that its deliveries name, by what we hold, and `read_order` reads those too. `begin_reading`
    does the same within the time that readings before sending may take, while its block goes on.
    """

    def __init__(
        self,
        *,
        database: Database,
        event_log: EventLog,
        links: LinkRows,
        read_order: ReadOrder,
        begin_reading: BeginReading,
        server_time: ServerTime,
        quiet_seconds: float,
        checkpoint: Checkpoint,
        gates: FindGates = no_gates,
    ) -> None:
        self._database = database
        self._event_log = event_log
        self._links = links
        self._gates = gates
        self._read_order = read_order
        self._begin_reading = begin_reading
        self._server_time = server_time
        self._quiet_seconds = quiet_seconds
        self._checkpoint = checkpoint

    def look(self, key: OrderKey, close: Close) -> Outcome:
        """Decide about an order and write down what came of it. Raises ConnectorError where the source fails us."""
        if not self._settled_from_what_we_hold(key, close):
            reading = self._read_order(key)
            with self._database.write() as connection:
                self._write(connection, self._view(connection, key, self._locked(connection, key), reading))
                self._checkpoint("completion: decided")
                close(connection)
        return Done()

    @contextmanager
    def recheck(self, key: OrderKey) -> Iterator[Callable[[], Standing]]:
        """How the order stands after a fresh reading at the source, just before firing (see `worker.standing.Recheck`).

        Where the reading could not be proved the order is called settling, and nothing is written.
        """
        with self._begin_reading(key) as finish:
            yield lambda: self._rechecked(key, finish())

    def _rechecked(self, key: OrderKey, reading: OrderReading) -> Standing:
        with self._database.write() as connection:
            view = self._view(connection, key, self._locked(connection, key), reading)
            if view.decision.state is OrderState.COMPLETE and not _confirms(reading, view.facts):
                return replace(view.standing, state=OrderState.SETTLING, reason=_unproved(reading))
            self._write(connection, view)
            return view.standing

    def standing(self, connection: sa.Connection, key: OrderKey) -> Standing:
        """How the order stands by what we hold, in the caller's transaction."""
        return self._view(connection, key, load_order(connection, key), None).standing

    def _settled_from_what_we_hold(self, key: OrderKey, close: Close) -> bool:
        """Decide without asking the source; False where it must be asked: then it is known that we owe a look."""
        with self._database.write() as connection:
            view = self._view(connection, key, self._locked(connection, key), None)
            if not view.decision.wants_reading:
                self._write(connection, view)
                close(connection)
                return True
            if not _owes_a_look(view.row):
                self._write(connection, view)
            return False

    def _locked(self, connection: sa.Connection, key: OrderKey) -> OrderRow | None:
        """The order's row, locked; made where we first hear of the order. None where nobody knows of it.

        Facts are loaded once the row is ours: what an earlier holder decided went by facts that we see as well.
        """
        row = load_order(connection, key, lock=True)
        if row is not None or not load_facts(connection, key, self._links).known:
            return row
        now = self._database.now(connection)
        if add_order(connection, key, now):
            touch_others(connection, key, now)
        return load_order(connection, key, lock=True)

    def _view(
        self, connection: sa.Connection, key: OrderKey, row: OrderRow | None, reading: OrderReading | None
    ) -> _View:
        facts = load_facts(connection, key, self._links)
        server_now = _latest(self._server_time(connection, key.account), reading)
        source_hash = facts.source_hash
        held = row is not None and row.read_hash == source_hash
        case = facts.case(
            server_now=server_now,
            quiet_seconds=self._quiet_seconds,
            read_confirmed=held,
            gates=self._gates(connection, key),
        )
        decision = decide(case)
        read_now = decision.wants_reading and reading is not None and _confirms(reading, facts)
        if read_now:
            decision = decide(replace(case, read_confirmed=True))
        elif decision.wants_reading:
            reason = decision.reason if reading is None else _unproved(reading)
            decision = replace(decision, reason=reason, look_in=FAILED_SECONDS)
        return _View(
            row=row,
            facts=facts,
            decision=decision,
            server_now=server_now,
            read_hash=source_hash if held or read_now else None,
            read_now=read_now,
        )

    def _write(self, connection: sa.Connection, view: _View) -> None:
        """The row and the events of a decision."""
        if view.row is None:
            return
        now = self._database.now(connection)
        values = _values(view, view.row, now)
        changed = {name: value for name, value in values.items() if getattr(view.row, name) != value}
        if changed.keys() - {"look_at"}:
            changed["changed_at"] = now
        if changed:
            update_order(connection, view.facts.key, changed)
        self._tell(connection, view, view.row, now)

    def _tell(self, connection: sa.Connection, view: _View, row: OrderRow, now: datetime) -> None:
        standing = view.standing
        news = row.content_hash != standing.content_hash
        late = late_deliveries(connection, row, standing.deliveries) if news else []
        before = Before(state=row.state, content_hash=row.content_hash)
        server_now = now if view.server_now is None else view.server_now
        self._event_log.append(connection, drafts(before, standing, late=late, server_now=server_now), now)


def _values(view: _View, row: OrderRow, now: datetime) -> dict[str, object]:
    standing, look_in = view.standing, view.decision.look_in
    kept = row.read_at if view.read_hash is not None else None
    return {
        "state": standing.state,
        "reason": standing.reason,
        "deliveries": len(standing.deliveries),
        "completed": sum(1 for delivery in standing.deliveries if delivery.status == COMPLETED),
        "newest_at": standing.completed_at,
        "content_hash": standing.content_hash,
        "read_hash": view.read_hash,
        "read_at": now if view.read_now else kept,
        "look_at": None if look_in is None else now + timedelta(seconds=look_in),
    }


def _latest(held: datetime | None, reading: OrderReading | None) -> datetime | None:
    if reading is None:
        return held
    return reading.server_time if held is None else max(held, reading.server_time)


def _confirms(reading: OrderReading, facts: OrderFacts) -> bool:
    """Whether a whole reading showed every delivery that we take for visible."""
    visible = {delivery.id for delivery in facts.deliveries if delivery.visible}
    return reading.proved and visible <= set(reading.delivery_ids)


def _owes_a_look(row: OrderRow | None) -> bool:
    return row is not None and row.state is OrderState.SETTLING and row.look_at is not None


def _unproved(reading: OrderReading) -> str:
    why = reading.reason.rstrip(".") if not reading.proved else "a delivery changed meanwhile"
    return f"the reading at the source could not be relied on: {why}; it is repeated"
