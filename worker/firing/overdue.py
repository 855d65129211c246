"""Overdue: a firing whose deadline passed without an answer is ambiguous, whoever was at it. Run continuously."""

from worker.db import Database
from worker.firing.evidence import last_attempt
from worker.firing.rows import FiringRow, FiringRows, Overtaken
from worker.states import FiringState

_REASON = "no answer came by the deadline"


class Overdue:
    """Finds requests that nobody answers for any more."""

    def __init__(self, *, database: Database, rows: FiringRows, owner: str) -> None:
        self._database = database
        self._rows = rows
        self._owner = owner

    def run_once(self) -> int:
        """Make what is overdue ambiguous, to be looked at now; returns how many. Writes nothing when there is none."""
        with self._database.read() as connection:
            sending = self._rows.in_states(connection, frozenset({FiringState.SENDING}))
        return sum(self.take_over(firing) is not None for firing in sending)

    def take_over(self, firing: FiringRow) -> FiringRow | None:
        """The firing, ambiguous now, if its deadline has passed; None otherwise."""
        with self._database.write() as connection:
            now = self._database.now(connection)
            attempt = last_attempt(connection, firing.id)
            if attempt is not None and attempt.deadline > now:
                return None
            values = {"look_at": now}
            try:
                return self._rows.move(
                    connection, firing, FiringState.AMBIGUOUS, reason=_REASON, by=self._owner, values=values
                )
            except Overtaken:
                # Its answer came in this very moment.
                return None
