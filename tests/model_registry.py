"""The registry in this process: the twin's own answers without sockets, and a memory that can be put back.

The connector above it is the real one; only its client is replaced, by one that asks the twin directly.
"""

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import orjson

from connectors.answer import Answer, Headers
from connectors.client import HttpClient
from connectors.errors import Interrupted, NotConnected, ServerFault
from connectors.redaction import Redactor
from connectors.simulated.http_server import Ending, Reply, Request
from connectors.simulated.registry import Registry
from connectors.simulated.registry_ledgers import ToldLedger
from connectors.simulated.registry_model import (
    CreditBatch,
    CreditDelivery,
    CreditOrder,
    DeliveryRequest,
    Line,
    RegistryContent,
)
from connectors.simulated.registry_posts import RegistryPosts
from connectors.simulated.registry_server import API_PATH, RegistryCredentials, RegistryServer
from connectors.simulated.registry_trouble import TroubleError
from connectors.simulated.replies import no_answer
from connectors.simulated.switches import LateStamp, Panel, PostFault, RegistrySwitches
from connectors.verdict import accepted
from tests.clocks import ManualClock
from tests.firing_kit import BUYER, ORDER, OTHER_ORDER, SUPPLIER, batch, credit_order

_TOKEN, _SECRET = "token", "secret"
_SYSTEM = "registry"
_HEADERS = {"authorization": f"Bearer {_TOKEN}", "x-client-secret": _SECRET}
# Seconds from a request to its late commit: long after the client has gone, before anybody believes in absence.
LATE_SECONDS = 100.0


class Trouble(StrEnum):
    """Everything that may befall one POST."""

    NONE = "none"
    NOT_CONNECTED = "not connected"
    REFUSED_BEFORE_COMMIT = "500 before commit"
    DROPPED_BEFORE_COMMIT = "dropped before commit"
    HUNG_BEFORE_COMMIT = "hung before commit"
    COMMITTED_AND_DROPPED = "committed, then dropped"
    COMMITTED_AND_500 = "committed, then 500"
    COMMITTED_AND_HUNG = "committed, then hung past the timeout"
    COMMITTED_LATE_STAMPED_EARLY = "committed late, stamped early"
    COMMITTED_LATE_STAMPED_LATE = "committed late, stamped late"
    THROTTLED_BEFORE_COMMIT = "429 before commit"
    THROTTLED_AFTER_COMMIT = "429 after commit"
    BROKEN_BODY = "200 with a broken body"
    FEWER_KILOGRAMS = "200 with fewer kilograms"
    OTHER_ORDER = "200 with another order"
    SENT_TWICE = "sent twice by the gateway"
    FOREIGN_404 = "a foreign 404"
    BATCHES_TAKEN = "the batches were used by hand meanwhile"
    ORDER_FILLED = "the credit order was filled by hand meanwhile"


_FAULTS = {
    Trouble.REFUSED_BEFORE_COMMIT: PostFault.REFUSE_BEFORE_COMMIT,
    Trouble.DROPPED_BEFORE_COMMIT: PostFault.DROP_BEFORE_COMMIT,
    Trouble.HUNG_BEFORE_COMMIT: PostFault.HANG_BEFORE_COMMIT,
    Trouble.COMMITTED_AND_DROPPED: PostFault.COMMIT_THEN_DROP,
    Trouble.COMMITTED_AND_500: PostFault.COMMIT_THEN_500,
    Trouble.COMMITTED_AND_HUNG: PostFault.COMMIT_THEN_HANG,
    Trouble.COMMITTED_LATE_STAMPED_EARLY: PostFault.COMMIT_LATE,
    Trouble.COMMITTED_LATE_STAMPED_LATE: PostFault.COMMIT_LATE,
    Trouble.THROTTLED_BEFORE_COMMIT: PostFault.THROTTLE_BEFORE_COMMIT,
    Trouble.THROTTLED_AFTER_COMMIT: PostFault.THROTTLE_AFTER_COMMIT,
    Trouble.BROKEN_BODY: PostFault.BROKEN_JSON,
    Trouble.FEWER_KILOGRAMS: PostFault.FEWER_KG_IN_BODY,
    Trouble.OTHER_ORDER: PostFault.OTHER_ORDER_IN_BODY,
    Trouble.SENT_TWICE: PostFault.GATEWAY_TWICE,
    Trouble.FOREIGN_404: PostFault.FOREIGN_404,
}


class Reads(StrEnum):
    """How the registry answers the reads of one look."""

    GOOD = "good"
    FAILING = "failing"
    STALE = "stale"
    PARTIAL = "partial"


_READING = {Reads.STALE: {"read_stale": 1.0}, Reads.PARTIAL: {"read_partial": 1.0}}


@dataclass(frozen=True, slots=True)
class Late:
    """A request that will take effect after its client has gone."""

    due: datetime
    post: Any
    stamped: datetime | None


@dataclass(frozen=True, slots=True)
class Memory:
    """Everything the registry remembers."""

    deliveries: tuple[CreditDelivery, ...]
    batches: dict[str, CreditBatch]
    chance: object
    late: tuple[Late, ...]


class _LatePosts(RegistryPosts):
    """The twin's POST, whose late commits wait for the model's clock instead of a timer."""

    def __init__(self, registry: Registry, *, ledger: ToldLedger, chance: random.Random) -> None:
        super().__init__(registry, ledger=ledger, chance=chance)
        self.late: list[Late] = []

    def commit_late(self, late: Late) -> None:
        """Let a request that was on its way take effect."""
        self._commit(late.post, late.stamped)

    def _commit_late(self, post: Any) -> Reply:  # noqa: ANN401 - the twin's own private type
        early = self._registry.panel.now.late_stamp is LateStamp.EARLY
        self.late.append(Late(post.at + timedelta(seconds=LATE_SECONDS), post, post.at if early else None))
        return no_answer()


class LocalRegistry:
    """The twin, asked by function calls."""

    def __init__(
        self,
        clock: ManualClock,
        *,
        orders: Sequence[CreditOrder] | None = None,
        batches: Sequence[CreditBatch] | None = None,
        **switches: object,
    ) -> None:
        self.clock = clock
        self.panel = Panel(RegistrySwitches(**{"stale_seconds": 5.0, "retry_after": False, **switches}))  # type: ignore[arg-type]
        self._chance = random.Random(7)  # noqa: S311 - a reproducible choice
        content = RegistryContent(
            supplier=SUPPLIER,
            organisations=(SUPPLIER.organisation, BUYER),
            orders=tuple(orders or (credit_order(ORDER, 1000), credit_order(OTHER_ORDER, 1000))),
            batches=tuple(batches or (batch(1, 400), batch(2, 400), batch(3, 400))),
        )
        self.registry = Registry(content, clock=clock, chance=self._chance, panel=self.panel)
        # Of its own, so that ids depend on nothing but the deliveries that were made.
        other = random.Random(8)  # noqa: S311 - as above
        credentials = RegistryCredentials(access_token=_TOKEN, client_secret=_SECRET)
        self._server = RegistryServer(self.registry, credentials=credentials, chance=other)
        self._posts = _LatePosts(self.registry, ledger=self._server.ledger, chance=other)
        self._server.posts = self._posts

    @property
    def late(self) -> list[Late]:
        """Requests that are still on their way."""
        return self._posts.late

    def happened(self) -> list[CreditDelivery]:
        """What was truly delivered, oldest first."""
        return list(self.registry._deliveries)  # noqa: SLF001 - the twin shows it only as JSON

    def batches(self) -> dict[str, CreditBatch]:
        """Every batch as it truly is."""
        return dict(self.registry._batches._batches)  # noqa: SLF001 - as above

    def save(self) -> Memory:
        """What it remembers now."""
        return Memory(tuple(self.happened()), self.batches(), self._chance.getstate(), tuple(self.late))

    def restore(self, memory: Memory) -> None:
        """Remember that and nothing else."""
        self.registry._deliveries[:] = memory.deliveries  # noqa: SLF001 - no operator can do this, only a model
        self.registry._batches._batches = dict(memory.batches)  # noqa: SLF001 - as above
        self._chance.setstate(memory.chance)  # type: ignore[arg-type]
        self._posts.late[:] = memory.late

    def pass_time(self, seconds: float) -> None:
        """Let time pass; what is due meanwhile takes effect at its moment."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while due := [one for one in self.late if one.due <= end]:
            first = min(due, key=lambda one: one.due)
            self.late.remove(first)
            self.clock.advance(max(0.0, (first.due - self.clock.now()).total_seconds()))
            self._posts.commit_late(first)
        self.clock.advance((end - self.clock.now()).total_seconds())

    def deliver_by_hand(self, order_id: str, batch_id: str, kg: int) -> None:
        """Somebody else delivers from that batch, if that is possible at all."""
        try:
            self.registry.deliver(
                DeliveryRequest(order_id=order_id, notes=None, lines=(Line(batch_id=batch_id, kg=kg),))
            )
        except TroubleError:
            return

    def interfere(self, body: bytes, trouble: Trouble) -> None:
        """Let somebody else be faster than the request, where that is the trouble."""
        asked = orjson.loads(body)
        lines, order_id = asked["credit_batch_quantities"], asked["order_id"]
        if trouble is Trouble.BATCHES_TAKEN:
            first = lines[0]
            self.deliver_by_hand(OTHER_ORDER, first["credit_batch_id"], first["credit_quantity_kg"])
        if trouble is Trouble.ORDER_FILLED:
            pinned = {line["credit_batch_id"] for line in lines}
            left = self.registry.order(order_id).ordered_kg - self.registry.delivered_kg(order_id)
            free = [
                one for one in self.batches().values() if one.id not in pinned and one.usable_by(SUPPLIER.organisation)
            ]
            if free:
                self.deliver_by_hand(order_id, free[0].id, min(left, free[0].kg))

    def get(self, path: str, params: Sequence[tuple[str, str]], reads: Reads) -> Reply:
        """Answer a read."""
        if reads not in _READING:
            return self._ask("GET", path, query=tuple(params))
        usual = self.panel.now
        self.panel.change(_READING[reads])
        try:
            return self._ask("GET", path, query=tuple(params))
        finally:
            self.panel.now = usual

    def post(self, body: bytes, trouble: Trouble) -> Reply:
        """Answer a POST, with that trouble."""
        if trouble in _FAULTS:
            stamp = LateStamp.EARLY if trouble is Trouble.COMMITTED_LATE_STAMPED_EARLY else LateStamp.LATE
            self.panel.now = replace(self.panel.now, script=(_FAULTS[trouble],), late_stamp=stamp)
        return self._ask("POST", "/deliveries", body=body)

    def _ask(self, method: str, path: str, *, query: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Reply:
        asked = Request(method=method, path=f"{API_PATH}{path}", query=query, headers=_HEADERS, body=body)
        return self._server.answer(asked)


class LocalClient(HttpClient):
    """A client whose requests are function calls; `choose` says what befalls a POST, `effect` that it took effect."""

    def __init__(
        self,
        registry: LocalRegistry,
        *,
        choose: Callable[[], Trouble] = lambda: Trouble.NONE,
        effect: Callable[[], None] = lambda: None,
        before_read: Callable[[], None] = lambda: None,
        observe: Callable[[bytes], None] = lambda _body: None,
    ) -> None:
        self.redactor = Redactor([])
        self.reads = Reads.GOOD
        self._registry = registry
        self._choose = choose
        self._effect = effect
        self._before_read = before_read
        self._told = observe

    def get(
        self,
        path: str,
        params: Sequence[tuple[str, str]] = (),
        *,
        operation: str,
        allow: Collection[int] = (),
    ) -> Answer:
        """The answer to a read. Raises the connector's errors."""
        self._before_read()
        if self.reads is Reads.FAILING:
            raise ServerFault(_SYSTEM, operation, "HTTP 500: as the model says", status=500)
        return accepted(self._answered(self._registry.get(path, params, self.reads), operation), allow)

    def post_once(
        self,
        path: str,
        body: bytes,
        *,
        deadline_seconds: float,
        operation: str,
        before_connect: Callable[[], None],
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Answer:
        """The answer to the POST. Raises NotConnected and Interrupted as the real client does."""
        del path, headers
        before_connect()
        trouble = self._choose()
        if trouble is Trouble.NOT_CONNECTED:
            raise NotConnected(_SYSTEM, operation, "as the model says")
        self._registry.interfere(body, trouble)
        reply = self._registry.post(body, trouble)
        self._effect()
        if reply.delay_seconds:
            self._registry.pass_time(deadline_seconds)
        if reply.ending is not Ending.WHOLE:
            raise Interrupted(_SYSTEM, operation, "as the model says")
        return self._answered(reply, operation)

    def close(self) -> None:
        """There is nothing to close."""

    def _answered(self, reply: Reply, operation: str) -> Answer:
        self._told(reply.body)
        return Answer(
            status=reply.status, headers=Headers(reply.headers), body=reply.body, system=_SYSTEM, operation=operation
        )
