"""Assembly: everything of firing, put together once from what the composition root has."""

from collections.abc import Callable
from dataclasses import dataclass

from connectors.isometric import Isometric
from worker.checkpoints import Checkpoint, nothing
from worker.clock import Clock
from worker.db import Database
from worker.event_log import EventLog
from worker.events import OrderKey
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
from worker.standing import Standing


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
    recheck: Callable[[OrderKey], Standing],
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
    ledger = Ledger(database=database, account=account, attributor=attributor)
    readiness = Readiness(
        database=database, brakes=brakes, account=account, standing=standing, calculate=calculate, policy=policy
    )
    unsent = Unsent(database=database, rows=rows, readiness=readiness, owner=owner)
    overdue = Overdue(database=database, rows=rows, owner=owner)
    person = Person(
        database=database,
        rows=rows,
        brakes=brakes,
        confirming=confirming,
        readiness=readiness,
        unsent=unsent,
        policy=policy,
    )
    service = Firing(
        database=database,
        rows=rows,
        brakes=brakes,
        account=account,
        ledger=ledger,
        unsent=unsent,
        preparing=Preparing(database=database, account=account, ledger=ledger, recheck=recheck, clock=clock),
        freezing=Freezing(database=database, rows=rows, readiness=readiness, clock=clock, owner=owner),
        sending=Sending(account=account, clock=clock, checkpoint=checkpoint),
        recording=Recording(database=database, rows=rows, brakes=brakes, confirming=confirming, owner=owner),
        resolving=Resolving(database=database, rows=rows, account=account, ledger=ledger, policy=policy, owner=owner),
        repeating=Repeating(database=database, rows=rows, readiness=readiness, policy=policy, owner=owner),
        overdue=overdue,
        lock=AccountLock(database=database, name=f"registry:{policy.host}", identity=identity),
        checkpoint=checkpoint,
    )
    return FiringParts(
        service=service,
        person=person,
        overdue=overdue,
        ledger=ledger,
        brakes=brakes,
        account=account,
        rows=rows,
        readiness=readiness,
    )
