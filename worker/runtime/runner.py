"""Runs services for tasks: claim, call one service, settle what came of it.

The attempt is counted at the claim. What a service raises ends here: a task is postponed or becomes a dead letter, and
the next one goes on. A claim that was lost is dropped: whoever has it now does the work.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from random import Random

import sqlalchemy as sa
import structlog

from connectors.errors import ConnectorError, Transient
from worker.checkpoints import Checkpoint
from worker.db import Database
from worker.errors import DatabaseUnavailable, LostClaim, WaybillError
from worker.runtime.backoff import wait_after
from worker.runtime.closing import Closing
from worker.runtime.renewal import Renewal
from worker.runtime.stopping import Stopped
from worker.tasks import Claim, KindRule, Tasks
from worker.work import After, Done, GiveUp, Later, Outcome

_log = structlog.get_logger(__name__)

Service = Callable[[Claim, Closing], Outcome]
SETTLING = "actor: settling"
SETTLED = "actor: settled"


class Runner:
    """Takes ids out of a message and does what the tasks ask for."""

    def __init__(
        self,
        *,
        database: Database,
        tasks: Tasks,
        rules: Mapping[str, KindRule],
        services: Mapping[str, Service],
        renewal: Renewal,
        owner: str,
        lease_seconds: float,
        random: Random,
        is_stopping: Callable[[], bool],
        checkpoint: Checkpoint,
        tells_given_up: bool = True,
    ) -> None:
        """Not `tells_given_up`: somebody waits for the task and tells its end in a sentence of their own."""
        self._database = database
        self._tasks = tasks
        self._rules = rules
        self._services = services
        self._renewal = renewal
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._random = random
        self._is_stopping = is_stopping
        self._checkpoint = checkpoint
        self._tells_given_up = tells_given_up

    def run(self, ids: Sequence[str]) -> None:
        """Do these tasks one after the other; those already claimed or closed by others are passed over."""
        for identity in ids:
            # What is left when the process stops is sent again by the relay.
            for claim in self.claim([identity]):
                self._work(claim)

    def claim(self, ids: Sequence[str]) -> list[Claim]:
        """Claim those of these tasks that wait; none in a process that is stopping. Raises DatabaseUnavailable."""
        if self._is_stopping():
            return []
        with self._database.write() as connection:
            now = self._database.now(connection)
            claims = self._tasks.claim(connection, ids, owner=self._owner, now=now, lease_seconds=self._lease_seconds)
        if claims:
            self._checkpoint("actor: claimed")
        return claims

    def _work(self, claim: Claim) -> None:
        context = _log_context(task=claim.ids[0], kind=claim.kind, subject=claim.subject, attempt=claim.attempts)
        with self._renewal.holding(claim.token), context:
            closing = Closing(database=self._database, tasks=self._tasks, claim=claim)
            outcome = self.outcome(claim, lambda: self._services[claim.kind](claim, closing))
            if outcome is not None and not closing.called:
                self.settle([(claim, outcome)])

    def outcome(self, claim: Claim, work: Callable[[], Outcome]) -> Outcome | None:
        """What came of it, whatever it raised; None where the claim was lost and nothing is left to say."""
        try:
            return work()
        except LostClaim:
            _log.info("claim lost")
            return None
        except Stopped:
            return Later(until=self._now(), reason="the process ended", counted=False)
        except (ConnectorError, DatabaseUnavailable) as error:
            _log.warning("task failed", error=error.sentence)
            return self._again(claim, error.sentence, _wish(error))
        except WaybillError as error:
            return GiveUp(error.sentence)
        # One bad task stops nobody: whatever it was is logged, counted and tried again.
        except Exception as error:  # noqa: BLE001 - the loop goes on
            _log.exception("task failed unexpectedly")
            return self._again(claim, f"{type(error).__name__}: {error}", None)

    def _again(self, claim: Claim, reason: str, wish: float | None) -> Later:
        wait = wait_after(claim.attempts, self._random)
        return Later(until=self._now() + timedelta(seconds=wait if wish is None else max(wait, wish)), reason=reason)

    def _now(self) -> datetime:
        with self._database.read() as connection:
            return self._database.now(connection)

    def settle(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> None:
        """Close, put off or give up each of these, in one transaction; a lost claim undoes nothing about the others.

        Raises DatabaseUnavailable.
        """
        try:
            with self._database.write() as connection:
                for claim, outcome in outcomes:
                    self._settle(connection, claim, outcome)
                self._checkpoint(SETTLING)
        except LostClaim:
            self._settle_each(outcomes)
        self._checkpoint(SETTLED)

    def _settle_each(self, outcomes: Sequence[tuple[Claim, Outcome]]) -> None:
        for claim, outcome in outcomes:
            try:
                with self._database.write() as connection:
                    self._settle(connection, claim, outcome)
            except LostClaim:
                _log.info("claim lost", task=claim.ids[0])

    def _settle(self, connection: sa.Connection, claim: Claim, outcome: Outcome) -> None:
        now = self._database.now(connection)
        if isinstance(outcome, Done):
            self._tasks.close(connection, claim, now)
        elif isinstance(outcome, GiveUp) or self._is_last(claim, outcome):
            self._discard(connection, claim, outcome.reason)
        else:
            until = now + timedelta(seconds=outcome.seconds) if isinstance(outcome, After) else outcome.until
            self._tasks.postpone(connection, claim, until, outcome.reason, counted=outcome.counted)

    def _is_last(self, claim: Claim, outcome: Later | After) -> bool:
        return outcome.counted and claim.attempts >= self._rules[claim.kind].max_attempts

    def _discard(self, connection: sa.Connection, claim: Claim, reason: str) -> None:
        if self._tells_given_up:
            _log.error("task given up", task=claim.ids[0], kind=claim.kind, subject=claim.subject, error=reason)
        self._tasks.discard(connection, claim, self._database.now(connection), reason)


def _wish(error: ConnectorError | DatabaseUnavailable) -> float | None:
    return error.retry_after if isinstance(error, Transient) else None


@contextmanager
def _log_context(**fields: object) -> Iterator[None]:
    structlog.contextvars.bind_contextvars(**fields)
    try:
        yield
    finally:
        structlog.contextvars.unbind_contextvars(*fields)
