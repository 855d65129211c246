"""The database keeps the promises: it refuses what the code must never do."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.clocks import NOON
from tests.order_kit import order_row
from worker.db import Database
from worker.db.tables import firing_changes, firings, orders, pins, tasks
from worker.events import OrderKey
from worker.states import FIRING_CHANGES, FiringState


@pytest.fixture
def firing(database: Database) -> int:
    """A planned firing."""
    with database.write() as connection:
        order = connection.execute(
            sa.insert(orders).values(order_row(OrderKey("acme", 1, "PO1"))).returning(orders.c.id)
        ).scalar_one()
        return int(connection.execute(_firing_values(order, 0).returning(firings.c.id)).scalar_one())


def _firing_values(order: int, ordinal: int) -> sa.Insert:
    return sa.insert(firings).values(
        order_id=order,
        ordinal=ordinal,
        state="planned",
        reason="",
        held_by_person=False,
        resend_allowed=False,
        repins=0,
        created_at=NOON,
        changed_at=NOON,
        marker="wb1x",
        request=b"{}",
        credit_delivery_id="dlv_1",
    )


def _set_state(connection: sa.Connection, firing: int, state: str) -> None:
    connection.execute(sa.update(firings).where(firings.c.id == firing).values(state=state))


def test_the_table_of_changes_in_the_database_is_the_one_in_the_code(database: Database) -> None:
    """`FIRING_CHANGES` and the trigger's rows say the same."""
    with database.read() as connection:
        rows = connection.execute(sa.select(firing_changes)).all()

    assert {(row.from_state, row.to_state) for row in rows} == {(a.value, b.value) for a, b in FIRING_CHANGES}


_NOT_FROM_PLANNED = sorted(set(FiringState) - {after for before, after in FIRING_CHANGES if before == "planned"})


@pytest.mark.parametrize("target", [state for state in _NOT_FROM_PLANNED if state is not FiringState.PLANNED])
def test_a_change_that_is_not_in_the_table_is_refused(database: Database, firing: int, target: FiringState) -> None:
    """A planned firing cannot jump to a state that no arrow leads to."""
    with pytest.raises(DBAPIError, match="not allowed"), database.write() as connection:
        _set_state(connection, firing, target)


def test_a_change_that_is_in_the_table_passes(database: Database, firing: int) -> None:
    """The arrows planned to armed to sending to confirmed are open."""
    with database.write() as connection:
        for state in ("armed", "sending", "confirmed"):
            _set_state(connection, firing, state)

    with database.read() as connection:
        assert connection.execute(sa.select(firings.c.state)).scalar_one() == "confirmed"


def test_a_firing_is_never_deleted(database: Database, firing: int) -> None:
    """Firings are kept for ever."""
    with pytest.raises(DBAPIError, match="never deleted"), database.write() as connection:
        connection.execute(sa.delete(firings).where(firings.c.id == firing))


def test_a_firing_keeps_its_order_and_ordinal(database: Database, firing: int) -> None:
    """The identity of a firing cannot be moved to another order."""
    with pytest.raises(DBAPIError, match="keeps its order"), database.write() as connection:
        connection.execute(sa.update(firings).where(firings.c.id == firing).values(ordinal=1))


def test_an_order_has_one_firing_per_ordinal_for_ever(database: Database, firing: int) -> None:
    """A second firing of the same order and ordinal is refused."""
    with database.read() as connection:
        order = connection.execute(sa.select(firings.c.order_id).where(firings.c.id == firing)).scalar_one()

    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(_firing_values(order, 0))


def test_a_batch_belongs_to_one_unresolved_firing(database: Database, firing: int) -> None:
    """Two active pins on one batch are refused; a released one does not count."""
    with database.write() as connection:
        row = {"firing_id": firing, "batch_id": "ctb_1", "kg": 1}
        connection.execute(sa.insert(pins), [row | {"freeze": 1, "active": False}, row | {"freeze": 2, "active": True}])

    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(sa.insert(pins), [row | {"freeze": 3, "active": True}])


def test_a_running_task_has_a_claimant_and_no_other_has(database: Database) -> None:
    """A task without token, owner and lease cannot be running."""
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(
            sa.insert(tasks).values(
                id="t", kind="k", subject="s", payload={}, state="running", due_at=NOON, attempts=1, created_at=NOON
            )
        )
