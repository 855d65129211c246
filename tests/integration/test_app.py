"""The composition root: every part of a process from settings alone, on PostgreSQL and Redis as several processes."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

import settings
from tests.local_server import Action, LocalServer, Seen, reply
from tests.runtime_kit import SECRET, eventually, receiver
from worker import daemon
from worker.app import App
from worker.errors import NotReady, UsageError
from worker.events import EventDraft, EventType
from worker.kinds import POLL, SWEEP
from worker.runtime import installation
from worker.runtime.jobs import ALL
from worker.runtime.progress import LogProgress
from worker.runtime.waiting import Unreachable
from worker.tasks import NewTask


def _settings(folder: Path, **more: str) -> settings.Settings:
    environment = {"STATE_DIR": str(folder / "state"), "WEB__PORT": "0", **more}
    prefixed = {f"WAYBILL_{name}": text for name, text in environment.items()}
    return settings.load(environ=prefixed, directory=folder)


def _account(url: str) -> dict[str, str]:
    return {
        "LOGISTIC_CLOUD__BASE_URL": f"{url}/api",
        "LOGISTIC_CLOUD__API_KEY": "key-of-the-tests",
        "LOGISTIC_CLOUD__REQUESTS_PER_SECOND": "100",
        "LOGISTIC_CLOUD__POLL_SECONDS": "0.2",
        "LOGISTIC_CLOUD__LAG_SECONDS": "0.5",
    }


def _empty(seen: Seen) -> Action:
    return reply(200, [], headers={"Date": _now(), "X-Total": "0", "X-PageSize": "250"})


def _refused(seen: Seen) -> Action:
    return reply(401, {"title": "Unauthorized"}, headers={"Date": _now()})


def _now() -> str:
    return format_datetime(datetime.now(UTC), usegmt=True)


@pytest.fixture
def warehouse() -> Iterator[LocalServer]:
    """A warehouse without deliveries."""
    server = LocalServer(_empty)
    yield server
    server.close()


@contextmanager
def _app(loaded: settings.Settings) -> Iterator[App]:
    with App(loaded, environ={}) as app:
        yield app


@contextmanager
def _in_thread(part: threading.Thread, *apps: App) -> Iterator[None]:
    part.start()
    try:
        yield
    finally:
        for app in apps:
            app.stop.request()
        part.join(20)


def _job(app: App, kind: str) -> str:
    with app.database.write() as connection:
        return app.tasks.add_job(connection, NewTask(kind=kind, subject=ALL), app.database.now(connection))


def _counts(app: App) -> Mapping[str, int]:
    return app.status().tasks


def test_without_credentials_the_daemon_does_not_begin(tmp_path: Path) -> None:
    """It says which settings are missing, and makes nothing."""
    with _app(_settings(tmp_path)) as app, pytest.raises(UsageError, match="WAYBILL_LOGISTIC_CLOUD__API_KEY"):
        daemon.run(app, daemon.RunOptions(), LogProgress(app.clock))


def test_a_second_daemon_on_the_same_state_is_refused(tmp_path: Path, warehouse: LocalServer) -> None:
    """The lock is taken before anything else is done."""
    loaded = _settings(tmp_path, **_account(warehouse.url))
    options = daemon.RunOptions(threads=2)
    with _app(loaded) as app, _app(loaded) as second:
        first = threading.Thread(target=lambda: daemon.run(app, options, LogProgress(app.clock)))
        with _in_thread(first, app):
            assert eventually(lambda: bool(app.pulse.ages()))
            with pytest.raises(NotReady, match="Another waybill"):
                daemon.run(second, options, LogProgress(second.clock))

        assert not first.is_alive()


def test_one_process_reads_mirrors_and_ends_when_idle(tmp_path: Path, warehouse: LocalServer) -> None:
    """Everything in one process, from settings to the receiver; jobs by hand are done on the way."""
    with receiver() as listening:
        webhook = {"WEBHOOK__URL": listening.url, "WEBHOOK__SECRET": SECRET}
        with _app(_settings(tmp_path, **_account(warehouse.url), **webhook)) as app:
            app.prepare()
            jobs = [_job(app, POLL), _job(app, SWEEP)]
            with app.database.write() as connection:
                now = app.database.now(connection)
                frozen = EventDraft(
                    source="/registry", subject="credits", type=EventType.CREDITS_FROZEN, time=now, fingerprint="x"
                )
                app.event_log.append(connection, [frozen], now)
            options = daemon.RunOptions(threads=2, until_idle=True, patience_seconds=5)
            status = daemon.run(app, options, LogProgress(app.clock))
            counts = _counts(app)

    assert status == 0
    assert counts == {"waiting": 0, "running": 0, "done": len(jobs) + 1, "discarded": 0}
    assert len(listening.taken) == 1


def test_an_account_that_refuses_us_ends_a_run_until_idle_with_its_sentence(tmp_path: Path) -> None:
    """Waiting would not help: exit 3."""
    server = LocalServer(_refused)
    with _app(_settings(tmp_path, **_account(server.url))) as app, pytest.raises(Unreachable) as raised:
        daemon.run(app, daemon.RunOptions(threads=1, until_idle=True), LogProgress(app.clock))
    server.close()

    assert raised.value.exit_status == 3
    assert "401" in raised.value.sentence


def test_requests_with_a_new_key_are_later_ones(tmp_path: Path, warehouse: LocalServer) -> None:
    """Keys expire: turns count on over all of them, so that what the new one reads is not taken for outdated."""

    def turn_with(key: str) -> int:
        account = {**_account(warehouse.url), "LOGISTIC_CLOUD__API_KEY": key}
        with _app(_settings(tmp_path, **account)) as app:
            app.prepare()
            source = app.clients.source(app.settings.accounts[0])
            assert source is not None
            return source.client.server_time().turn

    turns = [turn_with(key) for key in ("the-old-key", "the-new-key", "the-old-key")]

    assert turns == sorted(set(turns))


@pytest.mark.parametrize("part", [daemon.schedule, lambda app: daemon.work(app, threads=1)], ids=["scheduler", "work"])
def test_parts_need_a_queue_that_processes_share(tmp_path: Path, part: object) -> None:
    """In memory, a worker alone would wait for ever."""
    with _app(_settings(tmp_path)) as app, pytest.raises(UsageError, match="WAYBILL_REDIS_URL"):
        part(app)  # type: ignore[operator]


def test_scheduler_worker_and_web_work_together_as_processes_of_their_own(
    tmp_path: Path, warehouse: LocalServer, postgres_url: str, redis_url: str
) -> None:
    """Each has its own app; what they share is the database and Redis."""
    shared = {**_account(warehouse.url), "DATABASE_URL": postgres_url, "REDIS_URL": redis_url}
    loaded = _settings(tmp_path, **shared)
    with _app(loaded) as scheduler, _app(loaded) as worker, _app(loaded) as web:
        scheduler.prepare()
        same = {installation.name_of(app.database, str) for app in (worker, web)} if _named(scheduler) else set()
        parts = [
            threading.Thread(target=daemon.schedule, args=(scheduler,)),
            threading.Thread(target=lambda: daemon.work(worker, threads=2)),
            threading.Thread(target=daemon.web, args=(web,)),
        ]
        for part in parts:
            part.start()
        _job(web, POLL)
        done = eventually(lambda: _counts(web)["done"] == 1)
        read = eventually(lambda: bool(web.status().accounts) and web.status().accounts[0].lag_seconds is not None)
        for app in (scheduler, worker, web):
            app.stop.request()
        for part in parts:
            part.join(20)

    assert done
    assert read
    assert len(same) == 1
    assert not any(part.is_alive() for part in parts)


def _named(app: App) -> bool:
    return bool(installation.name_of(app.database, lambda: "abcdef0123456789"))
