"""The registry side on a bench: real HTTP to the registry's twin, a clock that a test moves, orders as a test says."""

import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from connectors.client import HttpClient
from connectors.isometric import Isometric
from connectors.policy import RetryPolicy, Timeouts
from connectors.simulated.registry import Registry
from connectors.simulated.registry_model import (
    CreditBatch,
    CreditOrder,
    DeliveryRequest,
    Line,
    Organisation,
    RegistryContent,
    Supplier,
)
from connectors.simulated.registry_server import RegistryCredentials, RegistryServer
from connectors.simulated.switches import Panel, RegistrySwitches
from tests.client_kit import Kit
from tests.clocks import NOON, ManualClock
from tests.databases import to_newest
from tests.order_kit import ACCOUNT, CUSTOMER, NUMBER, delivery, link, order_row
from tests.recheck_kit import at_once
from worker.checkpoints import Checkpoint
from worker.db import Database
from worker.db.tables import attempts, firing_history, orders, readings, switches
from worker.event_log import EventLog
from worker.events import OrderKey
from worker.firing.assembly import FiringParts, assemble
from worker.firing.policy import Mode, Policy
from worker.firing.rows import FiringRow
from worker.orders.amounts import Missing, calculate
from worker.orders.factors import load_factors
from worker.reconciler import Reconciler
from worker.standing import Calculation, DeliveryFacts, Link, Standing
from worker.states import OrderState
from worker.tasks import Tasks

KEY = OrderKey(ACCOUNT, CUSTOMER, NUMBER)
MARKER_KEY = "a marker key of the tests"
SETTLE = 300.0
TIMEOUT = 1.0
# Seconds that anything of the twin's may take.
PATIENCE = 10.0

SUPPLIER = Supplier(
    id="spl_1FJBMMGR3SBXKDME", organisation=Organisation(id="org_1AAAAAAAASBXAAAA", name="Supplier", domain=None)
)
BUYER = Organisation(id="org_1BBBBBBBBSBXBBBB", name="Buyer", domain=None)
ORDER = "ord_1FAN3S3WVSBXB842"
OTHER_ORDER = "ord_1CCCCCCCCSBXCCCC"
PROJECT = "prj_1DDDDDDDDSBXDDDD"


def batch(number: int, kg: int, *, project: str = PROJECT) -> CreditBatch:
    """A batch of the supplier; a higher number was issued later."""
    issued = NOON - timedelta(days=100 - number)
    return CreditBatch(
        id=f"ctb_1EEEEEEE{number}SBXEEEE",
        kg=kg,
        first_serial=number * 100_000,
        issued_at=issued,
        sequestered_on=issued.date(),
        issuance_id="iss_1FFFFFFFFSBXFFFF",
        project_id=project,
        removal_id="rmv_1GGGGGGGGSBXGGGG",
        supplier_id=SUPPLIER.id,
        owner=SUPPLIER.organisation,
    )


def credit_order(identity: str, kg: int) -> CreditOrder:
    """A credit order of the buyer."""
    return CreditOrder(
        id=identity, buyer=BUYER, supplier=SUPPLIER, contract_date=(NOON - timedelta(days=9)).date(), ordered_kg=kg
    )


class Died(BaseException):
    """Stands for the end of a process: nothing of ours may catch it."""


class Twin:
    """The registry's twin as a server, with its switches."""

    def __init__(self, clock: ManualClock, *, batches: Sequence[CreditBatch] | None = None) -> None:
        self.panel = Panel(RegistrySwitches(hang_seconds=3.0))
        content = RegistryContent(
            supplier=SUPPLIER,
            organisations=(SUPPLIER.organisation, BUYER),
            orders=(credit_order(ORDER, 1000), credit_order(OTHER_ORDER, 1000)),
            batches=tuple(batches or (batch(1, 400), batch(2, 400), batch(3, 400))),
        )
        chance = random.Random(7)  # noqa: S311 - a reproducible choice
        self.registry = Registry(content, clock=clock, chance=chance, panel=self.panel)
        credentials = RegistryCredentials(access_token="token-of-the-tests", client_secret="secret-of-the-tests")
        self.server = RegistryServer(self.registry, credentials=credentials, chance=chance)
        self.url = self.server.start()

    def happened(self) -> list[dict[str, Any]]:
        """What was truly delivered."""
        found: list[dict[str, Any]] = self.server.truth()["happened"]
        return found

    def wait_for_deliveries(self, count: int) -> None:
        """Return once so many deliveries have happened; a late commit comes by a timer of the twin's own."""
        deadline = time.monotonic() + PATIENCE
        while len(self.happened()) < count and time.monotonic() < deadline:
            time.sleep(0.01)

    def forget_orders(self) -> None:
        """Say of every credit order that it does not exist."""
        self._forgotten = self.registry._orders  # noqa: SLF001 - the twin has no switch for this
        self.registry._orders = {}  # noqa: SLF001

    def remember_orders(self) -> None:
        """Take that back."""
        self.registry._orders = self._forgotten  # noqa: SLF001

    def batches(self) -> list[dict[str, Any]]:
        """Every batch as it is now."""
        found = self.registry.batches(until=self.registry.clock.now())
        return [{"id": one.id, "status": one.status, "kg": one.kg, "delivery_id": one.delivery_id} for one in found]

    def posts(self) -> int:
        """How many requests to deliver arrived."""
        return len(self.server.ledger.as_json()["told"])

    def deliver_by_hand(self, kg: int, number: int, *, order: str = ORDER, notes: str | None = None) -> str:
        """Somebody else delivers from a batch; the id of the delivery."""
        lines = (Line(batch_id=batch(number, 1).id, kg=kg),)
        return self.registry.deliver(DeliveryRequest(order_id=order, notes=notes, lines=lines)).id


@dataclass
class Orders:
    """How the orders stand: what completion would say."""

    links: dict[OrderKey, Link | None] = field(default_factory=dict)
    states: dict[OrderKey, OrderState] = field(default_factory=dict)
    deliveries: dict[OrderKey, tuple[DeliveryFacts, ...]] = field(default_factory=dict)
    completed_at: Any = NOON

    def standing(self, connection: sa.Connection, key: OrderKey) -> Standing:
        """How the order stands."""
        del connection
        return self.recheck(key)

    def recheck(self, key: OrderKey) -> Standing:
        """The same, freshly read."""
        state = self.states.get(key, OrderState.OPEN)
        said = self.links.get(key)
        found = self.deliveries.get(key, ())
        content = f"{state}|{said}|{[one.content_hash for one in found]}"
        return Standing(
            key=key,
            state=state,
            reason="as the test says",
            deliveries=found,
            link=said,
            completed_at=self.completed_at,
            content_hash=content,
        )


class Bench:
    """Firing with everything it stands on. Several benches on one database are several processes."""

    def __init__(
        self,
        database: Database,
        clock: ManualClock,
        twin: Twin,
        *,
        stands: Orders | None = None,
        owner: str = "worker-1",
        credentials: bool = True,
        marker_key: str | None = MARKER_KEY,
        migrate: bool = False,
        checkpoint: Checkpoint | None = None,
        **policy: Any,  # noqa: ANN401 - any setting of the policy
    ) -> None:
        if migrate:
            to_newest(database)
        self.database = database
        self.clock = clock
        self.twin = twin
        self.stands = Orders() if stands is None else stands
        self.policy = replace(_POLICY, **policy)
        counter = itertools.count()
        self._client = _client(twin.url)
        self._others: list[Bench] = []
        tasks = Tasks(rules={}, identity=lambda: f"{owner}-{next(counter)}")
        self.parts: FiringParts = assemble(
            database=database,
            event_log=EventLog(tasks=tasks, subscriptions={}),
            registry=Isometric(self._client) if credentials else None,
            marker_key=marker_key,
            policy=self.policy,
            standing=self.stands.standing,
            recheck=at_once(self.stands.recheck),
            calculate=_calculate,
            clock=clock,
            identity=lambda: f"{owner}-{next(counter)}",
            owner=owner,
            **({} if checkpoint is None else {"checkpoint": checkpoint}),
        )
        self.reconciler = Reconciler(database=database, account=self.parts.account, ledger=self.parts.ledger)

    def again(self, *, owner: str = "worker-2", **changes: Any) -> "Bench":  # noqa: ANN401 - as above
        """Another process on the same database and registry, or the same one restarted with other settings."""
        said = {name: getattr(self.policy, name) for name in self.policy.__slots__}
        checkpoint = changes.pop("checkpoint", None)
        other = Bench(
            changes.pop("database", self.database),
            self.clock,
            self.twin,
            stands=self.stands,
            owner=owner,
            checkpoint=checkpoint,
            credentials=changes.pop("credentials", True),
            marker_key=changes.pop("marker_key", MARKER_KEY),
            **{**said, **changes},
        )
        self._others.append(other)
        return other

    def close(self) -> None:
        """Close what this bench opened, and what was made from it."""
        for bench in self._others:
            bench.close()
        self._client.close()

    def complete(self, key: OrderKey = KEY, *, kg: int | None = 300, order: str = ORDER, **changes: Any) -> None:  # noqa: ANN401 - of a link
        """Make the order complete and linked."""
        self.know(key)
        self.stands.states[key] = OrderState.COMPLETE
        self.stands.links[key] = link(purchase_order=key.purchase_order, credit_order_id=order, credit_kg=kg, **changes)
        self.stands.deliveries[key] = (delivery(_number_of(key), purchase_order=key.purchase_order),)

    def know(self, key: OrderKey) -> None:
        """Have the order's row, as completion writes it."""
        with self.database.write() as connection:
            known = sa.select(orders.c.id).where(
                orders.c.account == key.account,
                orders.c.customer_id == key.customer_id,
                orders.c.purchase_order == key.purchase_order,
            )
            if connection.execute(known).first() is None:
                connection.execute(sa.insert(orders).values(order_row(key)))

    def advance(self, key: OrderKey = KEY) -> FiringRow:
        """Look at the order once; its first firing."""
        self.parts.service.advance(key, lambda _connection: None)
        return self.firing(key)

    def settle(self, key: OrderKey = KEY, *, looks: int = 30) -> FiringRow:
        """Look whenever it is time, until nobody would look any more or the looks are used up."""
        firing = self.advance(key)
        for _ in range(looks):
            if firing.look_at is None:
                break
            self.clock.advance(max(0.0, (firing.look_at - self.clock.now()).total_seconds()))
            firing = self.advance(key)
        return firing

    def firing(self, key: OrderKey = KEY, ordinal: int = 0) -> FiringRow:
        """The firing as it stands."""
        with self.database.read() as connection:
            return next(one for one in self.parts.rows.of_order(connection, key) if one.ordinal == ordinal)

    def history(self, key: OrderKey = KEY) -> list[str]:
        """The states that the firing went through."""
        with self.database.read() as connection:
            statement = sa.select(firing_history.c.to_state).where(firing_history.c.firing_id == self.firing(key).id)
            return list(connection.execute(statement.order_by(firing_history.c.id)).scalars())

    def attempts(self) -> list[sa.Row[Any]]:
        """Every attempt, oldest first."""
        with self.database.read() as connection:
            return list(connection.execute(sa.select(attempts).order_by(attempts.c.id)))

    def readings(self) -> list[sa.Row[Any]]:
        """Every reading, oldest first."""
        with self.database.read() as connection:
            return list(connection.execute(sa.select(readings).order_by(readings.c.id)))

    def brakes_on(self) -> set[str]:
        """The names of the brakes that are on."""
        with self.database.read() as connection:
            return set(connection.execute(sa.select(switches.c.name).where(switches.c.on)).scalars())


_POLICY = Policy(
    mode=Mode.AUTOMATIC,
    host="127.0.0.1",
    since=NOON - timedelta(days=1),
    timeout_seconds=TIMEOUT,
    settle_seconds=SETTLE,
)


def order_key(number: int) -> OrderKey:
    """The key of the order PO-n."""
    return OrderKey(ACCOUNT, CUSTOMER, f"PO-{number}")


def _number_of(key: OrderKey) -> int:
    return int(key.purchase_order.rpartition("-")[2])


def _calculate(said: Link, found: Sequence[DeliveryFacts]) -> Calculation | Missing:
    return calculate(said, found, load_factors(None))


def _client(url: str) -> HttpClient:
    headers = {"Authorization": "Bearer token-of-the-tests", "x-client-secret": "secret-of-the-tests"}
    once = RetryPolicy(attempts=2, first_wait=0.01, max_wait=0.02, total=1.0)
    return Kit().client(url, headers=headers, retries=once, timeouts=Timeouts(read=TIMEOUT))
