"""What tests of barmate need: its twin on loopback, and the connector in front of it."""

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from connectors.barmate import Barmate, authorization
from connectors.barmate_outcomes import Outcome
from connectors.barmate_records import CustomerOrder, ResponseType
from connectors.barmate_writes import NewResponse
from connectors.policy import RetryPolicy
from connectors.simulated import barmate as twin
from connectors.simulated.barmate_orders import made_up
from connectors.simulated.barmate_server import BarmateServer
from connectors.simulated.barmate_switches import BarmateSwitches
from connectors.simulated.clock import Clock, SystemClock
from connectors.simulated.switches import Panel, changed
from tests.client_kit import Kit

TOKEN = "barmate-token-for-tests"
ONCE = RetryPolicy(attempts=1)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """The twin, its server, the connector, and what the client did."""

    server: BarmateServer
    account: Barmate
    kit: Kit = field(default_factory=Kit)

    @property
    def twin(self) -> twin.Barmate:
        """The twin's state."""
        return self.server.barmate

    def place(self, count: int = 1) -> list[str]:
        """Let customers ask for made up things, and return the ids."""
        chance = random.Random(1)  # noqa: S311 - repeatable, not secret
        return [self.twin.place({**made_up(chance), "type": "DELIVERY"}) for _ in range(count)]

    def order(self, key: str) -> CustomerOrder:
        """Read a customer order that can be read."""
        found = self.account.order(key).order
        assert isinstance(found, CustomerOrder)
        return found

    def respond(self, key: str, type_: ResponseType, reference: str | None = "LS1", *, seconds: float = 5) -> Outcome:
        """Send one response."""
        body = NewResponse(type=type_, reference=reference).body()
        return self.account.respond(key, body, deadline_seconds=seconds, before_connect=lambda: None)

    def emails(self, key: str) -> int:
        """How many e-mails the customer got about an order."""
        count: int = self.twin.truth()["emails_by_delivery"].get(key, 0)
        return count


def build(clock: Clock | None = None, **switches: object) -> BarmateServer:
    """Return a twin that is not served yet."""
    panel = Panel(changed(BarmateSwitches(), switches))
    state = twin.Barmate(clock=SystemClock() if clock is None else clock, panel=panel)
    return BarmateServer(state, token=TOKEN, chance=random.Random(1))  # noqa: S311 - repeatable, not secret


@contextlib.contextmanager
def staged(
    clock: Clock | None = None, *, token: str = TOKEN, retries: RetryPolicy = ONCE, **switches: object
) -> Iterator[Stage]:
    """Serve a twin with these switches, and yield it with a connector that reads once."""
    kit = Kit()
    with (
        build(clock, **switches) as server,
        kit.client(server.url, headers=authorization("token", token), retries=retries) as client,
    ):
        yield Stage(server=server, account=Barmate(client), kit=kit)
