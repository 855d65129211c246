"""Renews the leases of tasks in progress, so that only a worker that died loses its work."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import structlog

from worker.db import Database
from worker.errors import DatabaseUnavailable
from worker.tasks import Tasks

_log = structlog.get_logger(__name__)

# Renewals in one lease: two may fail before the claim is lost.
_RENEWALS_A_LEASE = 3.0


class Renewal:
    """Knows the claims that this process works on and prolongs them three times a lease."""

    def __init__(self, *, database: Database, tasks: Tasks, lease_seconds: float) -> None:
        self._database = database
        self._tasks = tasks
        self._lease_seconds = lease_seconds
        self._tokens: set[str] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="renewal", daemon=True)

    @property
    def busy(self) -> int:
        """How many claims are being worked on."""
        with self._lock:
            return len(self._tokens)

    @contextmanager
    def holding(self, *tokens: str) -> Iterator[None]:
        """These claims are being worked on."""
        self.hold(tokens)
        try:
            yield
        finally:
            self.release(tokens)

    def hold(self, tokens: Iterable[str]) -> None:
        """These claims are being worked on from now on."""
        with self._lock:
            self._tokens.update(tokens)

    def release(self, tokens: Iterable[str]) -> None:
        """They no longer are."""
        with self._lock:
            self._tokens.difference_update(tokens)

    def renew(self) -> None:
        """Prolong every claim being worked on."""
        with self._lock:
            tokens = sorted(self._tokens)
        if not tokens:
            return
        with self._database.write() as connection:
            now = self._database.now(connection)
            self._tasks.renew(connection, tokens, now=now, lease_seconds=self._lease_seconds)

    def start(self) -> None:
        """Renew in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End that thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._lease_seconds / _RENEWALS_A_LEASE):
            try:
                self.renew()
            except DatabaseUnavailable as error:
                _log.warning("leases not renewed", error=error.sentence)
            # The next renewal may still be in time.
            except Exception:  # noqa: BLE001 - the loop goes on
                _log.exception("leases not renewed")
