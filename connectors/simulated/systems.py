"""All four twins together, built from one set of options; the composition root of this package."""

from __future__ import annotations

import base64
import random
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Final, Self

import orjson

from connectors.simulated import faults as fault_catalogue
from connectors.simulated.barmate import Barmate
from connectors.simulated.barmate_server import BarmateServer
from connectors.simulated.barmate_story import customer_steps, customers, rescheduled, without_the_unasked
from connectors.simulated.barmate_switches import BarmateSwitches
from connectors.simulated.clock import Clock, SystemClock
from connectors.simulated.http_server import LocalServer
from connectors.simulated.receiver import Receiver
from connectors.simulated.receiver_server import ReceiverServer
from connectors.simulated.registry import Registry
from connectors.simulated.registry_server import RegistryCredentials, RegistryServer
from connectors.simulated.story import tell
from connectors.simulated.story_words import StoryPlan
from connectors.simulated.switches import Panel, ReceiverSwitches, RegistrySwitches, WarehouseSwitches, changed
from connectors.simulated.warehouse import Warehouse
from connectors.simulated.warehouse_server import WarehouseServer
from connectors.simulated.warehouse_story import warehouse_player
from connectors.simulated.warehouse_words import READ_SCOPE, WRITE_SCOPE

API_KEY: Final = "simulated-warehouse-key"
READ_ONLY_KEY: Final = "simulated-warehouse-read-only-key"
NO_SCOPE_KEY: Final = "simulated-warehouse-key-without-scope"
CLIENT_SECRET: Final = "simulated-registry-client-secret"  # noqa: S105 - opens nothing but the twin
WEBHOOK_SECRET: Final = "whsec_" + base64.b64encode(b"simulated webhook signing key 01").decode()
BARMATE_TOKEN: Final = "simulated-barmate-token"  # noqa: S105 - opens nothing but the twin
# Seconds since 1970 (2100-01-01): the token of the twin never expires while anybody rehearses.
TOKEN_EXPIRES: Final = 4_102_444_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where to listen; 0 is any free port."""

    warehouse: int = 0
    registry: int = 0
    webhook: int = 0
    barmate: int = 0
    control: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to build: a story, the faults, where to listen, and switches that overrule the faults'."""

    plan: StoryPlan = field(default_factory=StoryPlan)
    # Customer orders: enough for every course they can take; a story of a million deliveries must not drown in them.
    customer_orders: int = 200
    faults: tuple[fault_catalogue.Fault, ...] = ()
    ports: Ports = field(default_factory=Ports)
    warehouse: WarehouseSwitches = field(default_factory=WarehouseSwitches)
    registry: RegistrySwitches = field(default_factory=RegistrySwitches)
    webhook: ReceiverSwitches = field(default_factory=ReceiverSwitches)
    barmate: BarmateSwitches = field(default_factory=BarmateSwitches)


class Systems:
    """The four twins with their servers, the player of the story and the customers in it; a context manager."""

    def __init__(self, options: Options, *, clock: Clock | None = None) -> None:
        """Build everything; ``clock`` defaults to the machine's own time."""
        self.clock = SystemClock() if clock is None else clock
        told = tell(changed_plan(options))
        named = without_the_unasked(told.steps, most=options.customer_orders)
        self.story = replace(told, steps=rescheduled(named, most=options.customer_orders))
        self._options = options
        self.warehouse_server = self._warehouse()
        self.registry_server = self._registry()
        self.receiver_server = self._receiver()
        self.barmate_server = self._barmate()
        self.player = warehouse_player(self.story, self.warehouse_server.warehouse, self.clock)
        deeds = customer_steps(self.story.steps, self._chance("customers"), most=options.customer_orders)
        self.customers = customers(deeds, self.barmate_server.barmate, self.clock)

    def start(self, *, play: bool = True) -> dict[str, Any]:
        """Load the history, serve, let the story's time flow unless told not to, and return the addresses and keys."""
        self.player.load_history()
        self.customers.load_history()
        for server in self.servers().values():
            server.start()
        if play:
            self.play()
        return self.addresses()

    def play(self) -> None:
        """Let the story's time flow; playing twice is harmless."""
        self.player.start()
        self.customers.start()

    def skip(self, seconds: float) -> None:
        """Do at once what the next ``seconds`` of the story bring."""
        self.player.skip(seconds)
        self.customers.skip(seconds)

    def stop(self) -> None:
        """Stop everything."""
        self.player.stop()
        self.customers.stop()
        for server in self.servers().values():
            server.stop()

    def servers(self) -> dict[str, LocalServer]:
        """Return the servers by system."""
        return {
            "warehouse": self.warehouse_server,
            "registry": self.registry_server,
            "webhook": self.receiver_server,
            "barmate": self.barmate_server,
        }

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def addresses(self) -> dict[str, Any]:
        """Return where each system is and what opens it."""
        credentials = self.registry_server.credentials
        return {
            "warehouse": {
                "url": self.warehouse_server.url,
                "api_key": API_KEY,
                "read_only_key": READ_ONLY_KEY,
                "no_scope_key": NO_SCOPE_KEY,
            },
            "registry": {
                "url": self.registry_server.url,
                "access_token": credentials.access_token,
                "client_secret": credentials.client_secret,
                "supplier_id": self.story.registry.supplier.id,
                "organisation_id": self.story.registry.supplier.organisation.id,
            },
            "webhook": {"url": self.receiver_server.url, "secret": WEBHOOK_SECRET},
            "barmate": {"url": self.barmate_server.url, "token": BARMATE_TOKEN},
        }

    def panels(self) -> dict[str, Panel[Any]]:
        """Return the switches by system."""
        return {
            "warehouse": self.warehouse_server.panel,
            "registry": self.registry_server.registry.panel,
            "webhook": self.receiver_server.receiver.panel,
            "barmate": self.barmate_server.barmate.panel,
        }

    def _chance(self, purpose: str) -> random.Random:
        return random.Random(f"{purpose} {self._options.plan.seed}")  # noqa: S311 - repeatable, not secret

    def _warehouse(self) -> WarehouseServer:
        switches = changed(self._options.warehouse, fault_catalogue.merged(self._options.faults, "warehouse"))
        warehouse = Warehouse(clock=self.clock, chance=self._chance("warehouse"), panel=Panel(switches))
        keys = {API_KEY: (READ_SCOPE, WRITE_SCOPE), READ_ONLY_KEY: (READ_SCOPE,), NO_SCOPE_KEY: ()}
        chance = self._chance("warehouse faults")
        return WarehouseServer(warehouse, keys=keys, chance=chance, port=self._options.ports.warehouse)

    def _registry(self) -> RegistryServer:
        switches = changed(self._options.registry, fault_catalogue.merged(self._options.faults, "registry"))
        panel = Panel(switches)
        registry = Registry(self.story.registry, clock=self.clock, chance=self._chance("registry"), panel=panel)
        token = access_token(self.story.registry.supplier.organisation.id)
        credentials = RegistryCredentials(access_token=token, client_secret=CLIENT_SECRET)
        chance = self._chance("registry faults")
        return RegistryServer(registry, credentials=credentials, chance=chance, port=self._options.ports.registry)

    def _receiver(self) -> ReceiverServer:
        switches = changed(self._options.webhook, fault_catalogue.merged(self._options.faults, "webhook"))
        receiver = Receiver(secret=WEBHOOK_SECRET, clock=self.clock, panel=Panel(switches))
        return ReceiverServer(receiver, chance=self._chance("webhook faults"), port=self._options.ports.webhook)

    def _barmate(self) -> BarmateServer:
        switches = changed(self._options.barmate, fault_catalogue.merged(self._options.faults, "barmate"))
        barmate = Barmate(clock=self.clock, panel=Panel(switches))
        chance = self._chance("barmate faults")
        return BarmateServer(barmate, token=BARMATE_TOKEN, chance=chance, port=self._options.ports.barmate)


def changed_plan(options: Options) -> StoryPlan:
    """Return the plan with what the chosen faults plant in it."""
    planted: dict[str, int] = fault_catalogue.merged(options.faults, "story")
    plan = options.plan
    return StoryPlan(
        seed=plan.seed,
        deliveries=plan.deliveries,
        orders=plan.orders,
        linked_share=plan.linked_share,
        seconds=plan.seconds,
        bad_records=planted.get("bad_records", plan.bad_records),
        unknown_values=planted.get("unknown_values", plan.unknown_values),
        deletions=planted.get("deletions", plan.deletions),
    )


def access_token(organisation_id: str) -> str:
    """Return a token of the documented form (a JWT scoped to one organisation); its signature opens nothing."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": organisation_id, "exp": TOKEN_EXPIRES}, {"simulated": True})
    return ".".join(base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in parts)
