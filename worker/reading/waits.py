"""Requests to one account that are out: since when its answer is waited for, and who is told of it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from connectors.policy import Observation, TurnTaker
from worker.clock import Clock
from worker.db import Database
from worker.reading import accounts

# Seconds after which a person wants to know what is waited for: most answers take less than one.
TOLD_SECONDS = 3.0
# Stands in `accounts.trouble` meanwhile; `trouble_since` is when the request went out.
NO_ANSWER_YET = "it was asked and has not answered yet"

_UNKNOWN = "not looked at yet"


class Waits:
    """The requests of one account that are out, by the thread that waits for each."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._since: dict[int, float] = {}

    def began(self) -> None:
        """A request goes out."""
        self._since[threading.get_ident()] = self._monotonic()

    def ended(self) -> None:
        """Its answer came, or none will."""
        self._since.pop(threading.get_ident(), None)

    @property
    def seconds(self) -> float:
        """How long the one that went out first has been waited for; 0 where none is out."""
        # A thread that died over its request waits for nothing.
        alive = {thread.ident for thread in threading.enumerate()}
        out = [since for thread, since in list(self._since.items()) if thread in alive]
        return self._monotonic() - min(out) if out else 0.0


@dataclass(frozen=True, slots=True)
class WatchedTurns:
    """Turns of a budget, with an eye on what each is used for (`connectors.policy.TurnTaker`)."""

    turns: TurnTaker
    learn: Callable[[Observation], None]
    waits: Waits

    def take(self) -> int:
        """The number of the turn, once a request may be made; it goes out now."""
        turn = self.turns.take()
        self.waits.began()
        return turn

    def throttled(self, retry_after: float | None) -> None:
        """The server answered 429."""
        self.turns.throttled(retry_after)

    def observed(self, observation: Observation) -> None:
        """The request has ended."""
        self.waits.ended()
        self.learn(observation)


class Trouble:
    """Why an account cannot be read, as everybody can see it: written where it becomes something else."""

    def __init__(self, *, database: Database, account: str, waits: Waits, clock: Clock) -> None:
        self._database = database
        self._account = account
        self._waits = waits
        self._clock = clock
        self._lock = threading.Lock()
        # What the account's row says of it; before the first look, nobody knows.
        self._noted: str | None = _UNKNOWN

    def note(self, trouble: str | None) -> None:
        """What the last poll came to."""
        with self._lock:
            self._write(trouble, 0.0)

    def look(self) -> None:
        """Whether an answer is waited for; any other trouble says more, and stays."""
        seconds = self._waits.seconds
        with self._lock:
            if seconds >= TOLD_SECONDS and self._noted in {None, _UNKNOWN}:
                self._write(NO_ANSWER_YET, seconds)
            elif seconds < TOLD_SECONDS and self._noted == NO_ANSWER_YET:
                self._write(None, 0.0)

    def _write(self, trouble: str | None, seconds_ago: float) -> None:
        if trouble == self._noted:
            return
        since = self._clock.now() - timedelta(seconds=seconds_ago)
        with self._database.write() as connection:
            accounts.note_trouble(connection, self._account, trouble, since)
        self._noted = trouble
