"""What tests of writing share: the warehouse's twin behind HTTP, intents on a database, and processes that may die."""

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import sqlalchemy as sa

from connectors.client import HttpClient
from connectors.errors import ConnectorError, Interrupted
from connectors.logistic_cloud_writes import DeliveryWrites
from connectors.simulated.articles import ARTICLES
from connectors.simulated.switches import PostFault
from connectors.simulated.warehouse_query import parse_filter
from connectors.simulated.warehouse_server import WarehouseServer
from connectors.simulated.warehouse_words import READ_SCOPE, WRITE_SCOPE
from connectors.simulated.warehouse_writes import line_item
from tests.client_kit import SECRET, Kit
from tests.clocks import ManualClock
from tests.databases import migrated
from tests.reading_kit import ACCOUNT, Bench, record
from tests.runtime_kit import eventually
from worker.errors import LostClaim
from worker.kinds import RULES
from worker.states import WriteAction
from worker.tasks import Tasks
from worker.work import Done, GiveUp, Later, Outcome
from worker.writing import form
from worker.writing.intents import Asked, Intents, Queued, Write
from worker.writing.sender import Sender
from worker.writing.service import WritingService
from worker.writing.source_look import SourceLook

READ_ONLY = "read-only-key"
# Seconds that the twin's hanging answers are waited for.
SHORT = 0.3
# A write that does not arrive.
NEVER = PostFault.DROP_BEFORE_COMMIT
# Looks at an intent after which it must have ended.
PATIENCE = 12

ITEM = {"articleId": 71035893, "quantity": 5000}
NEW: dict[str, Any] = {
    "customerId": 1000050,
    "number": "LS010328",
    "numberPurchaseOrder": "PO123456",
    "date": "2024-05-13T09:30:00Z",
    "note": "Unload with care!",
    "attributes": {"areaId": "1000175", "placeId": "1145046"},
    "lineItems": [ITEM],
}


class Died(BaseException):
    """The process is gone: nothing of it runs on."""


@dataclass(slots=True)
class DieAt:
    """A checkpoint at which the process dies, at its n-th passing; None: nowhere."""

    name: str | None
    nth: int = 1
    passed: list[str] = field(default_factory=list)

    def __call__(self, name: str) -> None:
        """Pass, or die."""
        self.passed.append(name)
        if name == self.name and self.passed.count(name) == self.nth:
            raise Died


@dataclass(slots=True)
class Desk:
    """An installation at the twin, and its intents."""

    bench: Bench
    server: WarehouseServer
    kit: Kit = field(default_factory=Kit)
    told: dict[str, object] = field(default_factory=dict)
    # One for each key: making one takes longer than all that it does here.
    clients: dict[str, HttpClient] = field(default_factory=dict)

    @property
    def clock(self) -> ManualClock:
        """The one clock of us and the twin."""
        return self.bench.clock

    @property
    def intents(self) -> Intents:
        """The rows."""
        ids = random.Random()  # noqa: S311 - identities of tests
        names: Callable[[], str] = lambda: f"{ids.getrandbits(64):x}"  # noqa: E731
        return Intents(tasks=Tasks(rules=RULES, identity=names), identity=names)

    def service(self, checkpoint: Callable[[str], None], *, key: str = SECRET) -> WritingService:
        """What a process that has just started writes with."""
        if key not in self.clients:
            self.clients[key] = self.kit.client(self.server.url, headers={"X-Api-Key": key})
        recorder = self.bench.built().recorder
        return WritingService(
            database=self.bench.database,
            intents=self.intents,
            look=SourceLook(sources={ACCOUNT: self.bench.source}, recorder=recorder, database=self.bench.database),
            sender=Sender(writers={ACCOUNT: DeliveryWrites(self.clients[key])}, seconds=SHORT),
            checkpoint=checkpoint,
        )

    def ask(self, action: WriteAction, wanted: Mapping[str, object], delivery_id: int | None = None) -> Queued:
        """Keep an intent, as the command does."""
        reader = {WriteAction.CREATE: form.new_delivery, WriteAction.UPDATE: form.changes}.get(action)
        read = {} if reader is None else reader(dict(wanted))
        asked = Asked(account=ACCOUNT, action=action, delivery_id=delivery_id, wanted=read)
        with self.bench.database.write() as connection:
            return self.intents.ask(connection, asked, self.clock.now())

    def create(self, **changes: object) -> Queued:
        """Ask for a delivery."""
        return self.ask(WriteAction.CREATE, {**NEW, **changes})

    def draft(self, number: str, **changes: object) -> int:
        """A draft that is at the twin already; its id."""
        known = self.bench.warehouse.reserve_id()
        item = {**line_item(known, ARTICLES[71035893], 5000), "note": "Look twice."}
        row = record(number, **{"status": "draft", "lineItems": [item], **changes})
        self.bench.warehouse.put(known, {"id": known, **row})
        return known

    def work(self, queued: Queued, die: DieAt | None = None, *, key: str = SECRET) -> Outcome:
        """Let processes go on with the intent until it ends; the first of them may die."""
        checkpoint = DieAt(None) if die is None else die
        service, attempts = self.service(checkpoint, key=key), 0
        for _ in range(PATIENCE):
            attempts += 1
            try:
                outcome = service.advance(queued.write, attempts, self.close)
            except (Died, LostClaim):
                service = self.service(DieAt(None), key=key)
                continue
            except ConnectorError:
                self.clock.advance(5)
                continue
            if not isinstance(outcome, Later):
                return outcome
            attempts -= 0 if outcome.counted else 1
            # What is late is late within the settle time; a later one is beyond the promise.
            assert eventually(lambda: not self.server.posts.pending)
            self.clock.advance(max(0.0, (outcome.until - self.clock.now()).total_seconds()))
        raise AssertionError(self.write(queued))

    def close(self, connection: sa.Connection, result: Mapping[str, object] | None = None) -> None:
        """Keep what the task would be closed with."""
        del connection
        self.told = dict(result or {})

    def write(self, queued: Queued) -> Write:
        """The intent as it stands."""
        with self.bench.database.read() as connection:
            found = self.intents.find(connection, queued.write)
        assert found is not None
        return found

    def script(self, *faults: PostFault) -> None:
        """Let the next writing calls meet these."""
        self.bench.warehouse.panel.change({"script": faults, "hang_seconds": 5.0, "late_commit_seconds": 0.02})

    def rows(self, **exact: str) -> list[dict[str, Any]]:
        """Deliveries at the twin, past everything."""
        params = [("pageSize", "250"), *exact.items()]
        return [orjson.loads(body) for body in self.bench.warehouse.find(parse_filter(params)).bodies]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The twin's ledger of writing calls."""
        return self.server.posts.truth()

    @property
    def effects(self) -> int:
        """How often a writing call took effect."""
        return sum(call["effects"] for call in self.calls)


@contextmanager
def desk(url: str, **switches: bool) -> Iterator[Desk]:
    """A desk on the database at `url`, its twin listening."""
    clock = ManualClock()
    with migrated(url, clock) as database:
        bench = Bench(database, clock, lag=60.0, requests_per_second=0.0)
        bench.warehouse.panel.change(switches)
        keys = {SECRET: (READ_SCOPE, WRITE_SCOPE), READ_ONLY: (READ_SCOPE,)}
        with WarehouseServer(bench.warehouse, keys=keys, chance=random.Random(1)) as server:  # noqa: S311
            made = Desk(bench, server)
            yield made
        for client in made.clients.values():
            client.close()


def lost() -> Interrupted:
    """What a look meets whose answer does not come."""
    return Interrupted("logistic.cloud", "list deliveries", "no answer")


def no(outcome: Outcome) -> str:
    """The reason of a write that was given up."""
    assert isinstance(outcome, GiveUp), outcome
    return outcome.reason


def ended(outcome: Outcome) -> str:
    """How it ended, in a word."""
    return {Done: "done", GiveUp: "given up"}[type(outcome)]
