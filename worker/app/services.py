"""From settings to services: who is given what."""

import os
import socket
from collections.abc import Callable, Mapping
from functools import cached_property
from random import Random

from settings import Settings
from worker import checkpoints
from worker.app.clients import Clients
from worker.app.crediting import Crediting
from worker.app.customers import Customers
from worker.app.following import Following
from worker.app.intake import Intake
from worker.app.listening import Listening
from worker.app.opening import identity, open_database
from worker.app.reading import Reading
from worker.app.responding import Answering
from worker.app.writing import Writing
from worker.clock import Clock, SystemClock
from worker.db import Database
from worker.event_log import EventLog
from worker.kinds import RULES
from worker.leases import Leases
from worker.mirror import Mirror
from worker.mirror_again import MirrorAgain
from worker.pace import Pace
from worker.runtime.headways import Headways
from worker.runtime.jobs import Jobs
from worker.runtime.pulse import Pulse
from worker.runtime.slots import PLACES
from worker.runtime.stopping import Stop
from worker.runtime.subscriptions import subscriptions
from worker.tasks import Tasks


class Services:
    """What one process works with. Each is made when it is first asked for, and opens no connection."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database | None = None,
        clock: Clock | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.settings = settings
        self.clock: Clock = SystemClock() if clock is None else clock
        self.database = open_database(settings, self.clock) if database is None else database
        self.checkpoint = checkpoints.from_environment(environ)
        self.stop = Stop()
        self.pulse = Pulse(self.clock)
        # Jitter needs no secrecy, and every process wants its own.
        self.random = Random()  # noqa: S311
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{identity()[:8]}"
        self._woken: Callable[[], None] = _nobody_to_wake

    @property
    def shares_queue(self) -> bool:
        """Whether other processes may work on the same database: only through PostgreSQL and Redis."""
        return self.settings.redis_url is not None

    @property
    def is_alone(self) -> bool:
        """Whether the lock on the state directory keeps every other process away: PostgreSQL has other machines."""
        return not self.settings.uses_postgresql

    @property
    def mirrors(self) -> bool:
        """Whether events are posted to a webhook."""
        return self.settings.webhook.url is not None

    @cached_property
    def tasks(self) -> Tasks:
        """The rows of tasks."""
        return Tasks(rules=RULES, identity=identity)

    @cached_property
    def event_log(self) -> EventLog:
        """The log, with everybody who listens to it."""
        answered = self.answering.subjects
        return EventLog(tasks=self.tasks, subscriptions=subscriptions(webhook=self.mirrors, answered=answered))

    @cached_property
    def leases(self) -> Leases:
        """Leases of this process. Where it is alone by a lock, the next one is the same holder and need not wait."""
        return Leases(self.database, holder="the only process" if self.is_alone else self.owner)

    @cached_property
    def clients(self) -> Clients:
        """The systems outside."""
        return Clients(
            database=self.database,
            clock=self.clock,
            random=self.random,
            sleep=self.stop.sleep,
            steady_sleep=self.clock.sleep,
        )

    @cached_property
    def customers(self) -> Customers:
        """Customer orders, where barmate is used."""
        return Customers(
            settings=self.settings.barmate,
            clients=self.clients,
            database=self.database,
            event_log=self.event_log,
            clock=self.clock,
            checkpoint=self.checkpoint,
            stop=self.stop,
            wake=self.wake,
        )

    @cached_property
    def following(self) -> Following:
        """Reading the accounts, and deciding about orders."""
        return Following(
            settings=self.settings,
            clients=self.clients,
            customers=self.customers,
            database=self.database,
            event_log=self.event_log,
            # What it tells becomes due by the database's time.
            clock=self.database.clock(),
            checkpoint=self.checkpoint,
            stop=self.stop,
        )

    @cached_property
    def answering(self) -> Answering:
        """Responses to customer orders, where barmate is used."""
        return Answering(
            settings=self.settings,
            database=self.database,
            tasks=self.tasks,
            customers=lambda: self.customers,
            following=lambda: self.following,
            owner=self.owner,
            checkpoint=self.checkpoint,
            wake=self.wake,
        )

    @cached_property
    def accounts(self) -> Reading:
        """The accounts that can be read."""
        return self.following.reading(
            leases=Leases(self.database, holder=self.owner) if self.shares_queue else None,
            wake=self.wake,
        )

    @cached_property
    def listening(self) -> Listening:
        """The listener for barmate's webhooks."""
        return Listening(
            settings=self.settings.barmate, database=self.database, clock=self.clock, checkpoint=self.checkpoint
        )

    @cached_property
    def intake(self) -> Intake:
        """Everything that is read."""
        return Intake(accounts=self.accounts, customers=self.customers)

    @cached_property
    def crediting(self) -> Crediting:
        """Firings and the registry."""
        return Crediting(
            settings=self.settings,
            clients=self.clients,
            database=self.database,
            event_log=self.event_log,
            clock=self.clock,
            checkpoint=self.checkpoint,
            owner=self.owner,
            identity=identity,
            completion=self.following.completion,
        )

    @cached_property
    def mirror(self) -> Mirror | None:
        """The mirror; None where no webhook is configured."""
        target = self.clients.webhook(self.settings.webhook)
        if target is None:
            return None
        return Mirror(
            database=self.database,
            target=target,
            pace=Pace(most=PLACES.quick, monotonic=self.clock.monotonic),
            clock=self.clock,
            random=self.random,
            checkpoint=self.checkpoint,
        )

    @cached_property
    def writing(self) -> Writing:
        """Writing at the accounts."""
        return Writing(
            settings=self.settings,
            clients=self.clients,
            database=self.database,
            following=self.following,
            tasks=self.tasks,
            identity=identity,
            checkpoint=self.checkpoint,
        )

    @cached_property
    def jobs(self) -> Jobs:
        """Jobs by hand."""
        again = MirrorAgain(database=self.database, tasks=self.tasks)
        return Jobs(
            database=self.database,
            accounts=self.intake,
            headways=Headways(
                database=self.database, tasks=self.tasks, clock=self.clock, is_stopping=lambda: self.stop.requested
            ),
            reconcile=self.crediting.reconcile,
            mirror_one=again.one,
            mirror_between=again.between,
            look_at_order=self.following.completion.look,
            look_at_firing=self.crediting.firing.service.advance,
            write=self.writing.advance,
        )

    def look_at_waits(self) -> None:
        """Let everybody see which accounts have not answered this process yet, if it asks any."""
        if "accounts" in self.__dict__:
            self.accounts.look_at_waits()

    def wake(self) -> None:
        """There may be work for the relay of this process, if it has one."""
        self._woken()


def _nobody_to_wake() -> None:
    """Before there is a relay."""
