"""A process that mirrors what waits in a database and ends once nothing does; killed where the environment says."""

import os
import sys

from tests.runtime_kit import Bench, eventually
from worker import checkpoints, outbox
from worker.clock import SystemClock
from worker.db import Database
from worker.kinds import MIRROR, RULES

# Seconds between tries: a receiver that fails is asked again at once.
_AT_ONCE = (0.05,) * (RULES[MIRROR].max_attempts - 1)


def main(database_url: str, receiver_url: str) -> int:
    """Mirror everything; 0 once it is done."""
    database = Database(database_url, SystemClock())
    bench = Bench(database)
    checkpoint = checkpoints.from_environment(os.environ)
    with database.write() as connection:
        outbox.take_over(connection)
    mirror = bench.mirror(receiver_url, checkpoint=checkpoint, schedule=_AT_ONCE)
    with bench.engine(mirror=mirror, checkpoint=checkpoint):
        done = eventually(lambda: set(bench.states(MIRROR)) == {"done"})
    bench.close()
    database.close()
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
