"""The clients of the systems outside, each with its budget and its credentials, from the settings."""

from collections.abc import Callable
from random import Random

from connectors.barmate import Barmate, authorization
from connectors.client import HttpClient
from connectors.isometric import Isometric
from connectors.logistic_cloud import LogisticCloud
from connectors.logistic_cloud_writes import DeliveryWrites
from connectors.policy import Timeouts, Unmetered
from connectors.webhook import WebhookTarget
from settings import AccountSettings, BarmateSettings, IsometricSettings, WebhookSettings
from worker.budget import Budget, Lane
from worker.clock import Clock
from worker.db import Database
from worker.reading.account_source import AccountSource
from worker.reading.accounts import fingerprint_of, source_budget
from worker.reading.prepared_pages import PreparedPages
from worker.reading.preparer import Preparer
from worker.reading.waits import Waits, WatchedTurns

# Requests a second from which on pages come faster than they are waited for: below, a turn taken ahead is one that
# somebody else waits for.
FAST = 5.0
# Pages read ahead where it pays: more than are stored at a time on average, and a few megabytes.
AHEAD_PAGES = 6

Sleep = Callable[[float], None]

# Seconds to connect to the operator's receiver: a third of what a post may take in all, since a name may have several
# addresses that are tried in turn.
_RECEIVER_CONNECT_SECONDS = 5.0


class Clients:
    """Makes clients and closes them. Opens no connection."""

    def __init__(self, *, database: Database, clock: Clock, random: Random, sleep: Sleep, steady_sleep: Sleep) -> None:
        """`sleep` ends with the process; `steady_sleep` does not: a delivery that is being sent is not left off."""
        self._database = database
        self._clock = clock
        self._random = random
        self._sleep = sleep
        self._steady_sleep = steady_sleep
        self._made: list[HttpClient] = []
        self._accounts: dict[str, tuple[HttpClient, Budget]] = {}
        self._waits: dict[str, Waits] = {}
        self._preparer = Preparer(clock.monotonic)
        self._barmate: tuple[HttpClient, Budget] | None = None

    def source(self, account: AccountSettings, lane: Lane = Lane.POLL) -> AccountSource | None:
        """The account as the readers of that lane see it; None without a key. Budget and connections are the same."""
        if account.api_key is None:
            return None
        key = account.api_key.get_secret_value()
        client, budget = self._account(account, key)
        turns = budget.lane(lane)
        watched = WatchedTurns(turns, turns.observed, self.waits(account.name))
        warehouse = LogisticCloud(client.with_turns(watched, watched.observed))
        fast = account.requests_per_second >= FAST
        return AccountSource(
            name=account.name,
            client=warehouse,
            page_size=account.page_size,
            lag_floor=account.lag_seconds,
            start=account.start,
            key_fingerprint=fingerprint_of(key),
            ahead=AHEAD_PAGES if fast else 0,
            long_lists=self._long_lists(account, warehouse) if fast else None,
        )

    def _long_lists(self, account: AccountSettings, warehouse: LogisticCloud) -> PreparedPages:
        return PreparedPages(
            account=account.name, client=warehouse, page_size=account.page_size, preparer=self._preparer
        )

    def rest(self, *, at_once: bool = False) -> None:
        """End what nobody has used for a while, or what is there; it can be had again."""
        self._preparer.rest(at_once=at_once)

    def waits(self, name: str) -> Waits:
        """The requests to an account that are out."""
        return self._waits.setdefault(name, Waits(self._clock.monotonic))

    def turn_seconds(self, name: str) -> float:
        """Seconds between two turns at an account that has a source, at the pace in force."""
        return self._accounts[name][1].turn_seconds

    def writer(self, account: AccountSettings) -> DeliveryWrites | None:
        """The account's write calls; None without a key. Same budget; a write that is on its way is not left off."""
        if account.api_key is None:
            return None
        key = account.api_key.get_secret_value()
        client, budget = self._account(account, key)
        turns = budget.lane(Lane.POLL, self._steady_sleep)
        return DeliveryWrites(client.with_turns(turns, turns.observed))

    def _account(self, account: AccountSettings, key: str) -> tuple[HttpClient, Budget]:
        """The account's one client, made when it is first asked for."""
        if account.name not in self._accounts:
            self._accounts[account.name] = self._account_client(account, key)
        return self._accounts[account.name]

    def _account_client(self, account: AccountSettings, key: str) -> tuple[HttpClient, Budget]:
        """The budget is one for a key, whoever uses it."""
        budget = self._budget(source_budget(fingerprint_of(key)), account.requests_per_second, self._sleep)
        client = HttpClient(
            system=f"logistic.cloud {account.name}",
            base_url=account.base_url,
            headers={"X-Api-Key": key},
            turns=budget,
            random=self._random,
            sleep=self._sleep,
        )
        self._made.append(client)
        return client, budget

    def barmate(self, barmate: BarmateSettings, lane: Lane = Lane.POLL) -> Barmate | None:
        """The customers' side as the callers of that lane see it; None where it is not used."""
        if barmate.base_url is None or barmate.token is None:
            return None
        if self._barmate is None:
            self._barmate = self._barmate_client(barmate, barmate.base_url, barmate.token.get_secret_value())
        client, budget = self._barmate
        turns = budget.lane(lane)
        return Barmate(client.with_turns(turns, turns.observed))

    def barmate_turn_seconds(self) -> float:
        """Seconds between two turns at barmate, at the pace in force; 0 where it is not used."""
        return 0.0 if self._barmate is None else self._barmate[1].turn_seconds

    def _barmate_client(self, barmate: BarmateSettings, base_url: str, token: str) -> tuple[HttpClient, Budget]:
        name = f"barmate {barmate.host}"
        budget = self._budget(f"{name} {fingerprint_of(token)}", barmate.requests_per_second, self._sleep)
        client = HttpClient(
            system=name,
            base_url=base_url,
            headers=authorization(barmate.scheme.value, token),
            turns=budget,
            random=self._random,
            sleep=self._sleep,
        )
        self._made.append(client)
        return client, budget

    def registry(self, isometric: IsometricSettings) -> Isometric | None:
        """The registry; None without credentials."""
        if isometric.access_token is None or isometric.client_secret is None:
            return None
        token = isometric.access_token.get_secret_value()
        budget = self._budget(
            f"isometric {isometric.host} {fingerprint_of(token)}", isometric.requests_per_second, self._steady_sleep
        )
        turns = budget.lane(Lane.FIRING)
        client = HttpClient(
            system=f"Isometric {isometric.host}",
            base_url=isometric.base_url,
            headers={
                "Authorization": f"Bearer {token}",
                "x-client-secret": isometric.client_secret.get_secret_value(),
            },
            turns=turns,
            observe=turns.observed,
            random=self._random,
            sleep=self._steady_sleep,
        )
        self._made.append(client)
        return Isometric(client)

    def webhook(self, webhook: WebhookSettings) -> WebhookTarget | None:
        """The operator's receiver; None where none is configured."""
        if webhook.url is None or webhook.secret is None:
            return None
        secrets = [secret for secret in (webhook.secret, webhook.previous_secret) if secret is not None]
        client = HttpClient(
            system="webhook",
            base_url=webhook.url,
            headers={},
            turns=Unmetered(),
            random=self._random,
            timeouts=Timeouts(connect=_RECEIVER_CONNECT_SECONDS),
            secrets=[secret.get_secret_value() for secret in secrets],
        )
        self._made.append(client)
        return WebhookTarget(client, secrets=[secret.get_secret_value() for secret in secrets])

    def close(self) -> None:
        """Close all their connections."""
        self._preparer.close()
        for client in self._made:
            client.close()

    def _budget(self, name: str, requests_per_second: float, sleep: Sleep) -> Budget:
        return Budget(
            self._database,
            name=name,
            requests_per_second=requests_per_second,
            sleep=sleep,
            clock=self._clock,
            random=self._random,
            # The last word is the fingerprint of the key.
            system=name.rpartition(" ")[0],
        )
