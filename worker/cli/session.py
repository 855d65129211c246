"""What a one-shot command works with: the settings, the log, and the app they make. Never the daemon."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import settings
import settings.log
from settings import LogLevel, Settings
from worker.app import App
from worker.db.upgrade import require_current, upgrade
from worker.errors import NotReady

# `--config` before the command; an option behind the command goes over it.
_before_the_command: ContextVar[Path | None] = ContextVar("config_before_the_command", default=None)


def remember_config(config: Path | None) -> None:
    """Keep the `--config` that stood before the command."""
    _before_the_command.set(config)


def chosen_config(config: Path | None) -> Path | None:
    """The `--config` that counts: the one behind the command, else the one before it."""
    return config if config is not None else _before_the_command.get()


def read_settings(config: Path | None, *, quiet: bool = True) -> Settings:
    """The settings; also sets up the log.

    `quiet`: errors only, unless LOG__LEVEL says otherwise, since a command tells what goes wrong in its own sentence.
    Raises settings.SettingsError.
    """
    loaded = settings.load(chosen_config(config))
    told = "log.level" in loaded.sources()
    level = LogLevel.ERROR if quiet and not told else loaded.log.level
    settings.log.configure(format=loaded.log.format, level=level)
    settings.log.register_secrets(loaded.secrets())
    return loaded


@contextmanager
def session(config: Path | None) -> Iterator[App]:
    """The app for one command, its database migrated where that is needed and allowed.

    Works beside a running daemon. Raises SettingsError, NotReady and DatabaseUnavailable.
    """
    with App(read_settings(config)) as app:
        prepare_schema(app)
        yield app


def prepare_schema(app: App) -> None:
    """Migrate where that is needed and allowed. Raises NotReady and DatabaseUnavailable."""
    try:
        require_current(app.database)
    except NotReady:
        if not app.settings.migrate_at_start:
            raise
        upgrade(app.database)
