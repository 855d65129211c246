"""The policies of a client: how long, how often, in which turn, and who is told."""

import itertools
import threading
from dataclasses import dataclass
from random import Random
from typing import Protocol

from connectors.errors import Throttled, Transient


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds allowed for each phase of an exchange, and for all of it."""

    # Seconds to connect: a reachable host answers within a few; more only hides a dead address.
    connect: float = 10.0
    # Seconds between two pieces of an answer: a page of 250 records may take the server a while.
    read: float = 30.0
    # Seconds between two pieces of a request: our bodies are small.
    write: float = 30.0
    # Seconds to wait for a free connection of the pool: about one slow answer.
    pool: float = 30.0
    # Seconds for a whole exchange: ends an answer that trickles in for ever.
    total: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Bounded repetition of reads with full jitter; all waits in seconds."""

    # Requests in all: two repeats outlast a restart of the server; schedules repeat the rest.
    attempts: int = 3
    # Seconds the first wait may last at most; it doubles with each attempt.
    first_wait: float = 1.0
    # Seconds any jittered wait may last at most: a poll must not sleep through many of its turns.
    max_wait: float = 20.0
    # Seconds after which no further attempt begins: what is left is the scheduler's work.
    total: float = 90.0
    # Seconds the server may ask us to wait within one call; a longer wish is left to the caller.
    max_retry_after: float = 60.0
    # Seconds after a 429 without Retry-After: the documented budget is about one request a second.
    throttled_wait: float = 1.0

    def wait(self, error: Transient, *, attempt: int, elapsed: float, random: Random) -> float | None:
        """Seconds until the next attempt after `attempt` (from 1) failed; None when it was the last."""
        if attempt >= self.attempts:
            return None
        jitter = random.uniform(0.0, min(self.max_wait, self.first_wait * 2.0 ** (attempt - 1)))
        least = self._least(error)
        wait = least + jitter
        return None if least > self.max_retry_after or elapsed + wait > self.total else wait

    def _least(self, error: Transient) -> float:
        if error.retry_after is not None:
            return error.retry_after
        return self.throttled_wait if isinstance(error, Throttled) else 0.0


class TurnTaker(Protocol):
    """The request budget of one credential over all processes."""

    def take(self) -> int:
        """Block until a request may be made; its number, higher than any given before."""

    def throttled(self, retry_after: float | None) -> None:
        """Learn that the server answered 429, with its wish in seconds if it named one."""


class Unmetered:
    """Turns without a budget, for systems that set none: numbers only, counted from 1."""

    def __init__(self) -> None:
        """Start counting."""
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def take(self) -> int:
        """Return the next number, at once."""
        with self._lock:
            return next(self._numbers)

    def throttled(self, retry_after: float | None) -> None:
        """Nothing to slow down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One attempt, for telemetry: no path, no parameter, no header, no body, so no secret."""

    system: str
    operation: str
    method: str
    status: int | None
    seconds: float
    bytes: int
    turn: int
    error: str | None


def unobserved(observation: Observation) -> None:
    """Take no notice of the observation."""
    del observation
