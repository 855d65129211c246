"""The listener for barmate's webhooks: who can reach it, what guards it, and whether what it heard is read."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from worker.customers import hints
from worker.db import Database
from worker.doctor.finding import Finding, note, ok, warning

_CHECK = "barmate's webhooks"
# Characters. 128 random bits in hexadecimal have 32, in base64 22; whatever is shorter was thought out by a person.
SHORTEST_SECRET = 20
# A hint is read within seconds; after this nobody reads.
LONGEST_WAIT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerCase:
    """What the settings say; `host` and `port` are None where nothing is heard, `secrets` the lengths of all there are.

    `account` is barmate's host.
    """

    account: str
    host: str | None
    port: int | None
    secrets: tuple[int, ...]


def examine_listener(case: ListenerCase | None, database: Database) -> Iterator[Finding]:
    """Nothing is examined where barmate is not used."""
    if case is None:
        return
    if case.host is None:
        says = "they are not heard: changes are seen once an order's turn comes to be read"
        yield note(_CHECK, says, "set WAYBILL_BARMATE__LISTEN_PORT, a header and its secret, and tell barmate")
        return
    yield from _guarded(case, case.host)
    yield from _read(case, database)


def _guarded(case: ListenerCase, host: str) -> Iterator[Finding]:
    weak = [length for length in case.secrets if length < SHORTEST_SECRET]
    if weak:
        says = f"a secret of {min(weak)} characters guards them; it can be guessed"
        yield warning(_CHECK, says, "make one with `openssl rand -hex 32`, and tell barmate")
    if _is_loopback(host):
        yield ok(_CHECK, f"they are heard on this machine at port {case.port}; a proxy with TLS has to pass them on")
        return
    says = f"the listener on {host} speaks plain http, and other machines can reach it"
    yield warning(_CHECK, says, "let nobody but a proxy with TLS reach it, or listen on 127.0.0.1 beside the proxy")


def _read(case: ListenerCase, database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        now = database.now(connection)
        waiting, oldest = hints.waiting(connection, case.account), hints.oldest(connection, case.account)
    if _is_late(oldest, now):
        says = f"calls whose order nobody reads: {waiting}, the oldest since {oldest:%Y-%m-%d %H:%M} UTC"
        yield warning(_CHECK, says, "see whether a scheduler is running, and `status` whether barmate refuses us")


def _is_late(oldest: datetime | None, now: datetime) -> bool:
    return oldest is not None and now - oldest > LONGEST_WAIT


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
