"""How long to wait before a task is tried again."""

from random import Random

# Seconds after the first, second, … failure: a glitch is over in a second, an outage is asked after every hour.
WAITS = (1.0, 5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0)
# Waits are stretched by up to a fifth, so that what failed together does not come back together.
_JITTER = 0.2


def wait_after(attempts: int, random: Random) -> float:
    """Seconds until the next try after this many tries (from 1) failed."""
    return WAITS[min(attempts, len(WAITS)) - 1] * (1 + random.uniform(0, _JITTER))
