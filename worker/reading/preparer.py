"""The preparer: has pages prepared by a process of its own while this one asks and stores.

Preparing a page needs the interpreter all along, and one interpreter does one thing at a time. The process is started
when a long reading begins, is used once it is there, and is never relied on: what it does not do is done here.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import structlog

from worker.reading.prepared import Prepared
from worker.reading.preparing_process import Lost, PreparingProcess

_log = structlog.get_logger(__name__)

# Seconds without use after which the process is ended.
IDLE_SECONDS = 30.0
# Seconds before a process that was lost is replaced.
RESTART_SECONDS = 60.0


class Process(Protocol):
    """What is needed of `PreparingProcess`. Methods raise Lost."""

    def submit(self, account: str, body: bytes) -> None:
        """Have a page prepared."""
        ...

    def collect(self) -> Prepared | None:
        """What was submitted, if it could be prepared."""
        ...

    def end(self) -> None:
        """End it; never raises."""
        ...


class Preparer:
    """One process that prepares pages, for one reading at a time. Safe to share between threads."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        *,
        start: Callable[[], Process] = PreparingProcess,
        cores: int | None = None,
    ) -> None:
        """Start nothing yet. With a single core there is nothing to gain, and nothing is ever started."""
        self._monotonic = monotonic
        self._start = start
        self._useful = (_cores() if cores is None else cores) > 1
        self._taken = threading.Lock()
        self._process: Process | None = None
        self._used = self._not_before = 0.0

    @contextmanager
    def taken(self) -> Iterator["Preparer | None"]:
        """Itself for one reading; None where it is at another one, or cannot be had."""
        if not self._useful or not self._taken.acquire(blocking=False):
            yield None
            return
        try:
            yield self if self._is_there() else None
        finally:
            self.collect()
            self._used = self._monotonic()
            self._taken.release()

    def expect(self) -> None:
        """Start the process, since a long reading will begin soon: it takes as long as reading some pages."""
        if self._useful and self._taken.acquire(blocking=False):
            try:
                self._used = self._monotonic()
                self._is_there()
            finally:
                self._taken.release()

    def submit(self, account: str, body: bytes) -> None:
        """Have a page prepared; collect it before the next."""
        process = self._process
        if process is None:
            return
        try:
            process.submit(account, body)
        except Lost:
            self._lost()

    def collect(self) -> Prepared | None:
        """What was submitted last, once it is there; None where it was not prepared."""
        process = self._process
        if process is None:
            return None
        try:
            return process.collect()
        except Lost:
            self._lost()
            return None

    def rest(self) -> None:
        """End the process if nobody has used it for a while."""
        if self._process is None or not self._taken.acquire(blocking=False):
            return
        try:
            if self._monotonic() - self._used > IDLE_SECONDS:
                self.close()
        finally:
            self._taken.release()

    def close(self) -> None:
        """End the process, whatever it is at."""
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def _is_there(self) -> bool:
        if self._process is None and self._monotonic() >= self._not_before:
            try:
                self._process = self._start()
            except Lost:
                self._lost()
        return self._process is not None

    def _lost(self) -> None:
        _log.warning("the process that prepares pages was lost", again_in_seconds=RESTART_SECONDS)
        self._not_before = self._monotonic() + RESTART_SECONDS
        self.close()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
