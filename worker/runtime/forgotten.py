"""Orders that a lost or discarded task would have forgotten: found as rows, and given a task again (DESIGN §2.3).

Orders and firings that wait for a time have it in their row (`rescan`). This finds those that wait for nothing: an
order that deliveries speak of and nobody has decided about, and a complete one without a firing.
"""

import structlog

from worker import kinds
from worker.db import Database
from worker.events import OrderKey
from worker.orders.order_rows import complete_without_firing, never_looked_at
from worker.tasks import NewTask, Tasks

_log = structlog.get_logger(__name__)

# Orders of each sort taken up at once: the rest at the next look, so that no transaction is long.
_AT_ONCE = 500


class Forgotten:
    """Looks for them; writes nothing where there are none."""

    def __init__(self, *, database: Database, tasks: Tasks) -> None:
        self._database = database
        self._tasks = tasks

    def run(self) -> int:
        """Give a task to each of them that has none waiting; how many were found."""
        with self._database.read() as connection:
            undecided = never_looked_at(connection, _AT_ONCE)
            unfired = complete_without_firing(connection, _AT_ONCE)
        found = [(kinds.COMPLETION, key) for key in undecided] + [(kinds.FIRING, key) for key in unfired]
        if not found:
            return 0
        with self._database.write() as connection:
            now = self._database.now(connection)
            for kind, key in found:
                self._tasks.add_job(connection, NewTask(kind=kind, subject=key.text), now)
        _log.info("orders taken up that no task spoke of", undecided=_names(undecided), unfired=_names(unfired))
        return len(found)


def _names(keys: list[OrderKey]) -> list[str]:
    return [key.text for key in keys[:10]]
