"""Two workers on one PostgreSQL and one Redis, with a relay each, and more messages than there is work.

Started as a program it is one worker in a process of its own, until its input ends.
"""

import random
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import sqlalchemy as sa

from connectors.client import HttpClient
from connectors.isometric import Isometric
from connectors.policy import RetryPolicy, Timeouts
from connectors.simulated.clock import SystemClock as RegistryClock
from connectors.simulated.registry import Registry
from connectors.simulated.registry_model import RegistryContent
from connectors.simulated.registry_server import RegistryCredentials, RegistryServer
from connectors.simulated.switches import Panel, RegistrySwitches
from tests.client_kit import Kit
from tests.clocks import NOON
from tests.firing_kit import BUYER, MARKER_KEY, SUPPLIER, batch, credit_order, order_key
from tests.order_kit import delivery, link, order_row
from tests.recheck_kit import at_once
from worker.checkpoints import nothing
from worker.clock import SystemClock
from worker.db import Database
from worker.db.tables import attempts, firings, orders, tasks
from worker.event_log import EventLog
from worker.events import OrderKey
from worker.firing.assembly import FiringParts, assemble
from worker.firing.policy import Mode, Policy
from worker.kinds import COMPLETION, FIRING, FIRING_LANE, LOOK_AT_FIRINGS, RULES
from worker.leases import Leases
from worker.orders.amounts import calculate
from worker.orders.factors import load_factors
from worker.runtime.broker import Post, Queue, redis_broker
from worker.runtime.closing import Closing
from worker.runtime.engine import Duties, Engine, Part
from worker.standing import Standing
from worker.states import OrderState
from worker.tasks import Claim, NewTask, Tasks
from worker.work import Close, Done, Outcome

# Orders that are paid from one credit order: a baseline names every delivery on it.
PER_CREDIT_ORDER = 25
_NAMESPACE = "two-workers"
_TOKEN = "token-of-the-tests"
_SECRET = "secret-of-the-tests"
# Said by a worker in a process of its own once it listens.
READY = "ready"
# Each worker can look at two orders at a time, and both workers at the same one.
_THREADS = 2


def credit_order_of(number: int) -> str:
    """The id of the credit order that pays for the order PO-n."""
    return f"ord_1{number // PER_CREDIT_ORDER:08d}SBXAAAA"


@contextmanager
def registry_for(count: int) -> Iterator[RegistryServer]:
    """A registry with one kilogram for each of so many orders."""
    known = dict.fromkeys(credit_order_of(number) for number in range(1, count + 1))
    content = RegistryContent(
        supplier=SUPPLIER,
        organisations=(SUPPLIER.organisation, BUYER),
        orders=tuple(credit_order(identity, PER_CREDIT_ORDER) for identity in known),
        batches=(batch(1, count),),
    )
    chance = random.Random(7)  # noqa: S311 - a reproducible choice
    state = Registry(content, clock=RegistryClock(), chance=chance, panel=Panel(RegistrySwitches()))
    credentials = RegistryCredentials(access_token=_TOKEN, client_secret=_SECRET)
    with RegistryServer(state, credentials=credentials, chance=chance) as server:
        yield server


@dataclass
class Meetings:
    """Counts how often a worker took up an order while another one was at it."""

    met: int = 0
    _at: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def at(self, key: OrderKey) -> Iterator[None]:
        """Be at the order."""
        with self._lock:
            self.met += self._at[key.text] > 0
            self._at[key.text] += 1
        try:
            yield
        finally:
            with self._lock:
                self._at[key.text] -= 1


@dataclass(frozen=True, slots=True)
class Where:
    """The addresses of everything that workers share."""

    database_url: str
    redis_url: str
    registry_url: str


class Worker:
    """Everything of firing with a relay, a broker and threads of its own."""

    def __init__(self, where: Where, owner: str, *, meetings: Meetings) -> None:
        self.database = Database(where.database_url, SystemClock())
        self._meetings = meetings
        self._client = _client(where.registry_url)
        self._tasks = Tasks(rules=RULES, identity=_identity)
        self.parts = self._assembled(owner)
        self.engine = Engine(
            database=self.database,
            tasks=self._tasks,
            leases=Leases(self.database, holder=owner),
            duties=Duties(
                services={COMPLETION: self._fire, FIRING: self._fire},
                look_at_order=lambda _key, _close: Done(),
                look_at_firing=self.look,
                mirror=None,
            ),
            part=Part(threads=_THREADS, relays=True, shared=True),
            broker=redis_broker(where.redis_url, namespace=_NAMESPACE),
            owner=owner,
            lease_seconds=30.0,
            clock=SystemClock(),
            random=Random(1),  # noqa: S311 - jitter
            checkpoint=nothing,
            beat=lambda _name: None,
        )

    def look(self, key: OrderKey, close: Close) -> Outcome:
        """Look at an order."""
        with self._meetings.at(key):
            return self.parts.service.advance(key, close)

    def close(self) -> None:
        """Close what it opened."""
        self._client.close()
        self.database.close()

    def _fire(self, claim: Claim, closing: Closing) -> Outcome:
        return self.look(OrderKey.parse(claim.subject), closing)

    def _assembled(self, owner: str) -> FiringParts:
        factors = load_factors(None)
        return assemble(
            database=self.database,
            event_log=EventLog(tasks=self._tasks, subscriptions={}),
            registry=Isometric(self._client),
            marker_key=MARKER_KEY,
            policy=Policy(mode=Mode.AUTOMATIC, host="127.0.0.1", since=NOON, timeout_seconds=20.0, settle_seconds=2.0),
            standing=lambda _connection, key: _standing(key),
            recheck=at_once(_standing),
            calculate=lambda said, found: calculate(said, found, factors),
            clock=SystemClock(),
            identity=_identity,
            owner=owner,
        )


@contextmanager
def working(workers: Sequence[Worker]) -> Iterator[None]:
    """While all of them are at work."""
    for worker in workers:
        worker.engine.start()
    try:
        yield
    finally:
        for worker in workers:
            worker.engine.stop(10.0)


class Desk:
    """Where the work is handed out, and looked at when it is done."""

    def __init__(self, database: Database, redis_url: str) -> None:
        self.database = database
        self._tasks = Tasks(rules=RULES, identity=_identity)
        posts = [
            Post(name=name, queue=FIRING_LANE.name, priority=FIRING_LANE.priority, handler=_never)
            for name in (LOOK_AT_FIRINGS, FIRING_LANE.name)
        ]
        self._queue = Queue(redis_broker(redis_url, namespace=_NAMESPACE), posts)

    def close(self) -> None:
        """Close the queue."""
        self._queue.close()

    def enter(self, count: int) -> list[OrderKey]:
        """Have the rows of so many complete orders."""
        keys = [order_key(number) for number in range(1, count + 1)]
        with self.database.write() as connection:
            connection.execute(sa.insert(orders), [order_row(key) for key in keys])
        return keys

    def hand_out(self, keys: Sequence[OrderKey]) -> None:
        """A task for each, told twice, and twice the hint to look at it: four messages for one duty."""
        new = [NewTask(kind=FIRING, subject=key.text) for key in keys]
        with self.database.write() as connection:
            ids = self._tasks.add(connection, new, self.database.now(connection))
        for key, identity in zip(keys, ids, strict=True):
            for actor, subject in ((FIRING_LANE.name, identity), (LOOK_AT_FIRINGS, key.text)):
                self._queue.send(actor, [subject])
                self._queue.send(actor, [subject])

    def states(self) -> Counter[str]:
        """How many firings are in each state."""
        return self._count(firings.c.state)

    def task_states(self) -> Counter[str]:
        """How many tasks are in each state."""
        return self._count(tasks.c.state)

    def attempts(self) -> list[sa.Row[Any]]:
        """Every attempt."""
        with self.database.read() as connection:
            return list(connection.execute(sa.select(attempts)))

    def _count(self, column: sa.Column[Any]) -> Counter[str]:
        with self.database.read() as connection:
            found = connection.execute(sa.select(column, sa.func.count()).group_by(column))
            return Counter({str(state): count for state, count in found})


def _standing(key: OrderKey) -> Standing:
    number = int(key.purchase_order.rpartition("-")[2])
    said = link(purchase_order=key.purchase_order, credit_order_id=credit_order_of(number), credit_kg=1)
    return Standing(
        key=key,
        state=OrderState.COMPLETE,
        reason="",
        deliveries=(delivery(number, purchase_order=key.purchase_order),),
        link=said,
        completed_at=NOON,
        content_hash=f"content of {number}",
    )


def _client(url: str) -> HttpClient:
    headers = {"Authorization": f"Bearer {_TOKEN}", "x-client-secret": _SECRET}
    once = RetryPolicy(attempts=2, first_wait=0.01, max_wait=0.02, total=1.0)
    return Kit().client(url, headers=headers, retries=once, timeouts=Timeouts(read=20.0))


def _identity() -> str:
    return uuid.uuid4().hex


def _never(_ids: list[str]) -> None:
    """The desk hands out and does nothing itself."""


def main() -> None:
    """One worker in a process of its own."""
    *where, owner = sys.argv[1:]
    worker = Worker(Where(*where), owner, meetings=Meetings())
    with working([worker]):
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        sys.stdin.read()
    worker.close()


if __name__ == "__main__":
    main()
