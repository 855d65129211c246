"""Barmate: whether the token is accepted, and whether its answers can be relied on."""

from collections.abc import Iterator
from dataclasses import dataclass

from connectors.barmate import Barmate
from connectors.errors import ConnectorError
from worker.doctor.finding import Finding, ok, remote, warning


@dataclass(frozen=True, slots=True, kw_only=True)
class BarmateCase:
    """The account of the settings."""

    host: str
    connector: Barmate


def examine_barmate(case: BarmateCase | None) -> Iterator[Finding]:
    """Read the account's settings, which changes nothing; nothing is examined where barmate is not used."""
    if case is None:
        return
    check = f"barmate {case.host}"
    try:
        found = case.connector.account_settings()
    except ConnectorError as error:
        yield remote(check, error)
        return
    yield ok(check, "the token is accepted")
    if found.age > 0:
        yield warning(
            check, "its answers come from a cache (Age), and are not believed", "take the cache out of the way"
        )
