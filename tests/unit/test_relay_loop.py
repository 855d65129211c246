"""The relay's loop goes on whatever fails, and is quick while there is work."""

import structlog

from tests.runtime_kit import eventually
from worker.errors import DatabaseUnavailable
from worker.runtime.broker import BrokerUnavailable
from worker.runtime.relay import RelayLoop


class Relay:
    """Fails as often as a test wants, then finds nothing."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.runs = 0

    def run_once(self) -> int:
        """One look."""
        self.runs += 1
        if self.failures:
            raise self.failures.pop(0)
        return 0


def _runs(relay: Relay, *, wakes: int) -> tuple[list[str], list[str]]:
    """Let the loop run until the relay was asked once more than it was woken; beats and lines of the log."""
    beats: list[str] = []
    with structlog.testing.capture_logs() as lines:
        loop = RelayLoop(relay, beat=beats.append)  # type: ignore[arg-type]
        loop.start()
        for wake in range(wakes):
            assert eventually(lambda seen=wake: relay.runs > seen)  # type: ignore[misc]
            loop.wake()
        assert eventually(lambda: relay.runs > wakes)
        loop.stop()
    return beats, [str(line["event"]) for line in lines]


def test_a_relay_that_fails_is_asked_again() -> None:
    """The database, the queue, or a mistake of ours: without the relay nothing gets on."""
    relay = Relay(DatabaseUnavailable("db", "gone"), BrokerUnavailable("gone"), ZeroDivisionError())
    beats, said = _runs(relay, wakes=3)

    assert beats
    assert said == [
        "relay waits for the database",
        "relay waits for the queue",
        "relay failed unexpectedly",
    ]


def test_an_idle_relay_looks_again_by_itself() -> None:
    """Nobody has to wake it."""
    relay = Relay()
    loop = RelayLoop(relay, beat=lambda _name: None)  # type: ignore[arg-type]
    loop.start()
    again = eventually(lambda: relay.runs >= 3)
    loop.stop()

    assert again
