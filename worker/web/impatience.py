"""A connection of uvicorn that waits for nobody: whoever dawdles, and whoever is one too many, is cut off.

uvicorn itself bounds only the idle time between two requests; a caller who sends a byte now and then would hold a
connection for ever, and some hundreds of them every file of this process.
"""

import asyncio
import logging
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from worker.web.bounds import CALL_SECONDS, MOST_CONNECTIONS

# Whoever speaks no HTTP would else write a line each time.
_QUIET = logging.getLogger("uvicorn.error.listener")
_QUIET.setLevel(logging.ERROR)


class Impatient(H11Protocol):
    """One connection; `seconds` and `most` are its bounds."""

    seconds = CALL_SECONDS
    most = MOST_CONNECTIONS

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - as in the class it stands on
        super().__init__(*arguments, **named)
        self.logger = _QUIET
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, if there are not too many."""
        super().connection_made(transport)
        self._arm()
        if len(self.connections) > self.most:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._disarm()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """The next call gets its own time once all of this one was received."""
        if not self.cycle.more_body:
            self._arm()
        super().on_response_complete()

    def _arm(self) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(self.seconds, self.transport.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
