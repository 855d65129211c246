"""Tasks: claimed by one, counted at the claim, closed only with the token."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.clocks import NOON
from tests.databases import migrated
from tests.plans import plans_of
from worker import outbox
from worker.db import Database
from worker.errors import LostClaim
from worker.outbox import RESEND_SECONDS, DueTask
from worker.tasks import MOST_AT_ONCE, Claim, KindRule, NewTask, Tasks

RULES = {"mirror": KindRule(max_attempts=2), "completion": KindRule(max_attempts=5, coalesce=True)}


@pytest.fixture
def desk() -> Tasks:
    """Tasks with countable ids."""
    numbers = itertools.count(1)
    return Tasks(rules=RULES, identity=lambda: f"id{next(numbers)}")


def _add(database: Database, desk: Tasks, kind: str = "mirror", subject: str = "s", count: int = 1) -> list[str]:
    with database.write() as connection:
        return desk.add(connection, [NewTask(kind=kind, subject=subject) for _ in range(count)], NOON)


def _claim(database: Database, desk: Tasks, ids: list[str], after: float = 0) -> list[Claim]:
    with database.write() as connection:
        now = NOON + timedelta(seconds=after)
        return desk.claim(connection, ids, owner="w1", now=now, lease_seconds=30)


def _send(connection: sa.Connection, now: datetime, limit: int = 10) -> list[DueTask]:
    due = outbox.due(connection, now, limit, RULES)
    outbox.mark_sent(connection, due, now)
    return due


def test_a_task_is_claimed_by_one_worker_only(database: Database, desk: Tasks) -> None:
    """Two messages about one task lead to one claim."""
    ids = _add(database, desk)

    assert len(_claim(database, desk, ids)) == 1
    assert _claim(database, desk, ids) == []


def test_more_tasks_of_a_subject_than_a_statement_takes_are_closed_in_turns(database: Database, desk: Tasks) -> None:
    """An order may have any number of deliveries: what is left over is claimed next, the oldest first."""
    ids = _add(database, desk, "completion", count=MOST_AT_ONCE + 5)
    (first,) = _claim(database, desk, ids[:1])
    with database.write() as connection:
        desk.close(connection, first, NOON)
    (rest,) = _claim(database, desk, [ids[MOST_AT_ONCE]])

    assert [len(claim.ids) for claim in (first, rest)] == [MOST_AT_ONCE, 5]
    assert [*first.ids, *rest.ids] == ids


def test_only_the_oldest_open_task_of_a_subject_is_sent(database: Database, desk: Tasks) -> None:
    """One event per subject is in flight at a time; subjects go side by side."""
    first, second = _add(database, desk, subject="a", count=2)
    (other,) = _add(database, desk, subject="b")
    with database.write() as connection:
        sent = outbox.due(connection, NOON, 10, RULES)

    assert {task.id for task in sent} == {first, other}
    assert _claim(database, desk, [second]) == []


def test_what_was_sent_is_sent_again_only_after_nobody_claimed_it(database: Database, desk: Tasks) -> None:
    """The relay repeats a hint that got lost, and not before."""
    _add(database, desk)
    later = NOON + timedelta(seconds=RESEND_SECONDS + 1)
    with database.write() as connection:
        first, second = _send(connection, NOON), _send(connection, NOON)
        third = _send(connection, later)

    assert (len(first), len(second), len(third)) == (1, 0, 1)


def test_a_closed_task_is_done_and_the_next_of_its_subject_may_go(database: Database, desk: Tasks) -> None:
    """Closing with the token ends the task and frees its subject."""
    first, second = _add(database, desk, count=2)
    (claim,) = _claim(database, desk, [first])
    with database.write() as connection:
        desk.close(connection, claim, NOON)

    assert [later.ids for later in _claim(database, desk, [second])] == [(second,)]


def test_a_worker_whose_lease_ran_out_cannot_close_the_task(database: Database, desk: Tasks) -> None:
    """The token of a claim that was given to somebody else closes nothing."""
    ids = _add(database, desk)
    (lost,) = _claim(database, desk, ids)
    with database.write() as connection:
        released = outbox.release_expired(connection, NOON + timedelta(seconds=31))
    (fresh,) = _claim(database, desk, ids, after=31)

    assert released == 1
    with pytest.raises(LostClaim), database.write() as connection:
        desk.close(connection, lost, NOON)
    with database.write() as connection:
        desk.close(connection, fresh, NOON)


def test_a_renewed_lease_does_not_run_out(database: Database, desk: Tasks) -> None:
    """Work that goes on keeps its claim."""
    ids = _add(database, desk)
    (claim,) = _claim(database, desk, ids)
    with database.write() as connection:
        desk.renew(connection, [claim.token], now=NOON + timedelta(seconds=20), lease_seconds=30)

        assert outbox.release_expired(connection, NOON + timedelta(seconds=31)) == 0


def test_a_task_that_keeps_killing_its_worker_becomes_a_dead_letter(database: Database, desk: Tasks) -> None:
    """Attempts are counted at the claim, so they count although nobody lived to report them."""
    ids = _add(database, desk)
    for crash in range(2):
        assert len(_claim(database, desk, ids, after=crash * 100)) == 1
        with database.write() as connection:
            outbox.release_expired(connection, NOON + timedelta(seconds=crash * 100 + 50))

    assert _claim(database, desk, ids, after=500) == []
    with database.read() as connection:
        assert desk.counts(connection) == {"discarded": 1}


def test_a_dead_letter_can_be_retried_or_dropped(database: Database, desk: Tasks) -> None:
    """A person sets a dead letter back with fresh attempts, or closes it for good."""
    retried, dropped = _add(database, desk, subject="a") + _add(database, desk, subject="b")
    for claim in _claim(database, desk, [retried, dropped]):
        with database.write() as connection:
            desk.discard(connection, claim, NOON, "no use")
    with database.write() as connection:
        assert desk.retry_dead_letters(connection, [retried], NOON) == 1
        assert desk.drop_dead_letters(connection, [dropped], NOON) == 1

    with database.read() as connection:
        assert desk.counts(connection) == {"waiting": 1, "done": 1}


def test_one_claim_closes_all_open_tasks_of_a_subject_where_the_kind_coalesces(database: Database, desk: Tasks) -> None:
    """Ten changes of one order are one look at it."""
    ids = _add(database, desk, kind="completion", count=10)
    (claim,) = _claim(database, desk, ids[:1])
    with database.write() as connection:
        desk.close(connection, claim, NOON)

    with database.read() as connection:
        assert desk.counts(connection) == {"done": 10}


def test_a_postponed_task_waits_and_may_take_its_attempt_back(database: Database, desk: Tasks) -> None:
    """Waiting where nothing went wrong does not use up attempts."""
    ids = _add(database, desk)
    for _ in range(5):
        (claim,) = _claim(database, desk, ids)
        with database.write() as connection:
            desk.postpone(connection, claim, NOON + timedelta(seconds=9), "not yet", counted=False)

    with database.write() as connection:
        assert _send(connection, NOON) == []
        assert len(_send(connection, NOON + timedelta(seconds=9))) == 1


def test_the_same_job_twice_is_one_task(database: Database, desk: Tasks) -> None:
    """Enqueuing what already waits returns the task that waits."""
    job = NewTask(kind="completion", subject="acme", payload={"days": 7})
    with database.write() as connection:
        first, second = desk.add_job(connection, job, NOON), desk.add_job(connection, job, NOON)

    assert first == second


@pytest.mark.parametrize(
    "asked",
    [
        lambda connection: outbox.in_flight(connection, NOON),
        lambda connection: outbox.has_expired(connection, NOON),
        lambda connection: outbox.release_expired(connection, NOON),
        outbox.take_over,
    ],
    ids=["in flight", "has expired", "release expired", "take over"],
)
def test_what_is_out_is_found_without_reading_what_waits(
    tmp_path: Path, asked: Callable[[sa.Connection], object]
) -> None:
    """The relay asks many times a second, and a first reading leaves a million tasks that wait."""
    assert all("ix_tasks_out" in plan for plan in plans_of(tmp_path, asked, "tasks"))


def test_what_is_in_flight_is_counted(database: Database, desk: Tasks) -> None:
    """Sent and running tasks count; waiting ones and lost messages do not."""
    _add(database, desk, subject="a")
    ids = _add(database, desk, subject="b")
    with database.write() as connection:
        before = outbox.in_flight(connection, NOON).total()
        _send(connection, NOON, limit=1)
    _claim(database, desk, ids)

    with database.read() as connection:
        assert before == 0
        assert outbox.in_flight(connection, NOON).total() == 2
        assert outbox.in_flight(connection, NOON + timedelta(seconds=RESEND_SECONDS + 1)).total() == 1


def test_a_dead_letter_that_is_retried_waits_for_a_younger_one_that_is_being_claimed(
    postgres_url: str, desk: Tasks
) -> None:
    """The claim is not committed yet, so nobody else sees it: still, one of a subject is in flight at a time."""
    with migrated(postgres_url) as database:
        dead, younger = _add(database, desk, count=2)
        (claim,) = _claim(database, desk, [dead])
        with database.write() as connection:
            desk.discard(connection, claim, NOON, "refused")

        def retry() -> int:
            with database.write() as connection:
                return desk.retry_dead_letters(connection, [dead], NOON)

        with ThreadPoolExecutor(1) as pool:
            with database.write() as connection:
                claimed = desk.claim(connection, [younger], owner="w1", now=NOON, lease_seconds=30)
                retried = pool.submit(retry)
                done, _ = wait([retried], timeout=0.5)
                early = _claim(database, desk, [dead]) if done else []
            again = retried.result(timeout=30)

        assert [one.ids for one in claimed] == [(younger,)]
        assert (early, again) == ([], 1)
        assert _claim(database, desk, [dead]) == []
