"""Time for several threads, which passes only when all of them sleep: hours are over at once, the same always."""

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.clocks import NOON


class VirtualTime:
    """A clock, and the threads that live by it: one runs at a time, until it sleeps; then the one due first."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._stepped = 0.0
        self._due: list[tuple[float, int, threading.Event]] = []
        self._numbers = itertools.count()
        self._alive = 0
        self._over = threading.Event()
        self.failures: list[BaseException] = []

    def now(self) -> datetime:
        """The wall clock."""
        return NOON + timedelta(seconds=self._elapsed + self._stepped)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return 1000.0 + self._elapsed

    def sleep(self, seconds: float) -> None:
        """Let the others run until that much time has passed."""
        mine = self._enter(seconds)
        self._next()
        mine.wait()

    def step(self, seconds: float) -> None:
        """Set the wall clock without time passing."""
        self._stepped += seconds

    def run(self, *actors: Callable[[], object]) -> None:
        """Run them all at once, to their ends. What one of them raises is raised here."""
        self._alive, self._over = len(actors), threading.Event()
        for actor in actors:
            start = self._enter(0.0)
            threading.Thread(target=self._live, args=(actor, start), daemon=True).start()
        self._next()
        self._over.wait(60)
        if self.failures:
            raise self.failures[0]

    def _live(self, actor: Callable[[], object], start: threading.Event) -> None:
        start.wait()
        try:
            actor()
        # Told by `run`, in the thread of the test.
        except BaseException as failure:  # noqa: BLE001
            self.failures.append(failure)
        self._alive -= 1
        if self._alive:
            self._next()
        else:
            self._over.set()

    def _enter(self, seconds: float) -> threading.Event:
        event = threading.Event()
        heapq.heappush(self._due, (self._elapsed + max(0.0, seconds), next(self._numbers), event))
        return event

    def _next(self) -> None:
        at, _, event = heapq.heappop(self._due)
        self._elapsed = max(self._elapsed, at)
        event.set()
