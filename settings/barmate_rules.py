"""What the settings of barmate mean together: a sentence for each way in which they do not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settings.barmate import LinkBy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.barmate import BarmateSettings
    from settings.rules import Names

_GROUP = "barmate"
# What basic credentials travel in (RFC 7617).
_LOGIN_HEADER = "authorization"
# Two settings of which neither means anything alone.
_PAIRS = (("webhook_header", "webhook_secret"), ("webhook_user", "webhook_password"))


def broken_barmate_rules(barmate: BarmateSettings, names: Names) -> Iterator[str]:
    """Yield a sentence for each mistake."""
    if not barmate.in_use:
        yield from _unused(barmate, names)
        return
    yield from _pairs(barmate, names)
    yield from _listener(barmate, names)
    yield from _responses(barmate, names)


def _unused(barmate: BarmateSettings, names: Names) -> Iterator[str]:
    url, token = names.of(_GROUP, "base_url"), names.of(_GROUP, "token")
    if barmate.base_url is not None:
        yield f"{token} is missing; barmate wants it together with {url}."
    if barmate.token is not None:
        yield f"{url} is missing; give it together with {token}."
    if barmate.base_url is None and barmate.token is None:
        for name in names.given_under(_GROUP):
            yield f"{name} is given, but barmate is not used; give {url} and {token}, or remove it."


def _pairs(barmate: BarmateSettings, names: Names) -> Iterator[str]:
    for pair in _PAIRS:
        given = [one for one in pair if getattr(barmate, one) is not None]
        if len(given) == 1:
            missing = next(one for one in pair if one not in given)
            there = names.of(_GROUP, given[0])
            yield f"{names.of(_GROUP, missing)} is missing; barmate's webhooks are checked by it and {there} together."


def _listener(barmate: BarmateSettings, names: Names) -> Iterator[str]:
    port = names.of(_GROUP, "listen_port")
    checked = barmate.checks_header or barmate.checks_basic
    halves = any(getattr(barmate, one) is not None for pair in _PAIRS for one in pair)
    if barmate.listen_port is not None and not halves:
        header, secret = names.of(_GROUP, "webhook_header"), names.of(_GROUP, "webhook_secret")
        user, password = names.of(_GROUP, "webhook_user"), names.of(_GROUP, "webhook_password")
        yield f"{port} opens a listener that anybody could call; give {header} and {secret}, or {user} and {password}."
    if barmate.checks_basic and barmate.checks_header and str(barmate.webhook_header).lower() == _LOGIN_HEADER:
        header, user = names.of(_GROUP, "webhook_header"), names.of(_GROUP, "webhook_user")
        yield f"{header} is Authorization, which carries {user} already, and both are checked; name another header."
    if barmate.listen_port is None and barmate.listen_host is not None:
        yield f"{port} is missing; barmate's webhooks are heard at it and {names.of(_GROUP, 'listen_host')} together."
    if barmate.listen_port is None and barmate.listen_host is None and checked:
        name = names.of(_GROUP, "webhook_header" if barmate.checks_header else "webhook_user")
        yield f"{name} is given without {port}, so no webhook is heard; give the port as well, or remove it."


def _responses(barmate: BarmateSettings, names: Names) -> Iterator[str]:
    asked = [names.of(_GROUP, one) for one in ("respond", "respond_reject") if getattr(barmate, one)]
    if asked and barmate.link_by is LinkBy.REFERENCE:
        link_by = names.of(_GROUP, "link_by")
        yield f"{asked[0]} is on, but by {link_by} = reference somebody else answers barmate; switch one of them off."
    if barmate.respond and barmate.time_zone is None:
        zone = names.of(_GROUP, "time_zone")
        yield f"{zone} is missing; {names.of(_GROUP, 'respond')} tells customers on which day goods come."
