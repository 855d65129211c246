from collections.abc import Iterator
from typing import Any

import pytest

from tests.clocks import ManualClock
from tests.runtime_kit import Bench
from worker.cli.in_words import duration
from worker.cli.watching import in_words
from worker.db import Database
from worker.kinds import BACKFILL
from worker.reading.headway import Headway
from worker.runtime.headways import HEADWAY, Headways
from worker.runtime.stopping import Stopped
from worker.tasks import Claim, NewTask


@pytest.fixture
def bench(sqlite_database: Database) -> Iterator[Bench]:
    """Tasks."""
    bench = Bench(sqlite_database)
    yield bench
    bench.close()


def claimed(bench: Bench) -> Claim:
    """A backfill that is being done."""
    with bench.database.write() as connection:
        now = bench.database.now(connection)
        identity = bench.tasks.add_job(connection, NewTask(kind=BACKFILL, subject="a"), now)
        (claim,) = bench.tasks.claim(connection, [identity], owner="me", now=now, lease_seconds=30.0)
    return claim


def told(bench: Bench, claim: Claim) -> Any:  # noqa: ANN401 - JSON
    """What stands with the task."""
    result = bench.task(claim.ids[0]).result
    return None if result is None else result[HEADWAY]["a"]


def at(done: float, rows: int = 0) -> Headway:
    """So much of a hundred."""
    return Headway(done=done, all=100, requests=round(done), rows=rows)


def test_a_job_tells_with_its_task_how_far_it_has_come_once_a_second(bench: Bench) -> None:
    """Often enough to watch; the time left goes by the rate since this process began."""
    clock = ManualClock()
    claim = claimed(bench)
    tell = Headways(database=bench.database, tasks=bench.tasks, clock=clock).of(claim, "a")
    tell(at(50))
    first = told(bench, claim)
    clock.advance(0.5)
    tell(at(55))
    second = told(bench, claim)
    clock.advance(9.5)
    tell(at(60, rows=7))

    assert (first["share"], first["left_seconds"]) == (0.5, None)
    assert second == first
    assert told(bench, claim) == {"share": 0.6, "rows": 7, "requests": 60, "seconds": 10.0, "left_seconds": 40.0}


def test_a_job_that_somebody_else_has_by_now_is_theirs_to_tell_of(bench: Bench) -> None:
    """The token says whose it is."""
    claim = claimed(bench)
    with bench.database.write() as connection:
        bench.tasks.postpone(connection, claim, bench.database.now(connection), "lost")
    Headways(database=bench.database, tasks=bench.tasks, clock=ManualClock()).of(claim, "a")(at(50))

    assert told(bench, claim) is None


def test_a_process_that_is_to_end_ends_its_long_jobs(bench: Bench) -> None:
    """Between two requests."""
    headways = Headways(database=bench.database, tasks=bench.tasks, clock=ManualClock(), is_stopping=lambda: True)

    with pytest.raises(Stopped):
        headways.of(claimed(bench), "a")(at(1))


def test_nothing_to_do_is_done() -> None:
    """And a share never leaves its bounds, since an expectation may be wrong."""
    assert Headway(done=0, all=0, requests=0, rows=0).share == 1.0
    assert at(120).share == 1.0


def test_headway_in_words() -> None:
    """A line that a person reads."""
    said = {"share": 0.424, "rows": 10400, "requests": 45, "left_seconds": 65.2}

    assert in_words(said) == "42 % · 10400 rows · 45 requests · about 1 min 5 s left"
    assert in_words({**said, "left_seconds": None}).endswith("time left not known yet")
    assert [duration(seconds) for seconds in (0, 59.6, 7_500, 273_600)] == ["0 s", "1 min", "2 h 5 min", "3 d 4 h"]
