"""Named points at dangerous moments, where a test may kill the process, raise, or hold it. No-ops in production.

The names are constants used in exactly one place each. `WAYBILL_TEST_KILL_AT=name[#n]` kills this process with SIGKILL
when the point is passed for the n-th time: real crash tests need a real process that dies at an exact place.
"""

import os
import signal
from collections.abc import Callable, Mapping

Checkpoint = Callable[[str], None]

KILL_AT = "WAYBILL_TEST_KILL_AT"


def nothing(name: str) -> None:
    """The checkpoint of production: passes."""
    del name


class KillAt:
    """Kills this process at the n-th passing of a named point."""

    def __init__(self, name: str, nth: int = 1) -> None:
        self._name = name
        self._left = nth

    def __call__(self, name: str) -> None:
        """Pass the point `name`; does not return if it is the one."""
        if name != self._name:
            return
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def from_environment(environ: Mapping[str, str]) -> Checkpoint:
    """The checkpoint that the environment asks for."""
    wanted = environ.get(KILL_AT)
    if not wanted:
        return nothing
    name, _, nth = wanted.partition("#")
    return KillAt(name, int(nth) if nth else 1)
