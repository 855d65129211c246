"""The composition root: the services of one process, and what it does with them."""

from collections.abc import Callable
from typing import Self

from worker import kinds, outbox, web
from worker.app.opening import identity
from worker.app.services import Services
from worker.app.ticks import Ticks
from worker.db.upgrade import require_current, upgrade
from worker.events import OrderKey
from worker.runtime import installation
from worker.runtime.broker import Broker, in_memory_broker, redis_broker
from worker.runtime.closing import Closing
from worker.runtime.collecting import collect_seldom
from worker.runtime.engine import Duties, Engine, Part
from worker.runtime.forgotten import Forgotten
from worker.runtime.idleness import DEFAULT_PATIENCE_SECONDS, Due, due
from worker.runtime.leadership import Leadership
from worker.runtime.nights import SPREAD
from worker.runtime.pruning import Pruning
from worker.runtime.runner import Service
from worker.runtime.scheduler import Scheduler
from worker.runtime.set_back import SetBack
from worker.runtime.status import Status, read_status
from worker.work import Outcome


class App(Services):
    """Everything of one process. Close it at the end."""

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

    def serve_web(self) -> web.Served:
        """Health, readiness and metrics. Raises NotReady where the address cannot be listened on."""
        token = self.settings.web.token
        application = web.create(
            database=self.database,
            pulse=self.pulse,
            token=None if token is None else token.get_secret_value(),
            accounts=[account.name for account in self.settings.accounts if account.api_key is not None],
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


def _about_its_order(look: Callable[[OrderKey, Closing], Outcome]) -> Service:
    return lambda claim, closing: look(OrderKey.parse(claim.subject), closing)
