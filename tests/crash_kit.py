"""The stage of the crash matrix: a registry's twin here, firing processes forked from a warm one, a database a case."""

import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from connectors.simulated.http_server import Reply, Request
from connectors.simulated.registry import Registry
from connectors.simulated.registry_ledgers import ToldLedger
from connectors.simulated.registry_model import DeliveryRequest, Line, RegistryContent
from connectors.simulated.registry_posts import RegistryPosts
from connectors.simulated.registry_server import RegistryCredentials, RegistryServer
from connectors.simulated.replies import no_answer
from connectors.simulated.switches import LateStamp, Panel, RegistrySwitches
from tests.crash_cases import COMMITTED, REQUEST_OUT, Case, Effect, How
from tests.crash_process import Job
from tests.firing_kit import BUYER, ORDER, OTHER_ORDER, SUPPLIER, batch, credit_order, order_key
from tests.order_kit import order_row
from tests.shared_time import SharedTime
from worker.db import Database
from worker.db.tables import orders as order_rows
from worker.db.upgrade import upgrade

# Seconds that a forked process may take, on a machine that is busy with other things.
PATIENCE = 60.0
# The lease of a process that died runs out, and so does the deadline of its request.
A_MINUTE = 61.0
_ROOT = Path(__file__).parent.parent
_MOST_ORDERS = 3


@dataclass(frozen=True, slots=True)
class Ended:
    """How a forked process ended, or that it stopped."""

    pid: int
    how: str
    number: int


class Forge:
    """The warm process; forks one worker at a time."""

    def __init__(self, clock_path: Path, database_url: str, registry_url: str) -> None:
        command = [sys.executable, "-m", "tests.crash_process", str(clock_path), database_url, registry_url]
        # Measuring what is killed measures nothing, and takes as long as the rest.
        quiet = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT, env=quiet, start_new_session=True
        )

    def warm(self, job: Job) -> None:
        """Do a job once in the warm process itself."""
        self._ask({"warm": asdict(job)})

    def run(self, job: Job) -> Ended:
        """Do a job in a fork, until it ends or stops."""
        return self._ask({"run": asdict(job)})

    def wake(self, pid: int) -> Ended:
        """Let a stopped fork go on, until it ends."""
        return self._ask({"wake": pid})

    def stop(self) -> None:
        """End the warm process and whatever it forked."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def _ask(self, order: Mapping[str, object]) -> Ended:
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        asked.write(json.dumps(order).encode() + b"\n")
        asked.flush()
        ready, _, _ = select.select([told], [], [], PATIENCE)
        assert ready, f"no answer to {order}"
        line = told.readline()
        assert line, f"the warm process died of {order}"
        return Ended(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Late:
    """A delivery that will happen: when, and how."""

    due: datetime
    commit: Callable[[], object]


class WatchedPosts(RegistryPosts):
    """Ends the asking process when its request came, or when it is done and not yet answered.

    Late commits go by the shared time, so that they fall before, between and after the readings as a case says.
    """

    def __init__(self, registry: Registry, ledger: ToldLedger, chance: random.Random) -> None:
        super().__init__(registry, ledger=ledger, chance=chance)
        self.meet: Callable[[str], None] = lambda _point: None
        self._late: list[Late] = []

    def answer(self, request: Request) -> Reply:
        """Answer one POST, between the two points; what is late happens at the latest before it."""
        self.commit_late(everything=True)
        self.meet(REQUEST_OUT)
        reply = super().answer(request)
        self.meet(COMMITTED)
        return reply

    def commit_late(self, *, everything: bool = False) -> None:
        """Let the late commits happen that are due, or all."""
        now = self._registry.clock.now()
        happening = [late for late in self._late if everything or late.due <= now]
        self._late = [late for late in self._late if late not in happening]
        for late in happening:
            late.commit()

    def _commit_late(self, post: Any) -> Reply:  # noqa: ANN401 - the twin's own record of a request
        switches = self._registry.panel.now
        stamped = post.at if switches.late_stamp is LateStamp.EARLY else None
        due = post.at + timedelta(seconds=switches.late_commit_seconds)
        self._late.append(Late(due, lambda: self._commit(post, stamped)))
        return no_answer()


class WatchedServer(RegistryServer):
    """The registry, where what is late happens as time passes."""

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if isinstance(self.posts, WatchedPosts):
            self.posts.commit_late()
        return super().answer(request)


class CrashTwin:
    """One registry server for all cases; each case gets a registry of its own behind it."""

    def __init__(self, clock: SharedTime) -> None:
        self._clock = clock
        self.panel = Panel(RegistrySwitches())
        chance = random.Random(7)  # noqa: S311 - a reproducible choice
        credentials = RegistryCredentials(access_token="token-of-the-tests", client_secret="secret-of-the-tests")
        registry = Registry(_content(), clock=clock, chance=chance, panel=self.panel)
        self.server = WatchedServer(registry, credentials=credentials, chance=chance)
        self.url = self.server.start()
        self.posts = WatchedPosts(registry, self.server.ledger, chance)

    def begin(self, case: Case) -> None:
        """A fresh registry with the case's fault."""
        fault = case.fault
        chance = random.Random(case.seed)  # noqa: S311 - a reproducible choice
        self.panel = Panel(RegistrySwitches(script=fault.script, hang_seconds=0.5))
        self.panel.change({**fault.switches, **fault.passing})
        registry = Registry(_content(), clock=self._clock, chance=chance, panel=self.panel)
        ledger = ToldLedger()
        self.posts = WatchedPosts(registry, ledger, chance)
        self.posts.meet = self._meeting(case)
        self.server.registry, self.server.ledger, self.server.posts = registry, ledger, self.posts

    def heal(self, case: Case) -> None:
        """What lasts only for a while is over."""
        healthy = RegistrySwitches()
        self.panel.change({name: getattr(healthy, name) for name in case.fault.passing})

    def _meeting(self, case: Case) -> Callable[[str], None]:
        left = case.nth
        rival = case.fault.effect is Effect.REFUSES

        def meet(point: str) -> None:
            nonlocal left, rival
            if point == case.point:
                left -= 1
                if left == 0:
                    os.kill(self._clock.victim, case.how.value)
            if rival and point == REQUEST_OUT:
                rival = False
                self._take_the_first_batch()

        return meet

    def _take_the_first_batch(self) -> None:
        first = batch(1, 400)
        lines = (Line(batch_id=first.id, kg=first.kg),)
        self.server.registry.deliver(DeliveryRequest(order_id=OTHER_ORDER, notes="by hand", lines=lines))


def _content() -> RegistryContent:
    return RegistryContent(
        supplier=SUPPLIER,
        organisations=(SUPPLIER.organisation, BUYER),
        orders=(credit_order(ORDER, 1000), credit_order(OTHER_ORDER, 1000)),
        batches=(batch(1, 400), batch(2, 400), batch(3, 400)),
    )


class Stage:
    """Everything that the cases of one database share."""

    def __init__(self, folder: Path, url: str) -> None:
        clock_path = folder / "time"
        self.clock = SharedTime(clock_path)
        self.database = Database(url, self.clock)
        upgrade(self.database)
        self._know_orders()
        self._template = folder / "template.db"
        if self.database.is_sqlite:
            self._keep_template()
        self.passed = folder / "passed.json"
        self.twin = CrashTwin(self.clock)
        self.forge = Forge(clock_path, url, self.twin.url)

    def begin(self, case: Case) -> None:
        """An empty database but for the orders, and a fresh registry."""
        self.database.engine.dispose()
        if self.database.is_sqlite:
            self._restore_template()
        else:
            self._truncate()
        self.twin.begin(case)

    def close(self) -> None:
        """End what was started."""
        self.forge.stop()
        self.twin.server.stop()
        self.database.close()

    @property
    def _file(self) -> Path:
        return Path(str(self.database.url.database))

    def _keep_template(self) -> None:
        # Closing the last connection brings everything into the one file.
        self.database.engine.dispose()
        shutil.copy(self._file, self._template)

    def _restore_template(self) -> None:
        for leftover in ("-wal", "-shm"):
            self._file.with_name(self._file.name + leftover).unlink(missing_ok=True)
        shutil.copy(self._template, self._file)

    def _truncate(self) -> None:
        kept = {"alembic_version", "firing_changes"}
        with self.database.write() as connection:
            names = [name for name in sa.inspect(connection).get_table_names() if name not in kept]
            connection.execute(sa.text(f"TRUNCATE {', '.join(names)} RESTART IDENTITY CASCADE"))
        self._know_orders()

    def _know_orders(self) -> None:
        rows = [order_row(order_key(number)) for number in range(1, _MOST_ORDERS + 1)]
        with self.database.write() as connection:
            connection.execute(sa.insert(order_rows), rows)


class Course:
    """One combination from its beginning to its end."""

    def __init__(self, stage: Stage, case: Case) -> None:
        self._stage = stage
        self._case = case
        self.ended: Ended | None = None

    def run(self) -> list[str]:
        """Let the victim meet its end, others recover, and everybody look again; the points the victim passed."""
        case, stage = self._case, self._stage
        stage.begin(case)
        self.ended = stage.forge.run(self._job("victim", victim=True))
        stage.clock.skip(A_MINUTE)
        if case.then is not None:
            stage.forge.run(replace(self._job("second victim"), point=case.then, signal=How.KILL.value))
            stage.clock.skip(A_MINUTE)
        # Where nothing else is to happen in between, whoever recovers also compares the ledgers that night.
        quiet = self.ended.how != "stopped" and not case.fault.passing
        self._survive("survivor", reconcile=quiet)
        if not quiet:
            self._go_on(self.ended)
        passed: list[str] = json.loads(stage.passed.read_text()) if stage.passed.exists() else []
        return passed

    def _go_on(self, ended: Ended) -> None:
        if ended.how == "stopped":
            woken = self._stage.forge.wake(ended.pid)
            assert (woken.how, woken.number) == ("exited", 0), f"{self._case}: woken, it {woken}"
        self._stage.twin.heal(self._case)
        self._survive("nightly", reconcile=True)

    @property
    def was_hit(self) -> bool:
        """Whether the victim reached its point."""
        return self.ended is not None and self.ended.how == ("killed" if self._case.how is How.KILL else "stopped")

    def _survive(self, owner: str, *, reconcile: bool = False) -> None:
        ended = self._stage.forge.run(self._job(owner, reconcile=reconcile))
        assert (ended.how, ended.number) == ("exited", 0), f"{self._case}: {owner} {ended}"

    def _job(self, owner: str, *, victim: bool = False, reconcile: bool = False) -> Job:
        case = self._case
        # The points of the registry are the twin's to act on.
        own = victim and case.point not in (REQUEST_OUT, COMMITTED)
        return Job(
            owner=owner,
            orders=case.orders,
            resend=case.resend,
            timeout_seconds=case.fault.timeout_seconds,
            point=case.point if own else None,
            nth=case.nth if own else 1,
            signal=case.how.value if own else 0,
            reconcile=reconcile,
            passed=str(self._stage.passed) if victim and case.point is None else None,
        )
