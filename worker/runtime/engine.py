"""The engine of a process: relay and workers around one broker."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from worker.checkpoints import Checkpoint
from worker.clock import Clock
from worker.db import Database
from worker.kinds import RULES
from worker.leases import Leases
from worker.mirror import Mirror
from worker.runtime import actors
from worker.runtime.actors import Look
from worker.runtime.broker import Broker, Queue, Workers
from worker.runtime.couriers import Couriers
from worker.runtime.leadership import Leadership
from worker.runtime.relay import Relay, RelayLoop, limits_of
from worker.runtime.renewal import Renewal
from worker.runtime.runner import Runner, Service
from worker.runtime.slots import PLACES
from worker.tasks import Tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What an engine works for: services by kind of task, and what looks at rows. No mirror: events stay here."""

    services: Mapping[str, Service]
    look_at_order: Look
    look_at_firing: Look
    mirror: Mirror | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What this process does. `threads` 0: it does no tasks itself; `shared`: other processes do them too."""

    threads: int
    relays: bool
    shared: bool


class Engine:
    """Starts and stops relay and workers together; knows whether anything is going on."""

    def __init__(
        self,
        *,
        database: Database,
        tasks: Tasks,
        leases: Leases,
        duties: Duties,
        part: Part,
        broker: Broker,
        owner: str,
        lease_seconds: float,
        clock: Clock,
        random: Random,
        checkpoint: Checkpoint,
        beat: Callable[[str], None],
    ) -> None:
        self._part = part
        self._stopping = threading.Event()
        self._renewal = Renewal(database=database, tasks=tasks, lease_seconds=lease_seconds)
        runner = Runner(
            database=database,
            tasks=tasks,
            rules=RULES,
            services=duties.services,
            renewal=self._renewal,
            owner=owner,
            lease_seconds=lease_seconds,
            random=random,
            is_stopping=self._stopping.is_set,
            checkpoint=checkpoint,
        )
        self._clock = clock
        self._couriers = self._posting(duties.mirror, runner)
        posts = actors.posts(
            database=database,
            runner=runner,
            couriers=self._couriers,
            look_at_order=duties.look_at_order,
            look_at_firing=duties.look_at_firing,
            then=self.wake,
        )
        self._queue = Queue(broker, posts)
        self._leadership = Leadership(leases=leases, name="relay", clock=clock)
        self._relay = Relay(
            database=database,
            send=self._queue.send,
            leadership=self._leadership,
            limits=limits_of(None if part.shared else part.threads),
            mirroring=self._may_post,
            checkpoint=checkpoint,
        )
        self._loop = RelayLoop(self._relay, beat=beat)
        self._workers = Workers(broker, threads=part.threads)

    @property
    def busy(self) -> int:
        """Tasks being done in this process, and rows that its relay hinted at and nobody has looked at yet."""
        return self._renewal.busy + self._relay.outstanding

    def _posting(self, mirror: Mirror | None, runner: Runner) -> Couriers | None:
        if mirror is None:
            return None
        return Couriers(
            runner=runner, mirror=mirror, renewal=self._renewal, clock=self._clock, then=self.wake, places=PLACES
        )

    def _may_post(self) -> bool:
        return self._couriers is not None and self._couriers.open

    def wake(self) -> None:
        """There may be work for the relay."""
        self._loop.wake()

    def start(self) -> None:
        """Begin."""
        if self._part.threads:
            self._renewal.start()
            self._workers.start()
            if self._couriers is not None:
                self._couriers.start()
        if self._part.relays:
            self._loop.start()

    def stop(self, seconds: float) -> None:
        """Send nothing more, take nothing new, wait that long for what is being done, give the lease back."""
        self._stopping.set()
        if self._part.relays:
            self._loop.stop()
            self._leadership.resign()
        if self._part.threads:
            self._stop_work(seconds)
            self._renewal.stop()
        self._queue.close()

    def _stop_work(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        self._workers.stop(seconds)
        if self._couriers is not None:
            self._couriers.stop(max(0.0, until - self._clock.monotonic()))
