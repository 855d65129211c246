"""The registry: who we are there, whether that fits the database, and whether it knows what the links name."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from connectors.errors import ConnectorError, NotFound
from connectors.isometric_records import Supplier
from worker.clock import Clock
from worker.db import Database
from worker.db.tables import links
from worker.doctor.expiry import expiry, unknown_expiry
from worker.doctor.finding import Finding, note, ok, problem, remote
from worker.errors import NotReady
from worker.firing.account import RegistryAccount
from worker.firing.binding import mixed_up
from worker.firing.preparing import DELIVERABLE

CHECK = "registry"
# Credit orders that are looked at by one examination: a request each, about a second.
_MOST_ORDERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCase:
    """The registry of the settings; `token_expires` None where the token does not say."""

    account: RegistryAccount
    token_expires: datetime | None


def examine_registry(case: RegistryCase, database: Database, clock: Clock) -> Iterator[Finding]:
    """Ask who we are, and for the credit orders that are linked."""
    yield from _bound(case.account)
    named = _linked(database)
    yield from _mixed_up(case.account.host, named)
    if case.account.registry is None:
        yield note(
            CHECK, "there are no credentials: firings are planned only", "set WAYBILL_ISOMETRIC__ACCESS_TOKEN to send"
        )
        return
    unknown = unknown_expiry(CHECK, "the access token", "note when it was made: it lasts a year")
    yield expiry(CHECK, "the access token", case.token_expires, clock.now(), unknown=unknown)
    try:
        supplier = case.account.supplier()
        yield from _supplier(case.account, supplier)
        yield from _orders(case.account, supplier, named)
    except NotReady as error:
        yield problem(CHECK, error.sentence, "use the database that belongs to these settings")
    except ConnectorError as error:
        yield remote(CHECK, error)


def _bound(account: RegistryAccount) -> Iterator[Finding]:
    try:
        account.check_bindings()
    except NotReady as error:
        yield problem("database", error.sentence, "use the database that belongs to these settings")
    else:
        yield ok("database", f"it belongs to {account.host}, or to no registry yet")


def _linked(database: Database) -> Sequence[str]:
    with database.read() as connection:
        statement = sa.select(links.c.credit_order_id).distinct().order_by(links.c.credit_order_id)
        return list(connection.execute(statement).scalars())


def _mixed_up(host: str, named: Sequence[str]) -> Iterator[Finding]:
    wrong = [sentence for sentence in (mixed_up(one, host) for one in named) if sentence is not None]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        yield problem("links", wrong[0] + more, "correct the links, or WAYBILL_ISOMETRIC__BASE_URL")


def _supplier(account: RegistryAccount, supplier: Supplier) -> Iterator[Finding]:
    mixed = mixed_up(supplier.id, account.host)
    if mixed is not None:
        yield problem(CHECK, mixed, "use the credentials of the environment that WAYBILL_ISOMETRIC__BASE_URL names")
    yield ok(CHECK, f"the credentials are those of supplier {supplier.id} ({supplier.organisation.name})")


def _orders(account: RegistryAccount, supplier: Supplier, named: Sequence[str]) -> Iterator[Finding]:
    for identity in named[:_MOST_ORDERS]:
        yield from _order(account, supplier, identity)
    if len(named) > _MOST_ORDERS:
        yield note("links", f"{len(named) - _MOST_ORDERS} more credit orders were not looked at")


def _order(account: RegistryAccount, supplier: Supplier, identity: str) -> Iterator[Finding]:
    try:
        order = account.require().order(identity)
    except NotFound:
        yield problem("links", f"the registry has no credit order {identity}", "correct the links that name it")
        return
    if order.supplier.id != supplier.id:
        says = f"credit order {identity} belongs to supplier {order.supplier.id}, not to {supplier.id}"
        yield problem("links", says, "correct the links that name it")
    elif order.status not in DELIVERABLE:
        yield note("links", f"credit order {identity} is {order.status}: nothing more can be delivered to it")
    else:
        left = order.ordered_kg - order.delivered_kg
        yield ok("links", f"credit order {identity} is {order.status} and has {left} kg left")
