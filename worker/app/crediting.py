"""Crediting: from settings to firings, the registry and the comparison of both ledgers (DESIGN §6)."""

from collections.abc import Callable, Sequence
from functools import cached_property

import structlog

from settings import Settings
from worker.app.clients import Clients
from worker.checkpoints import Checkpoint
from worker.clock import Clock
from worker.db import Database
from worker.event_log import EventLog
from worker.firing.assembly import FiringParts, assemble
from worker.firing.policy import Mode, Policy
from worker.orders import amounts
from worker.orders.completion import Completion
from worker.orders.factors import Factors, load_factors
from worker.reconciler import Reconciler
from worker.runtime.jobs import Result
from worker.standing import Calculation, DeliveryFacts, Link

_log = structlog.get_logger(__name__)


class Crediting:
    """The registry side of one process."""

    def __init__(
        self,
        *,
        settings: Settings,
        clients: Clients,
        database: Database,
        event_log: EventLog,
        completion: Completion,
        clock: Clock,
        identity: Callable[[], str],
        owner: str,
        checkpoint: Checkpoint,
    ) -> None:
        self._settings = settings
        self._clients = clients
        self._database = database
        self._event_log = event_log
        self._completion = completion
        self._clock = clock
        self._identity = identity
        self._owner = owner
        self._checkpoint = checkpoint

    @cached_property
    def policy(self) -> Policy:
        """What the operator decided about firing."""
        credits_, isometric = self._settings.credits, self._settings.isometric
        return Policy(
            mode=Mode(credits_.mode.value),
            host=isometric.host,
            since=credits_.since,
            max_kg_per_delivery=credits_.max_kg_per_delivery,
            max_kg_per_day=credits_.max_kg_per_day,
            timeout_seconds=isometric.timeout_seconds,
            settle_seconds=isometric.settle_seconds,
            resend_after_absence=credits_.resend_after_absence,
        )

    @cached_property
    def factors(self) -> Factors:
        """Kilograms by article and unit. Raises UsageError for a bad file."""
        return load_factors(self._settings.credits.factors_file)

    @cached_property
    def firing(self) -> FiringParts:
        """Everything of firing. Raises UsageError for a bad file of factors."""
        key = self._settings.credits.marker_key
        factors = self.factors

        def calculate(link: Link, deliveries: Sequence[DeliveryFacts]) -> Calculation | amounts.Missing:
            return amounts.calculate(link, deliveries, factors)

        return assemble(
            database=self._database,
            event_log=self._event_log,
            registry=self._clients.registry(self._settings.isometric),
            marker_key=None if key is None else key.get_secret_value(),
            policy=self.policy,
            standing=self._completion.standing,
            recheck=self._completion.recheck,
            calculate=calculate,
            clock=self._clock,
            identity=self._identity,
            owner=self._owner,
            checkpoint=self._checkpoint,
        )

    @cached_property
    def reconciler(self) -> Reconciler:
        """What compares the two ledgers."""
        firing = self.firing
        return Reconciler(database=self._database, account=firing.account, ledger=firing.ledger)

    def reconcile(self, supplier: bool) -> Result:  # noqa: FBT001 - a job's payload
        """Compare them; what was found, as a job's result. Raises ConnectorError, and NotReady without credentials."""
        report = self.reconciler.run(supplier=supplier)
        mismatches = [mismatch.id for mismatch in report.mismatches]
        if mismatches:
            _log.warning("the ledgers differ", mismatches=mismatches)
        return {"agrees": report.agrees, "mismatches": mismatches}
