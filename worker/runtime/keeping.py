"""Keeping a lease for as long as a piece of work takes, however long that is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from worker.errors import DatabaseUnavailable
from worker.leases import Lease, Leases

_log = structlog.get_logger(__name__)

# Renewals in the time that a lease lasts: two may fail before it is lost.
_RENEWALS = 3.0


@contextmanager
def kept(leases: Leases, name: str, seconds: float) -> Iterator[Lease | None]:
    """The lease, renewed until the block ends and given back then; None while somebody else holds it.

    A process that dies holds it for `seconds` more.
    """
    lease = leases.acquire(name, seconds)
    if lease is None:
        yield None
        return
    done = threading.Event()
    threading.Thread(target=_renew, args=(leases, lease, seconds, done), name=f"lease {name}", daemon=True).start()
    try:
        yield lease
    finally:
        done.set()
        leases.give_back(lease)


def _renew(leases: Leases, lease: Lease, seconds: float, done: threading.Event) -> None:
    while not done.wait(seconds / _RENEWALS):
        try:
            if leases.acquire(lease.name, seconds) != lease:
                _log.warning("a lease was lost", lease=lease.name)
                return
        except DatabaseUnavailable as error:
            _log.warning("a lease could not be renewed", lease=lease.name, error=error.sentence)
