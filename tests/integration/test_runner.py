"""The runner: claim, call one service, settle what came of it; one bad task stops nobody."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from connectors.errors import NotConnected, Throttled
from tests.clocks import NOON
from tests.runtime_kit import Bench
from worker.db import Database
from worker.db.tables import tasks
from worker.errors import UsageError
from worker.kinds import COMPLETION, POLL, RULES
from worker.runtime.closing import Closing
from worker.runtime.runner import Service
from worker.runtime.stopping import Stopped
from worker.tasks import Claim, NewTask
from worker.work import Done, GiveUp, Later, Outcome


@pytest.fixture
def bench(database: Database) -> Bench:
    """A bench without a webhook."""
    return Bench(database, webhook=False)


def _job(bench: Bench, subject: str = "all") -> str:
    with bench.database.write() as connection:
        new = NewTask(kind=POLL, subject=subject)
        return bench.tasks.add_job(connection, new, bench.database.now(connection))


def _raises(error: BaseException) -> Service:
    def serve(claim: Claim, closing: Closing) -> Outcome:
        raise error

    return serve


def _answers(outcome: Outcome) -> Service:
    return lambda _claim, _closing: outcome


def test_a_service_that_closes_its_task_ends_it_in_its_own_transaction(bench: Bench) -> None:
    """The effect and the closing commit together; the runner adds nothing."""
    seen: list[str] = []
    identity = _job(bench, "one")
    bench.runner({POLL: bench.closing(seen)}).run([identity])

    assert seen == ["one"]
    assert bench.task(identity).state == "done"


def test_a_task_that_was_done_is_not_done_again(bench: Bench) -> None:
    """Two messages about one task lead to one call."""
    seen: list[str] = []
    identity = _job(bench)
    runner = bench.runner({POLL: bench.closing(seen)})
    runner.run([identity])
    runner.run([identity])

    assert len(seen) == 1


def test_a_service_that_leaves_the_closing_to_the_runner_is_closed_by_it(bench: Bench) -> None:
    """Done means done, whoever closes."""
    identity = _job(bench)
    bench.runner({POLL: _answers(Done())}).run([identity])

    assert bench.task(identity).state == "done"


def test_a_failure_of_a_remote_system_puts_the_task_off_and_counts(bench: Bench) -> None:
    """It is tried again a little later, with the sentence that says why."""
    identity = _job(bench)
    error = NotConnected("logistic.cloud", "list deliveries", "connection refused")
    bench.runner({POLL: _raises(error)}).run([identity])
    task = bench.task(identity)

    assert (task.state, task.attempts, task.token) == ("waiting", 1, None)
    assert "connection refused" in task.error
    assert task.due_at > task.created_at


def test_a_servers_wish_to_be_left_alone_is_obeyed(bench: Bench) -> None:
    """Retry-After is longer than our own wait, so it counts."""
    identity = _job(bench)
    error = Throttled("logistic.cloud", "list deliveries", "too many requests", retry_after=500.0)
    bench.runner({POLL: _raises(error)}).run([identity])
    task = bench.task(identity)

    assert task.due_at - task.created_at >= timedelta(seconds=500)


def test_a_mistake_of_ours_puts_the_task_off_and_the_next_one_goes_on(bench: Bench) -> None:
    """One bad task stops nobody."""
    seen: list[str] = []

    def serve(claim: Claim, closing: Closing) -> Outcome:
        if claim.subject == "bad":
            raise ZeroDivisionError
        return bench.closing(seen)(claim, closing)

    bad, good = _job(bench, "bad"), _job(bench, "good")
    bench.runner({POLL: serve}).run([bad, good])

    assert seen == ["good"]
    assert (bench.task(bad).state, bench.task(bad).error) == ("waiting", "ZeroDivisionError: ")


def test_what_can_never_be_done_is_a_dead_letter_at_once(bench: Bench) -> None:
    """Neither an unknown account nor a service that gives up is worth a second try."""
    wrong, hopeless = _job(bench, "wrong"), _job(bench, "hopeless")
    bench.runner({POLL: _raises(UsageError("There is no account."))}).run([wrong])
    bench.runner({POLL: _answers(GiveUp("It is gone."))}).run([hopeless])

    assert [(bench.task(one).state, bench.task(one).error) for one in (wrong, hopeless)] == [
        ("discarded", "There is no account."),
        ("discarded", "It is gone."),
    ]


def test_a_task_that_fails_every_time_becomes_a_dead_letter_after_its_attempts(bench: Bench) -> None:
    """It is not tried for ever, and its last error says why."""
    identity = _job(bench)
    runner = bench.runner({POLL: _raises(ZeroDivisionError())})
    for _ in range(RULES[POLL].max_attempts):
        runner.run([identity])

    assert (bench.task(identity).state, bench.task(identity).attempts) == ("discarded", RULES[POLL].max_attempts)


def test_waiting_that_is_normal_does_not_count(bench: Bench) -> None:
    """A task may wait for another process as often as it takes."""
    identity = _job(bench)
    with bench.database.read() as connection:
        later = Later(until=bench.database.now(connection), reason="somebody is at it", counted=False)
    runner = bench.runner({POLL: _answers(later)})
    for _ in range(2 * RULES[POLL].max_attempts):
        runner.run([identity])

    assert (bench.task(identity).state, bench.task(identity).attempts) == ("waiting", 0)


def test_a_process_that_stops_gives_its_task_back_uncounted(bench: Bench) -> None:
    """The next process takes it up at once."""
    identity = _job(bench)
    bench.runner({POLL: _raises(Stopped())}).run([identity])

    assert (bench.task(identity).state, bench.task(identity).attempts) == ("waiting", 0)


def test_a_stopping_process_takes_nothing_new(bench: Bench) -> None:
    """What it was sent is left to the next one."""
    identity = _job(bench)
    bench.runner({POLL: _answers(Done())}, is_stopping=lambda: True).run([identity])

    assert bench.task(identity).attempts == 0


def test_work_whose_claim_was_lost_is_not_committed(bench: Bench) -> None:
    """Whoever has the task now does the work; ours is rolled back, and nothing is settled."""

    def serve(claim: Claim, closing: Closing) -> Outcome:
        with bench.database.write() as connection:
            connection.execute(sa.update(tasks).values(token="of another"))
        with bench.database.write() as connection:
            connection.execute(sa.update(tasks).values(error="written without the right to"))
            closing(connection)
        return Done()

    identity = _job(bench)
    bench.runner({POLL: serve}).run([identity])
    task = bench.task(identity)

    assert (task.state, task.token, task.error) == ("running", "of another", None)


def test_one_look_does_the_work_of_all_open_tasks_of_an_order(bench: Bench) -> None:
    """Completion coalesces: five changes of a delivery are one decision about its order."""
    bench.changes(5, deliveries=1)
    seen: list[str] = []
    bench.runner({COMPLETION: bench.closing(seen)}).run(bench.ids(COMPLETION))

    assert len(seen) == 1
    assert bench.states(COMPLETION) == {"done": 5}


def test_outcomes_are_settled_together(bench: Bench) -> None:
    """Each task has its own outcome."""
    ids = [_job(bench, subject) for subject in ("a", "b", "c")]
    runner = bench.runner({})
    later = Later(until=NOON, reason="not yet")
    runner.settle(list(zip(runner.claim(ids), [Done(), GiveUp("no"), later], strict=True)))

    assert [bench.task(one).state for one in ids] == ["done", "discarded", "waiting"]


def test_a_lost_claim_among_others_undoes_nothing_about_them(bench: Bench) -> None:
    """One claim that was lost does not undo what was done about the rest."""
    lost, kept = _job(bench, "a"), _job(bench, "b")
    runner = bench.runner({})
    claims = runner.claim([lost, kept])
    with bench.database.write() as connection:
        connection.execute(sa.update(tasks).where(tasks.c.id == lost).values(token="of another"))
    runner.settle([(claim, Done()) for claim in claims])

    assert [bench.task(one).state for one in (lost, kept)] == ["running", "done"]
