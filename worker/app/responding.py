"""Responses to customer orders: from the settings to the service that says them."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from settings import Settings
from worker.app.customers import Customers
from worker.app.following import Following
from worker.budget import Lane
from worker.checkpoints import Checkpoint
from worker.customers.linking import LinkBy
from worker.db import Database
from worker.reading.recorder import Tally
from worker.responding import reply_rows
from worker.responding.owed import Owed
from worker.responding.service import Responding
from worker.responding.subjects import Subjects, subjects_of
from worker.responding.terms import Terms
from worker.tasks import Claim, Tasks
from worker.work import GiveUp, Outcome


class Answering:
    """What is said to customers in one process; nothing where barmate is not used."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        tasks: Tasks,
        customers: Callable[[], Customers],
        following: Callable[[], Following],
        owner: str,
        checkpoint: Checkpoint,
        wake: Callable[[], None],
    ) -> None:
        """`customers` and `following` are asked for when they are needed: the event log listens to us first."""
        self._settings = settings
        self._database = database
        self._tasks = tasks
        self._customers = customers
        self._following = following
        self._owner = owner
        self._checkpoint = checkpoint
        self._wake = wake

    @cached_property
    def terms(self) -> Terms | None:
        """What the settings say; None where barmate is not used."""
        barmate = self._settings.barmate
        if not barmate.in_use or barmate.host is None:
            return None
        return Terms(
            host=barmate.host,
            link_by=LinkBy(barmate.link_by.value),
            respond=barmate.respond,
            respond_reject=barmate.respond_reject,
            quiet=timedelta(seconds=barmate.quiet_seconds),
            settle=timedelta(seconds=barmate.settle_seconds),
            resend_after_absence=barmate.resend_after_absence,
            zone=None if barmate.time_zone is None else ZoneInfo(barmate.time_zone),
            accounts=tuple(account.name for account in self._settings.accounts if account.api_key is not None),
        )

    @property
    def subjects(self) -> Subjects | None:
        """Which customer orders an event is about; None where customers are told nothing."""
        return subjects_of(self.terms.link_by) if self.terms is not None and self.terms.any else None

    @cached_property
    def _service(self) -> Responding | None:
        connector = None if self.terms is None else self._customers().connector(Lane.FIRING)
        if self.terms is None or connector is None:
            return None
        return Responding(
            database=self._database,
            terms=self.terms,
            responses=connector,
            read_order=self._customers().read,
            read_deliveries=self._read_deliveries,
            owner=self._owner,
            checkpoint=self._checkpoint,
        )

    def prepare(self) -> None:
        """Made before there are threads that could each make their own."""
        _ = self._service

    def take_over(self, connection: sa.Connection) -> None:
        """Look up at once what a process left that was killed; only where there is no other."""
        if self.terms is not None:
            reply_rows.take_over(connection, self.terms.settle, self._database.now(connection))

    def advance(self, claim: Claim) -> Outcome:
        """Say what is to be said about the customer order that the task names."""
        if self._service is None:
            return GiveUp("barmate is not in the settings any more.")
        return self._service.advance(claim.subject)

    def find_owed(self) -> None:
        """The schedule's look for what no task speaks of."""
        if self.terms is not None and Owed(database=self._database, tasks=self._tasks, terms=self.terms).run():
            self._wake()

    def _read_deliveries(self, account: str, ids: Sequence[int]) -> None:
        following = self._following()
        following.recorder.confirm(following.sources[account], ids, proof={"kind": "response"}, tally=Tally())
