import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

import settings
from tests.cli_kit import Shell, prefixed
from tests.local_server import closed_port, reply, serving
from tests.order_kit import ACCOUNT, NOON
from worker.app import App
from worker.cli.waiting import JobFailed, wait_for
from worker.db.tables import leases, tasks
from worker.db.upgrade import upgrade
from worker.kinds import POLL
from worker.runtime.state_lock import state_lock
from worker.tasks import NewTask

# Seconds until a test gives up.
DEADLINE = 20.0
KEY = {"LOGISTIC_CLOUD__API_KEY": "key-of-the-tests", "LOGISTIC_CLOUD__REQUESTS_PER_SECOND": "1000"}


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Commands in an empty folder."""
    return Shell(tmp_path, monkeypatch, capsys)


@contextmanager
def app(folder: Path, **said: str) -> Iterator[App]:
    """An app of a configured account, with its schema made."""
    configured = {"LOGISTIC_CLOUD__BASE_URL": f"https://{ACCOUNT}/api", **KEY, **said}
    with App(settings.load(environ=prefixed(configured), directory=folder), environ={}) as made:
        upgrade(made.database)
        yield made


def enqueue(here: App, subject: str) -> str:
    """A poll put on the queue."""
    with here.database.write() as connection:
        return here.tasks.add(connection, [NewTask(kind=POLL, subject=subject)], here.database.now(connection))[0]


def end(here: App, identity: str, **values: object) -> None:
    """Let the task end, as a worker elsewhere would."""
    with here.database.write() as connection:
        connection.execute(sa.update(tasks).where(tasks.c.id == identity).values(ended_at=NOON, **values))


def test_an_account_that_refuses_the_key_fails_the_job_that_waits(shell: Shell) -> None:
    """The poll is done, and what it says of the account is told with exit 3."""
    with serving(reply(401, {})) as warehouse:
        shell.set(LOGISTIC_CLOUD__BASE_URL=f"{warehouse.url}/api", **KEY)
        done = shell("enqueue", "poll", "--wait")

    assert done.status == 3
    assert len(done.err.splitlines()) == 1


def test_a_job_that_failed_stays_on_the_queue(shell: Shell) -> None:
    """A backfill that reached nobody is tried again later, and the sentence says so."""
    shell.set(LOGISTIC_CLOUD__BASE_URL=f"http://127.0.0.1:{closed_port()}/api", **KEY)
    span = ("--since", "2026-03-01", "--until", "2026-03-02")
    done = shell("enqueue", "backfill", *span, "--wait")

    assert done.status == 3
    assert f"Job {done.out.strip()} stays on the queue and is tried again." in done.err
    assert json.loads(shell("status", "--json").out)["tasks"]["waiting"] == 1


def test_a_job_beside_a_daemon_is_waited_for(tmp_path: Path) -> None:
    """Where another process has the lock, the job is its; its result is ours to show."""
    with app(tmp_path) as here, state_lock(here.settings.state_dir):
        identity = enqueue(here, "all")
        worker = threading.Timer(0.3, end, (here, identity), {"state": "done", "result": {ACCOUNT: {"rows": 3}}})
        worker.start()
        result = wait_for(here, identity)
        worker.join()

    assert result == {ACCOUNT: {"rows": 3}}


def test_a_job_that_was_given_up_is_told_with_its_reason(tmp_path: Path) -> None:
    """A job about an account that is no longer configured can never be done."""
    with app(tmp_path) as here:
        identity = enqueue(here, "gone.logistic.cloud")
        with pytest.raises(JobFailed, match=r"^There is no account gone\.logistic\.cloud with a key; configured are"):
            wait_for(here, identity)


def test_an_old_failure_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    """A job that failed before and waits to be tried again is waited for."""
    with app(tmp_path) as here, state_lock(here.settings.state_dir):
        identity = enqueue(here, "all")
        with here.database.write() as connection:
            connection.execute(sa.update(tasks).values(error="an old failure", attempts=1))
        worker = threading.Timer(0.3, end, (here, identity), {"state": "done", "error": None})
        worker.start()
        result = wait_for(here, identity)
        worker.join()

    assert result == {}


def test_where_several_processes_share_the_queue_the_one_that_relays_does_the_job(
    postgres_url: str, tmp_path: Path
) -> None:
    """A lease in force says that somebody relays; then the command only waits."""
    urls = {"DATABASE_URL": postgres_url, "REDIS_URL": "redis://127.0.0.1:1/0"}
    with app(tmp_path, **urls) as here:
        identity = enqueue(here, "gone.logistic.cloud")
        with here.database.write() as connection:
            until = here.database.now(connection) + timedelta(seconds=60)
            connection.execute(sa.insert(leases).values(name="relay", holder="another", term=1, until=until))
        worker = threading.Timer(0.3, end, (here, identity), {"state": "done"})
        worker.start()
        result = wait_for(here, identity)
        worker.join()

    assert result == {}


def test_where_nobody_relays_the_command_does_the_job(postgres_url: str, tmp_path: Path) -> None:
    """A lease that ran out says that nobody is there."""
    urls = {"DATABASE_URL": postgres_url, "REDIS_URL": "redis://127.0.0.1:1/0"}
    with app(tmp_path, **urls) as here:
        identity = enqueue(here, "gone.logistic.cloud")
        with pytest.raises(JobFailed, match="There is no account"):
            wait_for(here, identity)


def test_a_job_in_a_line_is_done_after_those_before_it(tmp_path: Path) -> None:
    """Jobs of one kind about one subject are done in their order, also by a command that does one itself."""
    with app(tmp_path) as here:
        first, second = enqueue(here, "gone.logistic.cloud"), enqueue(here, "gone.logistic.cloud")
        with here.database.write() as connection:
            died = {"state": "running", "token": "t", "owner": "a dead worker", "lease_until": NOON}
            connection.execute(sa.update(tasks).where(tasks.c.id == first).values(**died))
        with pytest.raises(JobFailed, match="There is no account"):
            wait_for(here, second)
        with here.database.read() as connection:
            states = list(connection.execute(sa.select(tasks.c.state).order_by(tasks.c.number)).scalars())

    assert states == ["discarded", "discarded"]


def test_a_job_is_done_here_once_the_command_that_kept_daemons_away_has_ended(tmp_path: Path) -> None:
    """Of two commands at once the second waits for the first, which does its own job only, and then does its own."""
    with app(tmp_path) as here:
        identity = enqueue(here, "gone.logistic.cloud")
        held, let_go = threading.Event(), threading.Event()

        def another() -> None:
            with state_lock(here.settings.state_dir):
                held.set()
                let_go.wait(DEADLINE)

        first = threading.Thread(target=another)
        first.start()
        held.wait(DEADLINE)
        threading.Timer(0.5, let_go.set).start()
        with pytest.raises(JobFailed, match="There is no account"):
            wait_for(here, identity)
        first.join()


def test_where_the_daemon_that_relayed_is_gone_the_command_does_the_job(postgres_url: str, tmp_path: Path) -> None:
    """A lease that runs out while the command waits leaves the job to the command."""
    urls = {"DATABASE_URL": postgres_url, "REDIS_URL": "redis://127.0.0.1:1/0"}
    with app(tmp_path, **urls) as here:
        identity = enqueue(here, "gone.logistic.cloud")
        with here.database.write() as connection:
            until = here.database.now(connection) + timedelta(seconds=1)
            connection.execute(sa.insert(leases).values(name="relay", holder="another", term=1, until=until))
        with pytest.raises(JobFailed, match="There is no account"):
            wait_for(here, identity)
