"""What a process begins with: a name of its own, and the database of the settings."""

import os
import uuid
from pathlib import Path

from settings import Settings
from worker.clock import Clock
from worker.db import Database
from worker.errors import NotReady


def identity() -> str:
    """A name that nobody had before."""
    return uuid.uuid4().hex


def open_database(settings: Settings, clock: Clock) -> Database:
    """The database of the settings, its folder made where it is a file. Raises NotReady where that cannot be."""
    if not settings.uses_postgresql:
        _make_folder(Path(settings.database_url.removeprefix("sqlite:///")).parent)
    return Database(settings.database_url, clock)


def _make_folder(folder: Path) -> None:
    try:
        # The state holds what the warehouse tells of its customers: nobody else's business.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        sentence = (
            f"The folder {folder} of the database cannot be made: {os.strerror(error.errno or 0)}. "
            "Let WAYBILL_STATE_DIR (or WAYBILL_DATABASE_URL) name one that this user may write to."
        )
        raise NotReady(sentence) from error
