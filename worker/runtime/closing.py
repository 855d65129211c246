"""Closing a task: what a service calls, once, in the transaction that did the work."""

from collections.abc import Mapping

import sqlalchemy as sa

from worker.db import Database
from worker.tasks import Claim, Tasks


class Closing:
    """Closes the tasks of one claim with the token they were claimed with; a `worker.work.Close`."""

    def __init__(self, *, database: Database, tasks: Tasks, claim: Claim) -> None:
        self._database = database
        self._tasks = tasks
        self._claim = claim
        self.called = False

    def __call__(self, connection: sa.Connection, result: Mapping[str, object] | None = None) -> None:
        """Close now. Raises LostClaim if somebody else has the task: the caller's transaction must not commit."""
        self._tasks.close(connection, self._claim, self._database.now(connection), result)
        self.called = True


def nothing_to_close(connection: sa.Connection) -> None:
    """The `Close` of a row that is looked at without a task."""
    del connection
