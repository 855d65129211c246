"""What the scheduler does and when."""

from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from worker import kinds
from worker.app.customers import Customers
from worker.app.reading import Reading
from worker.clock import Clock
from worker.db import Database
from worker.firing.overdue import Overdue
from worker.runtime.forgotten import Forgotten
from worker.runtime.jobs import ALL
from worker.runtime.nights import Nightly, Nights
from worker.runtime.pruning import Pruning
from worker.runtime.scheduler import Tick
from worker.tasks import NewTask, Tasks

_log = structlog.get_logger(__name__)

# A request to the registry that nobody answers for any more is noticed within this many seconds of its deadline.
_OVERDUE_SECONDS = 1.0
# What no task speaks of any more waits no longer than this, in seconds: the look reads every order, and finds nothing.
_FORGOTTEN_SECONDS = 600.0
# A hint of barmate's webhooks, or an order that is due again, is seen within this many seconds.
_READ_SECONDS = 1.0
# That an account has not answered yet is seen within this many seconds more; where all answer, a look costs nothing.
_WAITS_SECONDS = 1.0
# What is due at night is looked for as often as this, in seconds.
_NIGHT_SECONDS = 60.0
# Hours of the night in UTC: after midnight's batch jobs, one after the other.
_SWEEP_HOUR = 1
_RECONCILE_HOUR = 3
_PRUNE_HOUR = 4


class Ticks:
    """The table of ticks and what the nightly ones do."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        later: timedelta,
        tasks: Tasks,
        reading: Reading,
        customers: Customers,
        find_owed: Callable[[], None],
        overdue: Overdue,
        forgotten: Forgotten,
        pruning: Pruning,
        poll_seconds: Callable[[str], float],
        has_registry: bool,
        wake: Callable[[], None],
    ) -> None:
        """`later` spreads the night's work of several installations."""
        self._database = database
        self._tasks = tasks
        self._reading = reading
        self._customers = customers
        self._find_owed = find_owed
        self._overdue = overdue
        self._forgotten = forgotten
        self._pruning = pruning
        self._poll_seconds = poll_seconds
        self._has_registry = has_registry
        self._wake = wake
        self._nights = Nights(database=database, clock=clock, table=self.nightly(), later=later)

    def table(self) -> Sequence[Tick]:
        """Every tick."""
        return [
            *(self._poll(name) for name in self._reading.names()),
            *self._of_barmate(),
            Tick(name="waits", action=self._reading.look_at_waits, seconds=_WAITS_SECONDS),
            Tick(name="overdue", action=self._find_overdue, seconds=_OVERDUE_SECONDS),
            Tick(name="forgotten", action=self._find_forgotten, seconds=_FORGOTTEN_SECONDS),
            Tick(name="night", action=self._nights.look, seconds=_NIGHT_SECONDS),
        ]

    def _of_barmate(self) -> Sequence[Tick]:
        if self._customers.host is None:
            return []
        return [
            Tick(name="poll barmate", action=self._customers.tick_poll, seconds=self._customers.poll_seconds),
            Tick(name="read barmate", action=self._customers.tick_read, seconds=_READ_SECONDS),
            Tick(name="owed responses", action=self._find_owed, seconds=_FORGOTTEN_SECONDS),
        ]

    def nightly(self) -> Sequence[Nightly]:
        """What is done once a night."""
        reconcile = [Nightly(name="reconcile", action=self._reconcile, hour=_RECONCILE_HOUR)]
        return [
            Nightly(name="sweep", action=self._sweep, hour=_SWEEP_HOUR),
            *(reconcile if self._has_registry else []),
            Nightly(name="prune", action=self._prune, hour=_PRUNE_HOUR),
        ]

    def _sweep(self) -> None:
        # One job each: an account that cannot be read holds up no other.
        self._add([NewTask(kind=kinds.SWEEP, subject=name) for name in self._reading.names()])

    def _reconcile(self) -> None:
        # With the whole of the supplier's list: deliveries on credit orders that no link names are seen here only.
        self._add([NewTask(kind=kinds.RECONCILE, subject=ALL, payload={"supplier": True})])

    def _poll(self, account: str) -> Tick:
        return Tick(
            name=f"poll {account}", action=lambda: self._reading.tick(account), seconds=self._poll_seconds(account)
        )

    def _find_overdue(self) -> None:
        if self._overdue.run_once():
            self._wake()

    def _find_forgotten(self) -> None:
        if self._forgotten.run():
            self._wake()

    def _add(self, jobs: Sequence[NewTask]) -> None:
        with self._database.write() as connection:
            for job in jobs:
                self._tasks.add_job(connection, job, self._database.now(connection))
        self._wake()

    def _prune(self) -> None:
        pruned = self._pruning.run()
        _log.info("pruned", tasks=pruned.tasks, events=pruned.events)
