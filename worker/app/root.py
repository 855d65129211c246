"""The composition root: from settings to services. Each is made when it is first asked for, and opens no connection."""

import os
import socket
import uuid
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Self

import structlog

from settings import Settings
from worker import checkpoints, kinds, outbox, web
from worker.app.clients import Clients
from worker.app.crediting import Crediting
from worker.app.customers import Customers
from worker.app.following import Following
from worker.app.intake import Intake
from worker.app.listening import Listening
from worker.app.reading import Reading
from worker.app.responding import Answering
from worker.app.ticks import Ticks
from worker.app.writing import Writing
from worker.clock import Clock, SystemClock
from worker.db import Database
from worker.db.upgrade import require_current, upgrade
from worker.errors import NotReady
from worker.event_log import EventLog
from worker.events import OrderKey
from worker.kinds import RULES
from worker.leases import Leases
from worker.mirror import Mirror
from worker.mirror_again import MirrorAgain
from worker.pace import Pace
from worker.runtime import installation
from worker.runtime.broker import Broker, in_memory_broker, redis_broker
from worker.runtime.closing import Closing
from worker.runtime.collecting import collect_seldom
from worker.runtime.engine import Duties, Engine, Part
from worker.runtime.forgotten import Forgotten
from worker.runtime.headways import Headways
from worker.runtime.idleness import DEFAULT_PATIENCE_SECONDS, Due, due
from worker.runtime.jobs import Jobs
from worker.runtime.leadership import Leadership
from worker.runtime.nights import SPREAD
from worker.runtime.pruning import Pruning
from worker.runtime.pulse import Pulse
from worker.runtime.runner import Service
from worker.runtime.scheduler import Scheduler
from worker.runtime.set_back import SetBack
from worker.runtime.slots import PLACES
from worker.runtime.status import Status, read_status
from worker.runtime.stopping import Stop
from worker.runtime.subscriptions import subscriptions
from worker.tasks import Tasks
from worker.work import Outcome

_log = structlog.get_logger(__name__)


class App:
    """Everything one process works with. Close it at the end."""

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
            clock=self.clock,
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

    def prepare(self) -> None:
        """Migrate, or refuse a schema that is not ours; refuse a database that belongs to another registry."""
        if self.settings.migrate_at_start:
            upgrade(self.database)
        else:
            require_current(self.database)
        self.crediting.firing.account.check_bindings()
        self.customers.prepare()
        self.answering.prepare()
        collect_seldom()

    def take_over(self) -> None:
        """Take up at once what a process left that was killed; only where the lock says that there is no other."""
        if self.is_alone:
            SetBack(self.database).at_start()
            with self.database.write() as connection:
                outbox.take_over(connection)
                self.answering.take_over(connection)

    def engine(self, part: Part) -> Engine:
        """Relay and workers of this process."""
        engine = Engine(
            database=self.database,
            tasks=self.tasks,
            leases=self.leases,
            duties=self._duties(),
            part=part,
            broker=self._broker(),
            owner=self.owner,
            lease_seconds=self.settings.tasks.lease_seconds,
            clock=self.clock,
            random=self.random,
            checkpoint=self.checkpoint,
            beat=self.pulse.beat,
        )
        self._woken = engine.wake
        return engine

    def ticks(self) -> Ticks:
        """What is done again and again."""
        return Ticks(
            database=self.database,
            clock=self.clock,
            later=SPREAD * self.random.random(),
            tasks=self.tasks,
            reading=self.accounts,
            customers=self.customers,
            find_owed=self.answering.find_owed,
            overdue=self.crediting.firing.overdue,
            forgotten=Forgotten(database=self.database, tasks=self.tasks),
            pruning=Pruning(database=self.database, retention_days=self.settings.retention.days),
            poll_seconds={account.name: account.poll_seconds for account in self.settings.accounts}.__getitem__,
            has_registry=self.settings.isometric.has_credentials,
            wake=self.wake,
        )

    def scheduler(self) -> Scheduler:
        """What does it, in this process."""
        return Scheduler(
            ticks=self.ticks().table(),
            leadership=Leadership(leases=self.leases, name="scheduler", clock=self.clock),
            set_back=SetBack(self.database).by,
            clock=self.clock,
            beat=self.pulse.beat,
        )

    def wake(self) -> None:
        """There may be work for the relay of this process, if it has one."""
        self._woken()

    def serve_web(self) -> web.Served:
        """Health, readiness and metrics. Raises NotReady where the address cannot be listened on."""
        token = self.settings.web.token
        application = web.create(
            database=self.database,
            pulse=self.pulse,
            token=None if token is None else token.get_secret_value(),
            calls=self.listening.calls,
        )
        return web.serve(application, self.settings.web.host, self.settings.web.port)

    def status(self) -> Status:
        """How everything stands."""
        return read_status(self.database, mirroring=self.mirrors)

    def due(self, patience_seconds: float = DEFAULT_PATIENCE_SECONDS) -> Due:
        """What is due within the patience."""
        with self.database.read() as connection:
            return due(connection, self.database.now(connection), patience_seconds, mirroring=self.mirrors)

    def close(self) -> None:
        """Give back every connection."""
        self.stop.request()
        if "clients" in self.__dict__:
            self.clients.close()
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _duties(self) -> Duties:
        return Duties(
            services={
                kinds.COMPLETION: _about_its_order(self.following.completion.look),
                kinds.FIRING: _about_its_order(self.crediting.firing.service.advance),
                kinds.RESPOND: lambda claim, _closing: self.answering.advance(claim),
                **self.jobs.services(),
            },
            look_at_order=self.following.completion.look,
            look_at_firing=self.crediting.firing.service.advance,
            mirror=self.mirror,
        )

    def _broker(self) -> Broker:
        if self.settings.redis_url is None:
            return in_memory_broker()
        namespace = f"waybill-{installation.name_of(self.database, identity)}"
        return redis_broker(self.settings.redis_url.get_secret_value(), namespace=namespace)


def identity() -> str:
    """A name that nobody had before."""
    return uuid.uuid4().hex


def open_database(settings: Settings, clock: Clock) -> Database:
    """The database of the settings, its folder made where it is a file. Raises NotReady where that cannot be."""
    if not settings.uses_postgresql:
        _make_folder(Path(settings.database_url.removeprefix("sqlite:///")).parent)
    return Database(settings.database_url, clock)


def _make_folder(folder: Path) -> None:
    try:
        # The state holds what the warehouse tells of its customers: nobody else's business.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        sentence = f"The folder {folder} of the database cannot be made: {os.strerror(error.errno or 0)}."
        raise NotReady(sentence) from error


def _about_its_order(look: Callable[[OrderKey, Closing], Outcome]) -> Service:
    return lambda claim, closing: look(OrderKey.parse(claim.subject), closing)


def _nobody_to_wake() -> None:
    """Before there is a relay."""
