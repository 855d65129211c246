"""Stopping in good order: whoever waits for its turn stops waiting."""

import threading


class Stopped(Exception):
    """The process ends: what was going on is to be left as it is, and is taken up by the next one."""


class Stop:
    """Whether this process is to end, and a sleep that ends with it."""

    def __init__(self) -> None:
        self._event = threading.Event()

    @property
    def requested(self) -> bool:
        """Whether the process is to end."""
        return self._event.is_set()

    def request(self) -> None:
        """Ask everything to end; harmless when called again."""
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait that long, or until the process is to end; whether it is."""
        return self._event.wait(max(0.0, seconds))

    def sleep(self, seconds: float) -> None:
        """Wait that long. Raises Stopped if the process is to end."""
        if self.wait(seconds):
            raise Stopped
