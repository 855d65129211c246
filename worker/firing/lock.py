"""The lock of one registry account: who reads before sending, freezes before anybody else reads (DESIGN §6.4)."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from worker.db import Database
from worker.leases import Lease, Leases

# The readings and the commit take seconds; a process that died there is waited for no longer than this, in seconds.
LEASE_SECONDS = 30.0
# Threads of one process queue here instead of asking the database; longer, and all of them would stand here while other
# work waits. In seconds.
QUEUE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Held:
    """The lock while it is held, and whom to ask whether it still is."""

    leases: Leases
    lease: Lease


class AccountLock:
    """A lease by database, with a queue for the threads of this process in front of it."""

    def __init__(self, *, database: Database, name: str, identity: Callable[[], str]) -> None:
        self._database = database
        self._name = name
        self._identity = identity
        self._threads = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[Held | None]:
        """The lease, under a holder of its own, until the block ends; None while somebody else has it."""
        if not self._threads.acquire(timeout=QUEUE_SECONDS):
            yield None
            return
        try:
            with self._leased() as leased:
                yield leased
        finally:
            self._threads.release()

    @contextmanager
    def _leased(self) -> Iterator[Held | None]:
        leases = Leases(self._database, holder=self._identity())
        lease = leases.acquire(self._name, LEASE_SECONDS)
        if lease is None:
            yield None
            return
        try:
            yield Held(leases, lease)
        finally:
            leases.give_back(lease)
