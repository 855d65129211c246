"""What went wrong in a story about firings, judged from what truly happened at the registry and what the rows say."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest
import sqlalchemy as sa

from tests.clocks import ManualClock
from tests.firing_kit import KEY, SUPPLIER, Bench, Died, Twin, order_key
from worker.db.tables import attempts, firing_history
from worker.firing.marker import tokens
from worker.firing.rows import FiringRow
from worker.states import FiringState, OrderState

SECOND = order_key(2)


class Harm(StrEnum):
    """What the promises of firing forbid."""

    DOUBLE = "an order was delivered twice"
    TOO_MUCH = "more was delivered than was ordered"
    LOSS = "a firing ended, or waits for nobody, without all its kilograms"
    UNTRUE = "a firing says something that is not so"


class At:
    """A checkpoint that does something at the first passing of one point."""

    def __init__(self, point: str, act: Callable[[], object]) -> None:
        self._point = point
        self._act: Callable[[], object] | None = act

    def __call__(self, name: str) -> None:
        """Pass the point."""
        if name == self._point and self._act is not None:
            act, self._act = self._act, None
            act()


def die() -> None:
    """The process ends here."""
    raise Died


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where a story takes place: a registry, a database with workers, and the same installation with its data lost."""

    bench: Bench
    empty: Bench
    monkeypatch: pytest.MonkeyPatch

    @property
    def twin(self) -> Twin:
        """The registry."""
        return self.bench.twin

    @property
    def clock(self) -> ManualClock:
        """The clock of everybody."""
        return self.bench.clock

    def worker(self, point: str, act: Callable[[], object], **policy: Any) -> Bench:  # noqa: ANN401 - any setting
        """Another worker, who does something when it passes a point for the first time."""
        return self.bench.again(owner="another", checkpoint=At(point, act), **policy)

    def registry(self, **switches: Any) -> None:  # noqa: ANN401 - any switch
        """Set the registry's switches."""
        self.twin.panel.change(switches)

    def states(self) -> set[FiringState]:
        """Where all firings ended up."""
        return {firing.state for bench in (self.bench, self.empty) for firing in _firings(bench)}


def harms(stage: Stage) -> set[Harm]:
    """Everything that went wrong."""
    found = set(_at_the_registry(stage))
    for bench in (stage.bench, stage.empty):
        for firing in _firings(bench):
            found.update(_of_firing(bench, firing))
    return found


def _at_the_registry(stage: Stage) -> Iterator[Harm]:
    whose = [_whose(stage.bench, one["notes"]) for one in stage.twin.happened()]
    if any(whose.count(order) > 1 for order in whose if order is not None):
        yield Harm.DOUBLE
    if any(order["delivered_kg"] > order["ordered_kg"] for order in stage.twin.server.truth()["orders"]):
        yield Harm.TOO_MUCH


def _of_firing(bench: Bench, firing: FiringRow) -> Iterator[Harm]:
    done = [one for one in bench.twin.happened() if _whose(bench, one["notes"]) == firing.key.purchase_order]
    delivered = sum(one["kg"] for one in done)
    asked = _asked_kg(bench, firing)
    if firing.state is FiringState.CONFIRMED and asked is not None and delivered < asked:
        yield Harm.LOSS
    if firing.state is FiringState.SENDING and _is_overdue(bench, firing):
        yield Harm.LOSS
    if done and firing.request is not None and firing.state not in (FiringState.CONFIRMED, FiringState.NEEDS_PERSON):
        yield Harm.UNTRUE
    if done and bench.stands.states[firing.key] is not OrderState.COMPLETE:
        yield Harm.UNTRUE
    if any(_proved_absent(bench, firing, one) for one in done):
        yield Harm.UNTRUE
    if FiringState.CONFIRMED in bench.history(firing.key) and firing.state is not FiringState.CONFIRMED:
        # What is confirmed is so for ever.
        yield Harm.UNTRUE


def _firings(bench: Bench) -> list[FiringRow]:
    with bench.database.read() as connection:
        return bench.parts.rows.in_states(connection, frozenset(FiringState))


def _whose(bench: Bench, notes: str) -> str | None:
    """The purchase order that a delivery pays for, by its marker or by the words of whoever made it by hand."""
    for key in (KEY, SECOND):
        if bench.parts.account.marker_of(key, 0, SUPPLIER.id) in tokens(notes) or key.purchase_order in notes:
            return key.purchase_order
    return None


def _asked_kg(bench: Bench, firing: FiringRow) -> int | None:
    """What the link says that the order is worth; None where nothing was asked for by this database."""
    said = bench.stands.links[firing.key]
    return None if firing.request is None or said is None else said.credit_kg


def _is_overdue(bench: Bench, firing: FiringRow) -> bool:
    with bench.database.read() as connection:
        statement = sa.select(sa.func.max(attempts.c.started_at)).where(attempts.c.firing_id == firing.id)
        started = connection.execute(statement).scalar_one()
    return bool(bench.clock.now() - started > timedelta(minutes=1))


def _proved_absent(bench: Bench, firing: FiringRow, delivery: dict[str, Any]) -> bool:
    """Whether a delivery was said to be absent by a worker when it had happened already."""
    statement = sa.select(firing_history.c.at).where(
        firing_history.c.firing_id == firing.id,
        firing_history.c.to_state == FiringState.ABSENT,
        firing_history.c.by != "person",
    )
    with bench.database.read() as connection:
        said = connection.execute(statement).scalars().all()
    happened = datetime.fromisoformat(delivery["committed_at"])
    return any(at > happened for at in said)


@contextlib.contextmanager
def dying() -> Iterator[None]:
    """A process ends in here."""
    with pytest.raises(Died):
        yield
