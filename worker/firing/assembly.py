"""Assembly: everything of firing, put together once from what the composition root has."""

from collections.abc import Callable
from dataclasses import dataclass

from connectors.isometric import Isometric
from worker.checkpoints import Checkpoint, nothing
from worker.clock import Clock
from worker.db import Database
from worker.event_log import EventLog
from worker.firing.account import RegistryAccount
from worker.firing.attribution import Attributor
from worker.firing.brakes import Brakes
from worker.firing.confirming import Confirming
from worker.firing.freezing import Freezing
from worker.firing.ledger import Ledger
from worker.firing.lock import AccountLock
from worker.firing.overdue import Overdue
from worker.firing.person import Person
from worker.firing.policy import Policy
from worker.firing.preparing import Preparing
from worker.firing.readiness import FindStanding, Readiness
from worker.firing.recording import Recording
from worker.firing.repeating import Repeating
from worker.firing.resolving import Resolving
from worker.firing.rows import FiringRows
from worker.firing.sending import Sending
from worker.firing.service import Firing
from worker.firing.unsent import Unsent
from worker.orders.amounts import Calculate
from worker.standing import Recheck


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringParts:
    """What others use of firing."""

    service: Firing
    person: Person
    overdue: Overdue
    ledger: Ledger
    brakes: Brakes
    account: RegistryAccount
    rows: FiringRows
    readiness: Readiness


def assemble(
    *,
    database: Database,
    event_log: EventLog,
    registry: Isometric | None,
    marker_key: str | None,
    policy: Policy,
    standing: FindStanding,
    recheck: Recheck,
    calculate: Calculate,
    clock: Clock,
    identity: Callable[[], str],
    owner: str,
    checkpoint: Checkpoint = nothing,
) -> FiringParts:
    """Build the registry side. `registry` is None without credentials; `owner` names this process in the history."""
    rows = FiringRows(database=database, event_log=event_log)
    brakes = Brakes(database=database, event_log=event_log)
    account = RegistryAccount(
        database=database, registry=registry, host=policy.host, marker_key=marker_key, clock=clock
    )
    confirming = Confirming(database=database, rows=rows, brakes=brakes)
    attributor = Attributor(account=account, rows=rows, confirming=confirming, by=owner)
    base = _Base(
        database=database,
        rows=rows,
        brakes=brakes,
        account=account,
        confirming=confirming,
        ledger=Ledger(database=database, account=account, attributor=attributor),
        readiness=Readiness(
            database=database, brakes=brakes, account=account, standing=standing, calculate=calculate, policy=policy
        ),
        policy=policy,
        clock=clock,
        owner=owner,
    )
    lock = AccountLock(database=database, name=f"registry:{policy.host}", identity=identity)
    return base.parts(recheck=recheck, lock=lock, checkpoint=checkpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Base:
    """What everything else of firing stands on."""

    database: Database
    rows: FiringRows
    brakes: Brakes
    account: RegistryAccount
    confirming: Confirming
    ledger: Ledger
    readiness: Readiness
    policy: Policy
    clock: Clock
    owner: str

    def parts(self, *, recheck: Recheck, lock: AccountLock, checkpoint: Checkpoint) -> FiringParts:
        unsent = Unsent(database=self.database, rows=self.rows, readiness=self.readiness, owner=self.owner)
        overdue = Overdue(database=self.database, rows=self.rows, owner=self.owner)
        preparing = Preparing(
            database=self.database, account=self.account, ledger=self.ledger, recheck=recheck, clock=self.clock
        )
        return FiringParts(
            service=self._service(unsent, overdue, preparing, lock, checkpoint),
            person=self._person(unsent),
            overdue=overdue,
            ledger=self.ledger,
            brakes=self.brakes,
            account=self.account,
            rows=self.rows,
            readiness=self.readiness,
        )

    def _person(self, unsent: Unsent) -> Person:
        return Person(
            database=self.database,
            rows=self.rows,
            brakes=self.brakes,
            confirming=self.confirming,
            readiness=self.readiness,
            unsent=unsent,
            policy=self.policy,
        )

    def _service(
        self, unsent: Unsent, overdue: Overdue, preparing: Preparing, lock: AccountLock, checkpoint: Checkpoint
    ) -> Firing:
        database, rows, owner = self.database, self.rows, self.owner
        account, ledger, readiness, policy = self.account, self.ledger, self.readiness, self.policy
        return Firing(
            database=database,
            rows=rows,
            brakes=self.brakes,
            account=account,
            ledger=ledger,
            unsent=unsent,
            preparing=preparing,
            freezing=Freezing(
                database=database, rows=rows, readiness=readiness, clock=self.clock, owner=owner, checkpoint=checkpoint
            ),
            sending=Sending(account=account, clock=self.clock, checkpoint=checkpoint),
            recording=Recording(
                database=database,
                rows=rows,
                brakes=self.brakes,
                confirming=self.confirming,
                owner=owner,
                checkpoint=checkpoint,
            ),
            resolving=Resolving(
                database=database,
                rows=rows,
                account=account,
                ledger=ledger,
                policy=policy,
                owner=owner,
                checkpoint=checkpoint,
            ),
            repeating=Repeating(database=database, rows=rows, readiness=readiness, policy=policy, owner=owner),
            overdue=overdue,
            lock=lock,
            checkpoint=checkpoint,
        )
