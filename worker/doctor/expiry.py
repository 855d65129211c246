"""Credentials that end: when, and how soon that is. Pure."""

import base64
import binascii
from datetime import UTC, datetime, timedelta

import orjson

from worker.clock import instant_text
from worker.doctor.finding import Finding, note, ok, problem, warning

# Days before the end at which a person is warned, more urgently each time: a new credential takes somebody else's time.
WARN_DAYS = (7, 30, 60)
_URGENCY = {7: "now", 30: "this week", 60: "in good time"}
_JWT_PARTS = 3


def expiry(check: str, what: str, end: datetime | None, now: datetime, *, unknown: Finding) -> Finding:
    """How long a credential lasts; `unknown` where nobody says."""
    if end is None:
        return unknown
    if end <= now:
        return problem(check, f"{what} expired at {instant_text(end)}", f"have a new one issued and set it: {what}")
    left = end - now
    for days in WARN_DAYS:
        if left <= timedelta(days=days):
            says = f"{what} expires at {instant_text(end)}, in {left.days} days"
            return warning(check, says, f"have a new one issued {_URGENCY[days]}, set it and restart")
    return ok(check, f"{what} lasts until {instant_text(end)}")


def unknown_expiry(check: str, what: str, do: str) -> Finding:
    """Nobody says when a credential ends."""
    return note(check, f"when {what} expires is not known", do)


def token_expiry(token: str) -> datetime | None:
    """The `exp` of a JSON Web Token (RFC 7519, 4.1.4), unverified: it is our own; None where it is not one."""
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        return None
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError, OSError):
        return None
