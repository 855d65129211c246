"""Leases: one holder at a time, and a term that fences the one before."""

import pytest

from worker.db import Database
from worker.leases import Lease, Leases


def test_a_lease_is_held_by_one(database: Database) -> None:
    """While it runs, nobody else gets it; its holder prolongs it in the same term."""
    first, second = Leases(database, holder="a"), Leases(database, holder="b")

    assert first.acquire("relay", 60) == Lease("relay", "a", 1)
    assert second.acquire("relay", 60) is None
    assert first.acquire("relay", 60) == Lease("relay", "a", 1)


@pytest.mark.parametrize("seconds", [0.0])
def test_a_lease_that_ran_out_goes_to_another_with_a_higher_term(database: Database, seconds: float) -> None:
    """The old holder's lease is no longer in force once somebody took over."""
    first, second = Leases(database, holder="a"), Leases(database, holder="b")
    old = first.acquire("relay", seconds)
    new = second.acquire("relay", 60)

    assert old is not None
    assert new == Lease("relay", "b", 2)
    with database.write() as connection:
        assert not first.holds(connection, old)
        assert second.holds(connection, new)


def test_a_holder_that_comes_back_too_late_has_a_new_term(database: Database) -> None:
    """Even the same holder does not go on in a term that ran out."""
    leases = Leases(database, holder="a")
    leases.acquire("relay", 0)

    assert leases.acquire("relay", 60) == Lease("relay", "a", 2)


def test_a_lease_given_back_is_free_at_once(database: Database) -> None:
    """A process that stops in order does not make the next one wait."""
    first, second = Leases(database, holder="a"), Leases(database, holder="b")
    lease = first.acquire("relay", 60)
    assert lease is not None
    first.give_back(lease)

    assert second.acquire("relay", 60) == Lease("relay", "b", 2)


def test_a_lease_nobody_ever_took_is_not_in_force(database: Database) -> None:
    """`holds` answers no for a name that has no row."""
    with database.write() as connection:
        assert not Leases(database, holder="a").holds(connection, Lease("none", "a", 1))
