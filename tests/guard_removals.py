"""The guards of firing taken out, one at a time: what our code would be if nobody had thought of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.answer import Answer
from connectors.errors import ConnectorError
from connectors.isometric import Isometric
from connectors.isometric_records import CreditDelivery
from worker.db.tables import firings
from worker.firing import absence, answers, attribution, evidence, freezing, preparing, readiness, resolving
from worker.firing.answers import Asked, Meaning, Reply
from worker.firing.attribution import Attributor
from worker.firing.confirming import Attribution, Confirming
from worker.firing.freezing import Freezing, Frozen
from worker.firing.lock import AccountLock, Held
from worker.firing.overdue import Overdue
from worker.firing.preparing import Prepared, Preparing
from worker.firing.recording import Recording
from worker.firing.resolving import Resolving
from worker.firing.rows import FiringRow, FiringRows
from worker.firing.sending import CONNECTING, Sending
from worker.leases import Lease, Leases
from worker.states import FiringState

Patch = pytest.MonkeyPatch


class _NotKept(Exception):
    """Rolls a transaction back."""


def _roll_back() -> None:
    raise _NotKept


def durable_intent(patch: Patch) -> None:
    """The intent is not committed before the call."""

    def freeze(self: Freezing, firing: FiringRow, prepared: Prepared, held: Held) -> Frozen:
        frozen: list[Frozen] = []
        with suppress(_NotKept), self._database.write() as connection:
            frozen.append(self._freeze(connection, firing, prepared, held.lease, self._clock.monotonic()))
            _roll_back()
        return frozen[0]

    patch.setattr(Freezing, "freeze", freeze)


def deadline(patch: Patch) -> None:
    """Nobody looks at the clock before connecting."""
    patch.setattr(Sending, "_before_connect", lambda self, _frozen: self._checkpoint(CONNECTING))


def marker_look_up(patch: Patch) -> None:
    """Whatever is on the registry's list is taken for somebody else's."""
    attribute = Confirming.attribute

    def dismissed(self: Confirming, connection: sa.Connection, delivery: CreditDelivery, *said: Any) -> None:  # noqa: ANN401 - handed on
        whose, *others = said
        whose = Attribution.DISMISSED if whose is Attribution.UNATTRIBUTED else whose
        attribute(self, connection, delivery, whose, *others)

    patch.setattr(Attributor, "_owner", lambda _self, _connection, _delivery: None)
    patch.setattr(Confirming, "attribute", dismissed)


def settle_time(patch: Patch) -> None:
    """The first reading counts at once."""

    def so_far(_self: Resolving, connection: sa.Connection, firing: FiringRow) -> tuple[evidence.SoFar, Any]:
        unclear_at = firing.changed_at
        return evidence.since(connection, firing.id, unclear_at=unclear_at, settled_at=unclear_at), unclear_at

    patch.setattr(Resolving, "_so_far", so_far)


def three_readings(patch: Patch) -> None:
    """One reading is enough."""
    patch.setattr(resolving, "READINGS", 1)


def full_readings(patch: Patch) -> None:
    """A reading counts whatever it adds up to."""
    patch.setattr(absence, "_why_useless", lambda _order, _listed, _baseline: None)


def pins(patch: Patch) -> None:
    """A repeated request may be another one, with batches chosen anew."""
    patch.setattr(Preparing, "again", Preparing.fresh)


def reservation(patch: Patch) -> None:
    """Unresolved firings reserve no kilograms."""

    def nothing(_connection: sa.Connection, _credit_order_id: str, *, but: int) -> int:
        del but
        return 0

    for module in (preparing, freezing):
        patch.setattr(module, "unresolved_kg", nothing)


def account_lock(patch: Patch) -> None:
    """Everybody reads and freezes at once."""

    @contextmanager
    def held(self: AccountLock) -> Iterator[Held]:
        yield Held(Leases(self._database, holder="anybody"), Lease(self._name, "anybody", 1))

    patch.setattr(AccountLock, "held", held)
    patch.setattr(Leases, "holds", _yes)


def fencing(patch: Patch) -> None:
    """A lease that ran out is as good as one in force, and readings never grow old."""
    patch.setattr(Leases, "holds", _yes)
    fresh_readings(patch)


def fresh_readings(patch: Patch) -> None:
    """Readings never grow old."""
    patch.setattr(freezing, "FRESH_SECONDS", float("inf"))


def unattributed_holds(patch: Patch) -> None:
    """A delivery that nobody claims holds nothing."""
    for module in (readiness, preparing, freezing):
        patch.setattr(module, "unattributed_on", lambda _connection, _credit_order_id: [])


def recheck_in_the_transaction(patch: Patch) -> None:
    """What was read is not looked at again when it is committed."""
    patch.setattr(Freezing, "_require_same", lambda *_: None)


def kilogram_check(patch: Patch) -> None:
    """An answer with other kilograms is taken for a yes."""
    compare = answers.mismatch

    def without_kg(delivery: CreditDelivery, asked: Asked) -> str | None:
        return compare(delivery, Asked(credit_order_id=asked.credit_order_id, kg=delivery.kg, marker=asked.marker))

    for module in (answers, absence, attribution):
        patch.setattr(module, "mismatch", without_kg)


def overdue_recovery(patch: Patch) -> None:
    """Nobody looks after requests that were never answered."""
    patch.setattr(Overdue, "take_over", lambda _self, _firing: None)


def compared_state(patch: Patch) -> None:
    """A row is changed without looking what state it has, by us and by the database."""
    compared_state_of_ours(patch)
    update = FiringRows._update  # noqa: SLF001 - what is taken out is private

    def unguarded(self: FiringRows, connection: sa.Connection, firing: FiringRow, **values: object) -> None:
        connection.execute(sa.text("DROP TRIGGER IF EXISTS firings_change"))
        update(self, connection, firing, **values)

    patch.setattr(FiringRows, "_update", unguarded)


def compared_state_of_ours(patch: Patch) -> None:
    """A row is changed without looking what state it has; the database still compares."""

    def update(_self: FiringRows, connection: sa.Connection, firing: FiringRow, **values: object) -> None:
        connection.execute(sa.update(firings).where(firings.c.id == firing.id).values(**values))

    patch.setattr(FiringRows, "_update", update)


def absence_before_a_no(patch: Patch) -> None:
    """The registry's own no is believed at once."""
    unclear: Callable[..., FiringRow] = Recording._unclear  # noqa: SLF001 - what is taken out is private

    def believed(self: Recording, connection: sa.Connection, firing: FiringRow, reply: Reply) -> FiringRow:
        moved = unclear(self, connection, firing, reply)
        if reply.meaning is not Meaning.NO:
            return moved
        said: Mapping[str, Any] = {} if moved.refusal is None else moved.refusal
        values = {"refusal": {**said, "believed": said.get("about")}, "look_at": self._database.now(connection)}
        return self._rows.move(connection, moved, FiringState.ABSENT, reason="a no", by="another", values=values)

    patch.setattr(Recording, "_unclear", believed)


def one_request_an_attempt(patch: Patch) -> None:
    """The client tries again by itself when no answer comes."""
    create = Isometric.create_delivery

    def twice(self: Isometric, body: bytes, *, deadline_seconds: float, before_connect: Callable[[], None]) -> Answer:
        try:
            return create(self, body, deadline_seconds=deadline_seconds, before_connect=before_connect)
        except ConnectorError:
            return create(self, body, deadline_seconds=deadline_seconds, before_connect=before_connect)

    patch.setattr(Isometric, "create_delivery", twice)


def _yes(_self: Leases, _connection: sa.Connection, _lease: Lease) -> bool:
    return True
