"""Couriers: the threads that post events, many subjects side by side, apart from the threads of every other work.

A message of the mirror's lanes is claimed in one transaction and handed in here. What came of the posts is settled in
groups: while one group is committed, the next one gathers.
"""

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from worker.clock import Clock
from worker.errors import DatabaseUnavailable
from worker.events import Event
from worker.mirror import Mirror
from worker.runtime.renewal import Renewal
from worker.runtime.runner import Runner
from worker.runtime.slots import Places, Slots
from worker.tasks import Claim
from worker.work import After, Outcome

_log = structlog.get_logger(__name__)

# Seconds between two looks at who may go out, where nobody came back meanwhile: posts turn slow without a word.
_LOOK_SECONDS = 0.2
# Outcomes in one transaction: enough to share its cost, few enough that nobody waits for it.
_GROUP = 100
# Seconds to wait for a database that failed, with the outcomes at hand.
_TROUBLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Letter:
    """A claimed task with its event, if the log still holds it."""

    claim: Claim
    event: Event | None

    @property
    def tried(self) -> bool:
        """Whether it failed before."""
        return self.claim.attempts > 1


class Couriers:
    """Posts what is handed in, within the places there are and at the receiver's pace, and settles what came of it.

    `then` is called after each group: the next events of those subjects are due now.
    """

    def __init__(
        self,
        *,
        runner: Runner,
        mirror: Mirror,
        renewal: Renewal,
        clock: Clock,
        then: Callable[[], None],
        places: Places,
    ) -> None:
        self._runner = runner
        self._mirror = mirror
        self._renewal = renewal
        self._clock = clock
        self._then = then
        self._slots = Slots(places)
        self._lines: dict[bool, deque[_Letter]] = {False: deque(), True: deque()}
        self._turn = False
        self._lock = threading.Lock()
        self._outcomes: queue.SimpleQueue[tuple[Claim, Outcome]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    @property
    def open(self) -> bool:
        """Whether anything may go out: False while the receiver asked to be left alone."""
        return self._mirror.pace.pause <= 0

    def hand(self, ids: Sequence[str]) -> None:
        """Claim these tasks and post their events as soon as there is a place. Raises DatabaseUnavailable."""
        claims = self._runner.claim(ids)
        if not claims:
            return
        self._renewal.hold(claim.token for claim in claims)
        try:
            events = self._mirror.events_of(claims)
        except DatabaseUnavailable:
            self._renewal.release(claim.token for claim in claims)
            raise
        if events is None:
            self._give_back(claims)
            return
        with self._lock:
            for claim in claims:
                self._lines[claim.attempts > 1].append(_Letter(claim, events.get(claim.event_position)))
        self._send_out()

    def start(self) -> None:
        """Settle in a thread of its own."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Send nobody out, give back what waits, and wait that long for those who are out."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(seconds)

    def _send_out(self) -> None:
        """Send out whoever may go, each in a thread; those who come back take the next letter along themselves."""
        while (letter := self._next()) is not None:
            threading.Thread(target=self._carry, args=(letter,), name="courier", daemon=True).start()

    def _next(self) -> _Letter | None:
        allowed = self._mirror.pace.allowed if self.open and not self._stopping.is_set() else 0
        now = self._clock.monotonic()
        with self._lock:
            # By turns, so that neither sort waits for the other where only a few may go.
            self._turn = not self._turn
            for tried in (self._turn, not self._turn):
                line = self._lines[tried]
                if line and self._slots.may_begin(tried=tried, now=now, allowed=allowed):
                    self._slots.begin(line[0].claim.token, tried=tried, now=now)
                    return line.popleft()
        return None

    def _carry(self, letter: _Letter | None) -> None:
        while letter is not None:
            self._outcomes.put((letter.claim, self._posted(letter)))
            with self._lock:
                self._slots.end(letter.claim.token)
            letter = self._next()
            # An answer that was good may have made room for more than one.
            self._send_out()

    def _posted(self, letter: _Letter) -> Outcome:
        claim = letter.claim
        with structlog.contextvars.bound_contextvars(task=claim.ids[0], subject=claim.subject, attempt=claim.attempts):
            try:
                outcome = self._runner.outcome(claim, lambda: self._mirror.post(claim, letter.event))
            except DatabaseUnavailable:
                outcome = None
            return self._put_off() if outcome is None else outcome

    def _run(self) -> None:
        while not self._stopping.is_set() or self._are_out():
            self._put_off_what_may_not_go()
            self._settle(self._gathered())
            self._send_out()
        self._settle(self._gathered())

    def _are_out(self) -> bool:
        with self._lock:
            return bool(len(self._slots) or any(self._lines.values())) or not self._outcomes.empty()

    def _gathered(self) -> list[tuple[Claim, Outcome]]:
        try:
            found = [self._outcomes.get(timeout=_LOOK_SECONDS)]
        except queue.Empty:
            return []
        while len(found) < _GROUP and not self._outcomes.empty():
            found.append(self._outcomes.get())
        return found

    def _put_off_what_may_not_go(self) -> None:
        """Nothing is held on to that this process will not post soon."""
        if self.open and not self._stopping.is_set():
            return
        with self._lock:
            claims = [letter.claim for line in self._lines.values() for letter in line]
            for line in self._lines.values():
                line.clear()
        self._give_back(claims)

    def _give_back(self, claims: Sequence[Claim]) -> None:
        for claim in claims:
            self._outcomes.put((claim, self._put_off()))

    def _put_off(self) -> After:
        if self._stopping.is_set():
            return After(seconds=0.0, reason="the process ended", counted=False)
        return self._mirror.put_off("the webhook is switched off" if self.open else "the receiver is left alone")

    def _settle(self, outcomes: list[tuple[Claim, Outcome]]) -> None:
        if not outcomes:
            return
        try:
            self._settle_surely(outcomes)
        # What is not settled here runs out of its lease and is posted again, with the same ids.
        except Exception:  # noqa: BLE001 - the loop goes on
            _log.exception("outcomes not settled")
        finally:
            self._renewal.release(claim.token for claim, _ in outcomes)
        self._then()

    def _settle_surely(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> None:
        """Settle, however long the database takes: forgetting them would mean to post every one again."""
        while True:
            try:
                self._runner.settle(outcomes)
            except DatabaseUnavailable as error:
                _log.warning("outcomes wait for the database", error=error.sentence)
                if self._stopping.wait(_TROUBLE_SECONDS):
                    return
            else:
                return
