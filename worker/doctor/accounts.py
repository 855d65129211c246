"""The accounts: whether they can be read, whether lists say what a proof of completeness needs, and their clocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from connectors.errors import ConnectorError
from connectors.logistic_cloud import DeliveryPage, DeliveryQuery
from connectors.logistic_cloud_writes import DeliveryWrites
from worker.clock import Clock
from worker.doctor.expiry import expiry, unknown_expiry
from worker.doctor.finding import Finding, ok, problem, remote, warning
from worker.doctor.write_scope import examine_write_scope
from worker.reading.account_source import AccountSource

# Seconds between two clocks that matter to nobody: stamps are whole seconds, and an answer takes a while.
SKEW_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCase:
    """An account of the settings; `source` and `writes` are None without a key."""

    name: str
    source: AccountSource | None
    writes: DeliveryWrites | None
    key_expires: datetime | None


def examine_accounts(cases: tuple[AccountCase, ...], clock: Clock) -> Iterator[Finding]:
    """Read one row of each account."""
    if not cases:
        yield problem(
            "accounts", "no account is set", "set WAYBILL_LOGISTIC_CLOUD__BASE_URL and WAYBILL_LOGISTIC_CLOUD__API_KEY"
        )
    for case in cases:
        yield from _account(case, clock)


def _account(case: AccountCase, clock: Clock) -> Iterator[Finding]:
    check = f"account {case.name}"
    if case.source is None:
        yield problem(check, "it has no API key", "set WAYBILL_LOGISTIC_CLOUD__API_KEY; without it nothing is read")
        return
    yield expiry(
        check,
        "its API key",
        case.key_expires,
        clock.now(),
        unknown=unknown_expiry(check, "its API key", "set API_KEY_EXPIRES to be warned in time"),
    )
    try:
        page = case.source.client.list_deliveries(DeliveryQuery(), page=0, page_size=1)
    except ConnectorError as error:
        yield remote(check, error)
        return
    yield ok(check, "deliveries can be read: the key has Delivery.Read, or Delivery.Write")
    if case.writes is not None:
        yield examine_write_scope(check, case.source.client, case.writes)
    yield from _headers(check, page)
    yield _skew(check, page, clock.now())


def _headers(check: str, page: DeliveryPage) -> Iterator[Finding]:
    if page.total is None:
        says = "its lists come without X-Total: completeness costs a request more, and long lists become holes"
        yield warning(check, says, "see whether a proxy takes the header away")
    if page.age > 0:
        yield warning(check, "its answers come from a cache (Age), and prove nothing", "take the cache out of the way")


def _skew(check: str, page: DeliveryPage, now: datetime) -> Finding:
    if page.server_time is None:
        return warning(check, "its answers carry no Date: nothing can be certified", "see whether a proxy removes it")
    skew = (page.server_time - now).total_seconds()
    if abs(skew) <= SKEW_SECONDS:
        return ok(check, "its clock and ours agree")
    says = f"its clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} ours"
    return warning(check, says, "synchronise this machine's clock: reading goes by theirs, signatures by ours")
