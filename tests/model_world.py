"""A world that can be saved and put back: database and registry in memory, workers that stop at every durable write.

A worker is the real service in a thread of its own. It runs only while it is told to, up to its next point; there it
can be told to go on, or killed: nothing that it would still have done happens then, not even what stands in `finally`.
"""

import functools
import hashlib
import itertools
import queue
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from connectors.isometric import Isometric
from tests.clocks import NOON, ManualClock
from tests.firing_kit import KEY, MARKER_KEY, ORDER, SETTLE, TIMEOUT, Died, Orders
from tests.model_registry import LocalClient, LocalRegistry, Memory, Reads, Trouble
from tests.order_kit import delivery, link, order_row
from tests.recheck_kit import at_once
from worker.db import Database
from worker.db.tables import orders
from worker.db.upgrade import upgrade
from worker.event_log import EventLog
from worker.events import OrderKey
from worker.firing.assembly import FiringParts, assemble
from worker.firing.policy import Mode, Policy
from worker.firing.sending import BEFORE_FREEZE, CONNECTING, FROZEN
from worker.orders.amounts import Missing, calculate
from worker.orders.factors import load_factors
from worker.standing import Calculation, DeliveryFacts, Link
from worker.states import OrderState
from worker.tasks import Tasks

# Points besides the named checkpoints.
WRITTEN = "written"
ARRIVING = "the request arrives"
DONE = "the request was dealt with"
READING = "about to read"

# Where a worker may be killed, or another one may act: after each durable write, and around the request.
EVERY_WRITE = frozenset({WRITTEN, BEFORE_FREEZE, CONNECTING, ARRIVING, DONE})
# Before each reading at the registry as well.
EVERY_READ = EVERY_WRITE | {READING}
# The points around the request alone, for walks in which workers stand still for long.
AROUND_THE_REQUEST = frozenset({BEFORE_FREEZE, FROZEN, ARRIVING, DONE})

POLICY = Policy(
    mode=Mode.AUTOMATIC,
    host="127.0.0.1",
    since=NOON - timedelta(days=1),
    timeout_seconds=TIMEOUT,
    settle_seconds=SETTLE,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Whole numbers above this are instants.
_MICROSECONDS = 1_000_000_000_000_000
_HOLDER = re.compile(r"(?<=^worker-\d)-\d+$")
_STAMPS = re.compile(rb"\d{4}-\d\d-\d\dT[^\"]*")
# Seconds of real time that one step may take before the model itself is thought to hang.
_PATIENCE = 30.0


class MemoryDatabase(Database):
    """One worker's way to the one database in memory; a dead worker writes nothing any more."""

    def __init__(self, engine: sa.Engine, clock: ManualClock, *, on_write: Callable[[], None] = lambda: None) -> None:
        self._on_write = on_write
        self._raw = raw(engine)
        super().__init__("sqlite://", clock)
        self.engine.dispose()
        self.engine = engine
        self.dead = False

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """As ever; afterwards the worker stands at a point."""
        if self.dead:
            raise Died
        before = self._raw.total_changes
        with super().write() as connection:
            yield connection
        if self._raw.total_changes != before:
            self._on_write()


@functools.cache
def _migrated() -> bytes:
    """An image of an empty database at the newest revision: migrating takes longer than many a walk."""
    engine = memory_engine()
    upgrade(MemoryDatabase(engine, ManualClock()))
    image = raw(engine).serialize()
    engine.dispose()
    return image


def memory_engine() -> sa.Engine:
    """An engine whose one connection holds the database."""
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    # Small pages, so that a saved world is small.
    connection.execute("PRAGMA page_size=1024")
    connection.execute("PRAGMA foreign_keys=ON")


def raw(engine: sa.Engine) -> sqlite3.Connection:
    """The one connection."""
    with engine.connect() as connection:
        found: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        return found


class Worker:
    """One process: its own parts of firing, and a thread that runs only while it is told to."""

    def __init__(self, world: "World", name: str) -> None:
        self._world = world
        self.name = name
        self.at: str | None = None
        self.points: frozenset[str] | None = None
        self._go: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stopped: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._failed: BaseException | None = None
        self._since = 0.0
        self._stepping = False
        self.seen = hashlib.blake2b(digest_size=8)
        self.database = MemoryDatabase(world.engine, world.clock, on_write=lambda: self._stop(WRITTEN))
        self.client = LocalClient(
            world.registry,
            choose=self._chosen,
            effect=lambda: self._stop(DONE),
            before_read=lambda: self._stop(READING),
            observe=lambda body: self.seen.update(_STAMPS.sub(b"", body)),
        )
        self.start_anew()
        threading.Thread(target=self._live, name=name, daemon=True).start()

    def start_anew(self) -> None:
        """Be a process that has just started and remembers nothing."""
        self.database.dead = False
        self.parts = self._world.assembled(self.database, self.client, self.name, self._stop)

    def look(self, key: OrderKey, reads: Reads = Reads.GOOD) -> None:
        """Begin to look at an order, up to the first point; as a new process, so that only the world decides."""
        self.start_anew()
        self._since = self._world.clock.monotonic()
        self.seen = hashlib.blake2b(f"{key.text} {reads}".encode(), digest_size=8)
        self.client.reads = reads
        self._stepping = True
        self._tell(lambda: self.parts.service.advance(key, lambda _connection: None))

    def go_on(self, trouble: Trouble = Trouble.NONE) -> None:
        """Go on from the point to the next one, or to the end."""
        self._tell(trouble)

    def kill(self) -> None:
        """End here; a new process stands ready."""
        self.database.dead = True
        if self.at is not None:
            self._tell(None)
        self.start_anew()

    def end(self) -> None:
        """Let the thread end."""
        self.database.dead = True
        if self.at is not None:
            self._tell(None)
        self._go.put(None)

    def _tell(self, what: object) -> None:
        self.at = None
        said = what if isinstance(what, str) else ""
        self.seen.update(f"{said} {self._world.clock.monotonic() - self._since:.6f}".encode())
        self._since = self._world.clock.monotonic()
        self._world.observer = self.seen
        self._go.put(what)
        self._stopped.get(timeout=_PATIENCE)
        self._world.observer = None
        if self._failed is not None:
            failed, self._failed = self._failed, None
            raise failed

    def _live(self) -> None:
        while (job := self._go.get()) is not None:
            try:
                job()
            except Died:
                self.at = None
            except BaseException as error:  # noqa: BLE001 - told to whoever drives the world
                self._failed = error
            self._stepping = False
            self._stopped.put(None)

    def _stop(self, point: str) -> Any:  # noqa: ANN401 - what it is told to go on with
        if self.database.dead:
            raise Died
        if not self._stepping or not self._world.stops_at(point):
            return None
        self.at = point
        self._stopped.put(None)
        told = self._go.get()
        if self.database.dead:
            raise Died
        return told

    def _chosen(self) -> Trouble:
        told = self._stop(ARRIVING)
        return told if isinstance(told, Trouble) else Trouble.NONE


@dataclass(frozen=True, slots=True)
class Saved:
    """A world without anybody at work in it."""

    database: bytes
    # The other installation, or the copy that was taken: an image of a database.
    other: bytes
    registry: Memory
    seconds: float


class World:
    """Everything, with its own time."""

    def __init__(
        self,
        *,
        registry: Callable[[ManualClock], LocalRegistry] = LocalRegistry,
        orders_kg: dict[OrderKey, int] | None = None,
        workers: int = 2,
        points: frozenset[str] | None = None,
        links: dict[OrderKey, str] | None = None,
        **policy: Any,  # noqa: ANN401 - any setting of the policy
    ) -> None:
        self.clock = ManualClock()
        self.registry = registry(self.clock)
        self.engine = memory_engine()
        self.policy = replace(POLICY, **policy)
        self.stands = Orders()
        self.kg = {KEY: 300} if orders_kg is None else orders_kg
        self._points = EVERY_WRITE if points is None else points
        self._names = itertools.count()
        self.raw = raw(self.engine)
        # What the worker that runs has seen so far: with what it was told, that decides all it does.
        self.observer: Any = None
        self.raw.row_factory = self._observed
        self.base = MemoryDatabase(self.engine, self.clock)
        self._load(_migrated())
        for key, kg in self.kg.items():
            self._complete(key, kg, ORDER if links is None else links[key])
        self.other = self.raw.serialize()
        self.workers = [Worker(self, f"worker-{number}") for number in range(1, workers + 1)]

    def _observed(self, _cursor: object, row: tuple[object, ...]) -> tuple[object, ...]:
        if self.observer is not None:
            now = self.clock.now()
            self.observer.update(repr([_told(value, now) for value in row]).encode())
        return row

    def stops_at(self, point: str) -> bool:
        """Whether a worker stops at that point."""
        return point in self._points

    def assembled(
        self, database: Database, client: LocalClient, owner: str, checkpoint: Callable[[str], Any]
    ) -> FiringParts:
        """The parts of firing of one process."""
        tasks = Tasks(rules={}, identity=lambda: f"{owner}-{next(self._names)}")
        return assemble(
            database=database,
            event_log=EventLog(tasks=tasks, subscriptions={}),
            registry=Isometric(client),
            marker_key=MARKER_KEY,
            policy=self.policy,
            standing=self.stands.standing,
            recheck=at_once(self.stands.recheck),
            calculate=_calculate,
            clock=self.clock,
            identity=lambda: f"{owner}-{next(self._names)}",
            owner=owner,
            checkpoint=checkpoint,
        )

    def save(self) -> Saved:
        """The world as it is, without those who work in it."""
        seconds = (self.clock.now() - NOON).total_seconds()
        return Saved(self.raw.serialize(), self.other, self.registry.save(), seconds)

    def restore(self, saved: Saved) -> None:
        """Put that world back; whoever was at work in this one is gone."""
        for worker in self.workers:
            worker.kill()
        self._load(saved.database)
        self.other = saved.other
        self.registry.restore(saved.registry)
        self.clock.advance(saved.seconds - (self.clock.now() - NOON).total_seconds())

    def swap(self) -> None:
        """Use the other database from now on."""
        mine = self.raw.serialize()
        self._load(self.other)
        self.other = mine
        for worker in self.workers:
            worker.kill()

    def close(self) -> None:
        """End the threads."""
        for worker in self.workers:
            worker.end()
        self.engine.dispose()

    def _load(self, image: bytes) -> None:
        # By way of a second connection: replacing the memory under prepared statements is not what SQLite was made for.
        with closing(sqlite3.connect(":memory:")) as source:
            source.deserialize(image)
            source.backup(self.raw)

    def _complete(self, key: OrderKey, kg: int, credit_order_id: str) -> None:
        self.stands.states[key] = OrderState.COMPLETE
        self.stands.links[key] = link(purchase_order=key.purchase_order, credit_order_id=credit_order_id, credit_kg=kg)
        number = int(key.purchase_order.rpartition("-")[2])
        self.stands.deliveries[key] = (delivery(number, purchase_order=key.purchase_order),)
        with self.base.write() as connection:
            connection.execute(sa.insert(orders).values(order_row(key)))


def _told(value: object, now: datetime) -> object:
    """What a value tells: an instant, how far it is away; the name of a lease's holder, nothing but its worker."""
    if isinstance(value, int) and value > _MICROSECONDS:
        return value - (now - _EPOCH) // timedelta(microseconds=1)
    return _HOLDER.sub("", value) if isinstance(value, str) else value


def _calculate(said: Link, found: Sequence[DeliveryFacts]) -> Calculation | Missing:
    return calculate(said, found, load_factors(None))
