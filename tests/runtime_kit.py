"""A bench for the runtime: a database with its log and tasks, a receiver, and an engine around them."""

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import dramatiq
import sqlalchemy as sa

from connectors.client import HttpClient
from connectors.policy import Unmetered
from connectors.simulated.clock import SystemClock as ReceiverClock
from connectors.simulated.receiver import Receiver
from connectors.simulated.receiver_server import ReceiverServer
from connectors.simulated.switches import Panel, ReceiverSwitches
from connectors.webhook import WebhookTarget
from tests.databases import migrated
from worker.checkpoints import Checkpoint, nothing
from worker.clock import Clock, SystemClock
from worker.db import Database
from worker.db.tables import tasks as task_rows
from worker.event_log import EventLog
from worker.events import Event, EventDraft, EventType, OrderKey, account_source, delivery_subject
from worker.kinds import COMPLETION, FIRING, MIRROR_SCHEDULE, RULES
from worker.leases import Leases
from worker.mirror import Mirror
from worker.pace import Pace
from worker.runtime.broker import in_memory_broker
from worker.runtime.closing import Closing
from worker.runtime.couriers import Couriers
from worker.runtime.engine import Duties, Engine, Part
from worker.runtime.renewal import Renewal
from worker.runtime.runner import Runner, Service
from worker.runtime.slots import PLACES, Places
from worker.runtime.subscriptions import subscriptions
from worker.tasks import Claim, Tasks
from worker.work import Close, Done, Outcome

ACCOUNT = "acme.example"
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
# Seconds after which whatever a test waits for is not coming.
DEADLINE = 30.0


class Bench:
    """Tasks and log of one database; ids are countable."""

    def __init__(self, database: Database, *, webhook: bool = True) -> None:
        numbers = itertools.count(1)
        self.database = database
        self._clients: list[HttpClient] = []
        self.identity: Callable[[], str] = lambda: f"id{next(numbers)}"
        self.tasks = Tasks(rules=RULES, identity=self.identity)
        self.log = EventLog(tasks=self.tasks, subscriptions=subscriptions(webhook=webhook))

    def changes(self, count: int, *, deliveries: int | None = None, orders: bool = True) -> list[Event]:
        """Append that many events about that many deliveries (default: one each), each of its own order."""
        many = count if deliveries is None else deliveries
        drafts = [_draft(number % many, number, orders=orders) for number in range(count)]
        with self.database.write() as connection:
            return self.log.append(connection, drafts, self.database.now(connection))

    def states(self, kind: str | None = None) -> dict[str, int]:
        """How many tasks (of a kind) are in each state."""
        statement = sa.select(task_rows.c.state, sa.func.count()).group_by(task_rows.c.state)
        if kind is not None:
            statement = statement.where(task_rows.c.kind == kind)
        with self.database.read() as connection:
            return {str(state): int(count) for state, count in connection.execute(statement)}

    def task(self, identity: str) -> sa.Row[tuple[object, ...]]:
        """One task's row."""
        with self.database.read() as connection:
            return connection.execute(sa.select(task_rows).where(task_rows.c.id == identity)).one()

    def ids(self, kind: str) -> list[str]:
        """Ids of all tasks of a kind, in their order."""
        statement = sa.select(task_rows.c.id).where(task_rows.c.kind == kind).order_by(task_rows.c.number)
        with self.database.read() as connection:
            return list(connection.execute(statement).scalars())

    def runner(
        self,
        services: dict[str, Service],
        *,
        checkpoint: Checkpoint = nothing,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> Runner:
        """A runner without threads."""
        return Runner(
            database=self.database,
            tasks=self.tasks,
            rules=RULES,
            services=services,
            renewal=Renewal(database=self.database, tasks=self.tasks, lease_seconds=30),
            owner="w1",
            lease_seconds=30,
            random=Random(1),  # noqa: S311 - jitter
            is_stopping=is_stopping,
            checkpoint=checkpoint,
        )

    def closing(self, seen: list[str]) -> Service:
        """A service that remembers the subject and closes its task."""

        def serve(claim: Claim, closing: Closing) -> Outcome:
            with self.database.write() as connection:
                closing(connection)
            seen.append(claim.subject)
            return Done()

        return serve

    @contextmanager
    def engine(
        self,
        *,
        services: dict[str, Service] | None = None,
        look_at_order: Callable[[OrderKey, Close], Outcome] | None = None,
        mirror: Mirror | None = None,
        broker: dramatiq.Broker | None = None,
        part: Part | None = None,
        lease_seconds: float = 30,
        holder: str = "w1",
        checkpoint: Checkpoint = nothing,
    ) -> Iterator[Engine]:
        """A running engine; everything that is not given does nothing."""
        idle = self.closing([])
        engine = Engine(
            database=self.database,
            tasks=self.tasks,
            leases=Leases(self.database, holder=holder),
            duties=Duties(
                services={COMPLETION: idle, FIRING: idle, **(services or {})},
                look_at_order=look_at_order or _look,
                look_at_firing=_look,
                mirror=mirror,
            ),
            part=part or Part(threads=4, relays=True, shared=False),
            broker=in_memory_broker() if broker is None else broker,
            owner=holder,
            lease_seconds=lease_seconds,
            clock=SystemClock(),
            random=Random(1),  # noqa: S311 - jitter
            checkpoint=checkpoint,
            beat=_no_pulse,
        )
        engine.start()
        try:
            yield engine
        finally:
            engine.stop(5)

    def mirror(
        self,
        url: str,
        *,
        clock: Clock | None = None,
        checkpoint: Checkpoint = nothing,
        seconds: float = 2.0,
        secrets: Sequence[str] = (SECRET,),
        schedule: Sequence[float] = MIRROR_SCHEDULE,
    ) -> Mirror:
        """A mirror to a receiver."""
        client = HttpClient(system="webhook", base_url=url, headers={}, turns=Unmetered(), random=random.Random(1))  # noqa: S311 - jitter
        self._clients.append(client)
        chosen = SystemClock() if clock is None else clock
        return Mirror(
            database=self.database,
            target=WebhookTarget(client, secrets=secrets, seconds=seconds),
            pace=Pace(most=PLACES.quick, monotonic=chosen.monotonic),
            clock=chosen,
            random=Random(1),  # noqa: S311 - jitter
            checkpoint=checkpoint,
            schedule=schedule,
        )

    @contextmanager
    def couriers(
        self, mirror: Mirror, *, checkpoint: Checkpoint = nothing, places: Places = PLACES
    ) -> Iterator[Couriers]:
        """Couriers at work, without a relay."""
        renewal = Renewal(database=self.database, tasks=self.tasks, lease_seconds=30)
        couriers = Couriers(
            runner=self.runner({}, checkpoint=checkpoint),
            mirror=mirror,
            renewal=renewal,
            clock=SystemClock(),
            then=_nobody,
            places=places,
        )
        couriers.start()
        try:
            yield couriers
        finally:
            couriers.stop(DEADLINE)

    def close(self) -> None:
        """Close what it opened."""
        for client in self._clients:
            client.close()


@dataclass(frozen=True, slots=True)
class Listening:
    """A receiver and where it listens."""

    state: Receiver
    url: str
    server: ReceiverServer

    def meets_faults(self, subject: str) -> bool:
        """Whether its faults are for this subject."""
        return self.server.meets_faults(subject)

    def stop(self) -> None:
        """End whatever hangs."""
        self.server.stop()

    @property
    def taken(self) -> list[tuple[str, int]]:
        """Subject and sequence of each message that was taken, in the order of arrival."""
        subjects = self.state.truth()["subjects"]
        return [(subject, message["sequence"]) for subject, messages in subjects.items() for message in messages]

    @property
    def valid(self) -> bool:
        """Whether every message was signed well."""
        return not self.state.truth()["invalid"]


@contextmanager
def bench_at(url: str) -> Iterator[Bench]:
    """A bench on the database at `url`, by the machine's own time."""
    with migrated(url) as database, closing(Bench(database)) as bench:
        yield bench


@contextmanager
def receiver(**switches: float) -> Iterator[Listening]:
    """A receiver that listens, with these faults."""
    state = Receiver(secret=SECRET, clock=ReceiverClock(), panel=Panel(ReceiverSwitches()))
    state.panel.change(dict(switches))
    with ReceiverServer(state, chance=random.Random(1)) as server:  # noqa: S311 - faults by seed
        yield Listening(state, server.url, server)


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it comes true before the deadline; looked at again and again."""
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return False


def key_of(number: int) -> OrderKey:
    """The order of a delivery."""
    return OrderKey(ACCOUNT, 7, f"PO {number}")


def _draft(delivery: int, number: int, *, orders: bool) -> EventDraft:
    return EventDraft(
        source=account_source(ACCOUNT),
        subject=delivery_subject(delivery),
        type=EventType.DELIVERY_APPEARED,
        time=datetime(2026, 3, 2, 12, 0, tzinfo=UTC),
        fingerprint=str(number),
        data={"number": number},
        orders=(key_of(delivery),) if orders else (),
    )


def _look(key: OrderKey, close: Close) -> Outcome:
    del key, close
    return Done()


def _nobody() -> None:
    """Nobody is to be told."""


def _no_pulse(name: str) -> None:
    del name
