"""What settings mean together: each rule yields a sentence for each way in which it is broken."""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings.barmate_rules import broken_barmate_rules
from settings.catalogue import ACCOUNT_GROUP, ACCOUNTS, environment_name
from settings.layers import account_key_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings.layers import Key
    from settings.tree import Settings

CONFIG_FILE = "waybill.toml"


@dataclass(frozen=True, slots=True)
class Names:
    """How the user wrote the settings that were given; `config` is the name of the TOML file."""

    written: Mapping[Key, str]
    config: str = CONFIG_FILE

    def of(self, *path: str | int) -> str:
        """Return the written name of a setting, or the name under which it could be given."""
        if path in self.written:
            return self.written[path]
        texts = tuple(part for part in path if isinstance(part, str))
        if texts[0] == ACCOUNTS and len(path) > 1 and isinstance(path[1], int):
            return account_key_name(path[1], texts[1:], shown=self.config)
        return environment_name(texts)

    def given_under(self, group: str) -> Iterator[str]:
        """Yield the written names of the settings of a group that were given."""
        yield from (name for path, name in self.written.items() if path[0] == group)


def broken_rules(settings: Settings, names: Names) -> Iterator[str]:
    """Yield a sentence for each mistake in settings that are valid one by one."""
    for rule in (_accounts, _storage, _barmate, _registry, _sending, _factors, _webhook, _web):
        yield from rule(settings, names)


def _accounts(settings: Settings, names: Names) -> Iterator[str]:
    single = [(ACCOUNT_GROUP,)] if settings.logistic_cloud is not None else []
    places: list[Key] = [*single, *((ACCOUNTS, index) for index in range(len(settings.account_tables)))]
    counts = Counter(account.name for account in settings.accounts)
    seen = set()
    for place, account in zip(places, settings.accounts, strict=True):
        if account.name in seen:
            yield f"{names.of(*place, 'base_url')} names a host that another account has; give each host once."
        seen.add(account.name)
        # One account without a key is a set-up not finished; among several it would be forgotten silently.
        alone = place == (ACCOUNT_GROUP,) and counts.total() == 1
        if account.api_key is None and not alone:
            yield f"{names.of(*place, 'api_key')} is missing; give the API key of this account, or remove the account."


def _storage(settings: Settings, names: Names) -> Iterator[str]:
    if settings.redis_url is not None and not settings.uses_postgresql:
        remedy = f"set {names.of('database_url')} to a postgresql:// address, or remove {names.of('redis_url')}"
        yield f"{names.of('redis_url')} needs PostgreSQL, and the database is SQLite; {remedy}."


def _barmate(settings: Settings, names: Names) -> Iterator[str]:
    yield from broken_barmate_rules(settings.barmate, names)


def _registry(settings: Settings, names: Names) -> Iterator[str]:
    registry = settings.isometric
    token, secret = names.of("isometric", "access_token"), names.of("isometric", "client_secret")
    if registry.access_token is not None and registry.client_secret is None:
        yield f"{secret} is missing; the registry wants it together with {token}."
    if registry.client_secret is not None and registry.access_token is None:
        yield f"{token} is missing; the registry wants it together with {secret}."


def _sending(settings: Settings, names: Names) -> Iterator[str]:
    if not settings.credits.may_send:
        return
    mode = f"the mode {settings.credits.mode}"
    if settings.credits.marker_key is None:
        remedy = "make one with `openssl rand -hex 32` and keep it for ever"
        yield f"{names.of('credits', 'marker_key')} is missing, and {mode} needs it; {remedy}."
    if settings.credits.since is None:
        remedy = "give the instant before which orders were delivered by hand, such as 2026-01-31T00:00:00Z"
        yield f"{names.of('credits', 'since')} is missing, and {mode} needs it; {remedy}."
    if settings.isometric.access_token is None and settings.isometric.client_secret is None:
        both = f"{names.of('isometric', 'access_token')} and {names.of('isometric', 'client_secret')}"
        yield f"{both} are missing, and {mode} needs them; give both, or set the mode to plan."


def _factors(settings: Settings, names: Names) -> Iterator[str]:
    file = settings.credits.factors_file
    if file is not None and not file.is_file():
        name = names.of("credits", "factors_file")
        yield f"{name} names no file; create it, correct the path, or remove the setting."


def _webhook(settings: Settings, names: Names) -> Iterator[str]:
    hook = settings.webhook
    url, secret = names.of("webhook", "url"), names.of("webhook", "secret")
    if hook.url is not None and hook.secret is None:
        yield f"{secret} is missing; every body sent to {url} is signed with it."
    if hook.url is None and hook.secret is not None:
        yield f"{secret} is given without {url}; give the address as well, or remove the secret."
    if hook.previous_secret is not None and hook.secret is None:
        yield f"{names.of('webhook', 'previous_secret')} is given without {secret}; give the current secret as well."


def _web(settings: Settings, names: Names) -> Iterator[str]:
    if settings.web.token is None and not is_loopback(settings.web.host):
        remedy = f"set {names.of('web', 'token')}, or use 127.0.0.1"
        yield f"{names.of('web', 'host')} opens the board to other machines and needs a token; {remedy}."


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a listener on `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
