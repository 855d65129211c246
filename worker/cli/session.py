"""What a one-shot command works with: the settings, the log and the database they name. Never the daemon."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import settings
import settings.log
from settings import LogLevel, Settings
from worker.clock import Clock, SystemClock
from worker.db import Database
from worker.db.upgrade import require_current, upgrade
from worker.errors import NotReady
from worker.event_log import EventLog
from worker.kinds import RULES
from worker.subscriptions import subscriptions
from worker.tasks import Tasks

# `--config` before the command; an option behind the command goes over it.
_before_the_command: ContextVar[Path | None] = ContextVar("config_before_the_command", default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Settings and the migrated database."""

    settings: Settings
    database: Database
    clock: Clock

    @property
    def tasks(self) -> Tasks:
        """The rows of tasks."""
        return Tasks(rules=RULES, identity=new_id)

    @property
    def event_log(self) -> EventLog:
        """The event log, with the subscribers that the settings give it."""
        heard = subscriptions(webhook=self.settings.webhook.url is not None)
        return EventLog(tasks=self.tasks, subscriptions=heard)


def new_id() -> str:
    """An id that nobody else has."""
    return uuid4().hex


def remember_config(config: Path | None) -> None:
    """Keep the `--config` that stood before the command."""
    _before_the_command.set(config)


def read_settings(config: Path | None, *, quiet: bool = True) -> Settings:
    """The settings; also sets up the log. `quiet`: warnings only, unless LOG__LEVEL says otherwise.

    Raises settings.SettingsError.
    """
    chosen = config if config is not None else _before_the_command.get()
    loaded = settings.load(chosen)
    told = "log.level" in loaded.sources()
    level = LogLevel.WARNING if quiet and not told else loaded.log.level
    settings.log.configure(format=loaded.log.format, level=level)
    settings.log.register_secrets(loaded.secrets())
    return loaded


@contextmanager
def session(config: Path | None) -> Iterator[Session]:
    """Open the database of the settings for one command. Raises SettingsError, NotReady, DatabaseUnavailable."""
    loaded = read_settings(config)
    clock = SystemClock()
    database = open_database(loaded, clock)
    try:
        prepare_schema(loaded, database)
        yield Session(settings=loaded, database=database, clock=clock)
    finally:
        database.close()


def open_database(loaded: Settings, clock: Clock) -> Database:
    """The database of the settings, its folder made where it is a file. Raises NotReady where that cannot be."""
    if not loaded.uses_postgresql:
        _make_folder(Path(loaded.database_url.removeprefix("sqlite:///")).parent)
    return Database(loaded.database_url, clock)


def prepare_schema(loaded: Settings, database: Database) -> None:
    """Migrate where that is needed and allowed. Raises NotReady where it is needed and switched off."""
    try:
        require_current(database)
    except NotReady:
        if not loaded.migrate_at_start:
            raise
        upgrade(database)


def _make_folder(folder: Path) -> None:
    try:
        # The state holds what the warehouse tells of its customers: nobody else's business.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        sentence = f"The folder {folder} of the database cannot be made: {os.strerror(error.errno or 0)}."
        raise NotReady(sentence) from error
