"""An account that was asked and does not answer is told while it is waited for."""

from collections.abc import Callable

import pytest

from connectors.policy import Observation, Unmetered, unobserved
from tests.clocks import ManualClock
from tests.reading_kit import ACCOUNT, Bench
from worker.cli.in_words import reading
from worker.cli.watching import in_words
from worker.db import Database
from worker.reading.accounts import find
from worker.reading.waits import NO_ANSWER_YET, TOLD_SECONDS, Trouble, Waits, WatchedTurns
from worker.runtime.status import read_status, waited_for


@pytest.fixture
def bench(sqlite_database: Database) -> Bench:
    """An account that was polled once."""
    bench = Bench(sqlite_database, ManualClock())
    bench.poll()
    return bench


def asked(waits: Waits) -> Callable[[], None]:
    """A request goes out; call the result when its answer came."""
    turns = WatchedTurns(Unmetered(), unobserved, waits)
    turn = turns.take()
    seen = Observation(system="a", operation="b", method="GET", status=200, seconds=1, bytes=0, turn=turn, error=None)
    return lambda: turns.observed(seen)


def trouble_of(bench: Bench, waits: Waits) -> Trouble:
    """The account's trouble."""
    return Trouble(database=bench.database, account=ACCOUNT, waits=waits, clock=bench.clock)


def test_an_answer_that_is_waited_for_is_told_after_seconds_and_forgotten_when_it_comes(bench: Bench) -> None:
    """Status says of whom and since when; it is no failure."""
    waits = Waits(bench.clock.monotonic)
    trouble = trouble_of(bench, waits)
    answered = asked(waits)
    words = []
    for _ in range(2):
        bench.clock.advance(TOLD_SECONDS - 1)
        trouble.look()
        (account,) = read_status(bench.database, mirroring=False).accounts
        words.append((reading(account), account.trouble))
    answered()
    trouble.look()
    (after,) = read_status(bench.database, mirroring=False).accounts

    assert "waits for" not in words[0][0]
    assert f"waits for an answer of {ACCOUNT} since " in words[1][0]
    assert words[1][1] is None
    assert after.waiting_seconds is None


def test_a_failure_says_more_than_that_an_answer_is_waited_for(bench: Bench) -> None:
    """What was wrong stays until something else is known; a poll that went well takes it away."""
    waits = Waits(bench.clock.monotonic)
    trouble = trouble_of(bench, waits)
    trouble.note("HTTP 500.")
    asked(waits)
    bench.clock.advance(60)
    trouble.look()
    with bench.database.read() as connection:
        while_failing = find(connection, ACCOUNT).trouble
    trouble.note(None)
    trouble.look()
    with bench.database.read() as connection:
        account = find(connection, ACCOUNT)
    trouble.note(None)

    assert while_failing == "HTTP 500."
    assert account.trouble == NO_ANSWER_YET
    assert waited_for(account, bench.clock.now()) == 60


def test_what_is_waited_for_stands_beside_how_far_a_job_has_come() -> None:
    """A job that has not come anywhere yet says only that."""
    said = {"share": 0.42, "rows": 10_400, "requests": 45, "left_seconds": 65.0, "waiting_seconds": 5.2}

    assert in_words({"waiting_seconds": 5.2}) == "waits for an answer since 5 s"
    assert in_words(said).endswith("about 1 min 5 s left · waits for an answer since 5 s")
