"""The request budget: numbered turns, never faster than the limit, one for all."""

import threading
from pathlib import Path

from tests.clocks import ManualClock
from worker.budget import THROTTLED_SECONDS, Budget
from worker.clock import SystemClock
from worker.db import Database
from worker.db.upgrade import upgrade


def _budget(database: Database, waits: list[float], rate: float = 1.0) -> Budget:
    return Budget(database, name="key", requests_per_second=rate, sleep=waits.append)


def test_turns_are_numbered_and_spaced(database: Database) -> None:
    """The first turn is free, each further one waits for its slot a little over a second apart."""
    waits: list[float] = []
    budget = _budget(database, waits)
    turns = [budget.take() for _ in range(3)]

    assert turns == [1, 2, 3]
    assert len(waits) == 2
    assert 0.8 < waits[0] < 1.1 < waits[1] < 2.1


def test_two_workers_never_get_the_same_turn(database: Database) -> None:
    """The number of a turn orders observations, whoever made them."""
    budgets = [_budget(database, [], rate=1e6) for _ in range(2)]
    turns: list[int] = []
    threads = [
        threading.Thread(target=lambda b=budget: turns.extend([b.take() for _ in range(20)])) for budget in budgets
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(turns) == list(range(1, 41))


def test_a_429_makes_everybody_wait(database: Database) -> None:
    """After a refusal nobody asks again before the server's own advice, or a little over its documented second."""
    waits: list[float] = []
    _budget(database, waits).throttled(7.0)
    _budget(database, waits).take()
    _budget(database, waits, rate=1e6).throttled(None)

    assert 6.5 < waits[0] <= 7.0
    assert THROTTLED_SECONDS > 1


def test_a_clock_that_is_set_back_far_stops_nobody(tmp_path: Path) -> None:
    """A machine whose clock was a year ahead would else ask nobody for a year."""
    clock = ManualClock()
    database = Database(f"sqlite:///{tmp_path / 'w.db'}", clock)
    upgrade(database)
    waits: list[float] = []
    budget = _budget(database, waits)
    budget.take()
    clock.step(-365 * 86400)

    assert budget.take() == 2
    budget.throttled(7.0)
    budget.take()
    assert waits == [7.0]


def test_the_clock_of_a_sqlite_database_is_the_one_it_was_given(tmp_path_factory: object) -> None:
    """One machine, one clock."""
    del tmp_path_factory
    clock = ManualClock()
    database = Database("sqlite://", clock)
    with database.read() as connection:
        found = database.now(connection)

    assert found == clock.now()
    assert SystemClock().now().tzinfo is not None
