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
# Seconds that a thread may take to notice that it waits for nobody any more.
_CLOSE_SECONDS = 2.0


class Process(Protocol):
    """What is needed of `PreparingProcess`."""

    def submit(self, account: str, body: bytes) -> None:
        """Have a page prepared. Raises Lost."""
        ...

    def collect(self) -> Prepared | None:
        """What was submitted, if it could be prepared. Raises Lost."""
        ...

    def cut(self) -> None:
        """Let nobody wait for it any more."""
        ...

    def end(self) -> None:
        """End it, while nobody uses it."""
        ...


class Preparer:
    """One process that prepares pages, one at a time. Safe to share between threads."""

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
        # Whoever has it may use the process, and end it.
        self._taken = threading.Lock()
        self._process: Process | None = None
        self._used = self._not_before = 0.0

    @contextmanager
    def preparing(self, account: str, body: bytes) -> Iterator[Callable[[], Prepared | None]]:
        """Have a page prepared while the block goes on; called within it, what it gives waits for what came of it.

        That is None where it was not prepared: somebody else's page is, or the process cannot be had.
        """
        if not self._useful or not self._taken.acquire(blocking=False):
            yield lambda: None
            return
        try:
            self._submit(account, body)
            yield self._collect
        finally:
            try:
                # Who broke off has not asked for it.
                self._collect()
            finally:
                self._used = self._monotonic()
                self._taken.release()

    def expect(self) -> None:
        """Start the process, since a long reading will begin soon: it takes as long as reading some pages."""
        if self._useful and self._taken.acquire(blocking=False):
            try:
                self._used = self._monotonic()
                self._there()
            finally:
                self._taken.release()

    def rest(self, *, at_once: bool = False) -> None:
        """End the process if nobody has used it for a while, or now; it can be had again."""
        if self._process is None or not self._taken.acquire(blocking=False):
            return
        try:
            if at_once or self._monotonic() - self._used > IDLE_SECONDS:
                self._end()
        finally:
            self._taken.release()

    def close(self) -> None:
        """End the process, whatever it is at, and start none any more."""
        self._useful = False
        process = self._process
        if process is None:
            return
        process.cut()
        # Who waited for it gives way at once; ended under their hands, they might read what is somebody else's.
        if self._taken.acquire(timeout=_CLOSE_SECONDS):
            self._end()
            self._taken.release()

    def _there(self) -> Process | None:
        if self._process is None and self._useful and self._monotonic() >= self._not_before:
            try:
                self._process = self._start()
            except Lost as lost:
                self._lost(lost)
        return self._process

    def _submit(self, account: str, body: bytes) -> None:
        process = self._there()
        if process is not None:
            try:
                process.submit(account, body)
            except Lost as lost:
                self._lost(lost)

    def _collect(self) -> Prepared | None:
        if self._process is None:
            return None
        try:
            return self._process.collect()
        except Lost as lost:
            self._lost(lost)
            return None

    def _lost(self, lost: Lost) -> None:
        if self._useful:
            _log.warning(
                "the process that prepares pages was lost", reason=str(lost) or None, again_in_seconds=RESTART_SECONDS
            )
        self._not_before = self._monotonic() + RESTART_SECONDS
        self._end()

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
