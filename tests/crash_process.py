"""A warm process from which firing processes are forked, each a real one that can be killed or suspended.

Starting an interpreter takes seconds and forking takes milliseconds. This one has one thread and everything imported;
it takes orders as JSON lines: run a job in a fork, wake a suspended one. It answers how the fork ended or stopped.
"""

import gc
import itertools
import json
import os
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from connectors.client import HttpClient
from connectors.isometric import Isometric
from connectors.policy import RetryPolicy, Timeouts
from tests.client_kit import CountedTurns
from tests.clocks import NOON
from tests.firing_kit import MARKER_KEY, ORDER, Orders, order_key
from tests.order_kit import delivery, link
from tests.recheck_kit import at_once
from tests.shared_time import SharedTime
from worker.db import Database
from worker.event_log import EventLog
from worker.events import OrderKey
from worker.firing.assembly import FiringParts, assemble
from worker.firing.policy import Mode, Policy
from worker.orders.amounts import Missing, calculate
from worker.orders.factors import load_factors
from worker.reconciler import Reconciler
from worker.standing import Calculation, DeliveryFacts, Link
from worker.states import OrderState
from worker.tasks import Tasks

# Points that the test's own database adds: in every durable transaction just before its end, and just after it.
COMMITTING = "database: committing"
WRITTEN = "database: written"
# Kilograms that every order asks for: the first batch is split, and so is what is left of it by a second order.
KG = 300
SETTLE = 300.0
# Longer than the registry is late with anything, in seconds.
UNTIL_NIGHT = 6000.0
# Looks at the orders before a process gives up; a firing that is then still looked at has not ended.
LOOKS = 60
# How a fork ends that met something nobody expected.
BROKEN = 70


class Signals:
    """A victim's checkpoint: sends this process a signal at the n-th passing of one point; knows what it passed."""

    def __init__(self, point: str | None, nth: int, number: int) -> None:
        self._target = (point, nth)
        self._number = number
        self.passed: list[str] = []
        self._counts: Counter[str] = Counter()

    def __call__(self, name: str) -> None:
        """Pass a point."""
        self.passed.append(name)
        self._counts[name] += 1
        if (name, self._counts[name]) == self._target:
            os.kill(os.getpid(), self._number)


class PointedDatabase(Database):
    """A database of which every durable transaction is a point, and whose time is the shared one on any backend."""

    def __init__(self, url: str, clock: SharedTime) -> None:
        super().__init__(url, clock)
        self._shared = clock
        self.checkpoint: Signals | None = None
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _no_waiting_for_the_disk)

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """As it is, between two points."""
        with super().write() as connection:
            yield connection
            self._pass(COMMITTING)
        self._pass(WRITTEN)

    def now(self, connection: sa.Connection) -> Any:  # noqa: ANN401 - a datetime
        """The shared time."""
        del connection
        return self._shared.now()

    def _pass(self, name: str) -> None:
        if self.checkpoint is not None:
            self.checkpoint(name)


def _no_waiting_for_the_disk(connection: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    # What a killed process wrote is with the kernel already; only the loss of a machine needs the disk.
    connection.execute("PRAGMA synchronous=OFF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one forked process does: looks at the orders until nothing is to be looked at any more."""

    owner: str
    orders: int = 1
    resend: bool = False
    timeout_seconds: float = 5.0
    # Where it ends, at which passing, by which signal; none for one that lives.
    point: str | None = None
    nth: int = 1
    signal: int = 0
    # Then let time pass, compare the ledgers as every night, and look at the orders again.
    reconcile: bool = False
    looks: int = LOOKS
    # Where to leave the list of the points it passed.
    passed: str | None = None


class Forked:
    """Everything that a fork needs, put together before forking where that is safe."""

    def __init__(self, database_url: str, registry_url: str, clock: SharedTime) -> None:
        self._clock = clock
        self._registry_url = registry_url
        self.database = PointedDatabase(database_url, clock)
        # Never used before forking: it has no connection yet that two processes could share.
        self._client = self._new_client()

    def warm(self, job: Job) -> None:
        """Do a job in this very process, so that forks find every statement compiled and every module loaded."""
        client = self._new_client()
        self._work(job, client, Signals(None, 0, 0))
        client.close()
        self.database.engine.dispose()
        gc.collect()
        gc.freeze()

    def work(self, job: Job) -> None:
        """Do a job in a fork."""
        signals = Signals(job.point, job.nth, job.signal)
        self.database.checkpoint = signals
        self._work(job, self._client, signals)
        if job.passed is not None:
            Path(job.passed).write_text(json.dumps(signals.passed))

    def _work(self, job: Job, client: HttpClient, signals: Signals) -> None:
        parts = self._parts(job, client, signals)
        keys = [order_key(number) for number in range(1, job.orders + 1)]
        self._drive(parts, keys, job.looks)
        if job.reconcile:
            self._clock.skip(UNTIL_NIGHT)
            Reconciler(database=self.database, account=parts.account, ledger=parts.ledger).run()
            self._drive(parts, keys, job.looks)

    def _drive(self, parts: FiringParts, keys: Sequence[OrderKey], looks: int) -> None:
        for _ in range(looks):
            for key in keys:
                parts.service.advance(key, lambda _connection: None)
            parts.overdue.run_once()
            due = self._due(parts, keys)
            if due is None:
                return
            self._clock.skip_to(due)

    def _due(self, parts: FiringParts, keys: Sequence[OrderKey]) -> Any:  # noqa: ANN401 - a datetime or None
        with self.database.read() as connection:
            found = [firing.look_at for key in keys for firing in parts.rows.of_order(connection, key)]
        return min((look_at for look_at in found if look_at is not None), default=None)

    def _parts(self, job: Job, client: HttpClient, signals: Signals) -> FiringParts:
        counter = itertools.count()
        stands = _stands(job.orders)
        return assemble(
            database=self.database,
            event_log=EventLog(
                tasks=Tasks(rules={}, identity=lambda: f"{job.owner}-t{next(counter)}"), subscriptions={}
            ),
            registry=Isometric(client),
            marker_key=MARKER_KEY,
            policy=_policy(job),
            standing=stands.standing,
            recheck=at_once(stands.recheck),
            calculate=_calculate,
            clock=self._clock,
            identity=lambda: f"{job.owner}-{next(counter)}",
            owner=job.owner,
            checkpoint=signals,
        )

    def _new_client(self) -> HttpClient:
        return HttpClient(
            system="registry",
            base_url=self._registry_url,
            headers={"Authorization": "Bearer token-of-the-tests", "x-client-secret": "secret-of-the-tests"},
            turns=CountedTurns(),
            random=Random(1),  # noqa: S311 - jitter guards nothing
            sleep=self._clock.sleep,
            clock=self._clock.monotonic,
            retries=RetryPolicy(attempts=2, first_wait=0.01, max_wait=0.02, total=1.0),
            timeouts=Timeouts(read=10.0),
        )


def _policy(job: Job) -> Policy:
    return Policy(
        mode=Mode.AUTOMATIC,
        host="127.0.0.1",
        since=NOON - timedelta(days=1),
        timeout_seconds=job.timeout_seconds,
        settle_seconds=SETTLE,
        resend_after_absence=job.resend,
    )


def _stands(orders: int) -> Orders:
    stands = Orders()
    for number in range(1, orders + 1):
        key = order_key(number)
        stands.states[key] = OrderState.COMPLETE
        stands.links[key] = link(purchase_order=key.purchase_order, credit_order_id=ORDER, credit_kg=KG)
        stands.deliveries[key] = (delivery(number, purchase_order=key.purchase_order),)
    return stands


def _calculate(said: Link, found: Sequence[DeliveryFacts]) -> Calculation | Missing:
    return calculate(said, found, load_factors(None))


def _fork(forked: Forked, clock: SharedTime, job: Job) -> int:
    pid = os.fork()
    if pid != 0:
        return pid
    status = BROKEN
    try:
        clock.victim = os.getpid()
        forked.work(job)
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it was, the parent is told, and the fork must not go on as the parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _ended(pid: int) -> dict[str, object]:
    _, status = os.waitpid(pid, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        return {"pid": pid, "how": "stopped", "number": os.WSTOPSIG(status)}
    if os.WIFSIGNALED(status):
        return {"pid": pid, "how": "killed", "number": os.WTERMSIG(status)}
    return {"pid": pid, "how": "exited", "number": os.WEXITSTATUS(status)}


def _serve(forked: Forked, clock: SharedTime) -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "warm" in order:
            forked.warm(Job(**order["warm"]))
            answer: dict[str, object] = {"pid": 0, "how": "exited", "number": 0}
        elif "run" in order:
            answer = _ended(_fork(forked, clock, Job(**order["run"])))
        else:
            os.kill(order["wake"], signal.SIGCONT)
            answer = _ended(order["wake"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    shared = SharedTime(Path(sys.argv[1]))
    _serve(Forked(sys.argv[2], sys.argv[3], shared), shared)
