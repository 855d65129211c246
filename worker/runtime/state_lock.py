"""The lock on the state directory: one daemon on an embedded database (DESIGN §3)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from worker.errors import NotReady

_NAME = "waybill.lock"


class Occupied(NotReady):
    """Another process has the state directory."""


@contextmanager
def state_lock(directory: Path) -> Iterator[None]:
    """Hold the lock of the operating system, which ends with the process.

    Raises Occupied if another process has it, and NotReady if the directory cannot be used.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / _NAME, timeout=0)
        lock.acquire()
    except Timeout as error:
        sentence = (
            f"Another waybill runs on the state directory {directory}: stop it first, "
            "or give this one a WAYBILL_STATE_DIR of its own."
        )
        raise Occupied(sentence) from error
    except OSError as error:
        sentence = f"The state directory {directory} cannot be used ({error.strerror}): set WAYBILL_STATE_DIR."
        raise NotReady(sentence) from error
    try:
        yield
    finally:
        lock.release()
