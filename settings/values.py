"""The kinds of value that a setting may have, and what is said when a value is none of them.

Every setting states what it `expects` in words; the loader turns that into the sentence for the user, so the
words for a mistake stand next to the check that finds it.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_core import PydanticCustomError

DEFAULT_PORTS = {"http": 80, "https": 443}
WEBHOOK_SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of such secrets, not a secret
# Standard Webhooks, "signature scheme": a symmetric secret has 24 to 64 random bytes.
WEBHOOK_SECRET_BYTES = range(24, 65)
POSTGRESQL_SCHEMES = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
REDIS_SCHEMES = frozenset({"redis", "rediss", "unix"})
PRINTABLE = re.compile(r"[\x21-\x7e]+")


def setting(default: Any, *, about: str, expects: str, **limits: Any) -> Any:  # noqa: ANN401 - pydantic's own signature
    """Declare a setting: `about` is its sentence in the documentation, `expects` completes "… must be"."""
    return Field(default, description=about, json_schema_extra={"expects": expects}, **limits)


def number(default: Any, *, least: float, most: float, unit: str, about: str) -> Any:  # noqa: ANN401
    """Declare a number from `least` to `most`, both included; bounds that are `int` say "whole" to the user."""
    whole = isinstance(least, int)
    expects = f"a {'whole ' if whole else ''}number of {unit} from {least:.15g} to {most:.15g}"
    return setting(default, about=about, expects=expects, ge=least, le=most)


def wrong(phrase: str) -> PydanticCustomError:
    """Return the error whose text replaces "must be …" in the sentence for the user."""
    return PydanticCustomError("phrase", "{phrase}", {"phrase": phrase})


def _not_a_boolean(value: object) -> object:
    # TOML's `true` would otherwise count as the number 1.
    if isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - pydantic takes only ValueError for "not usable"
    return value


def _read_instant(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)


def _to_instant(value: object) -> object:
    if isinstance(value, str):
        value = _read_instant(value.strip())
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, datetime):
        raise ValueError  # noqa: TRY004 - as above
    if value.tzinfo is None:
        phrase = "has no time zone; end it with Z for UTC, as in 2026-01-31T00:00:00Z"
        raise wrong(phrase)
    return value.astimezone(UTC)


def _split_web_url(value: str) -> SplitResult:
    parts = urlsplit(value)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.port == 0 or not PRINTABLE.fullmatch(value):
        raise ValueError
    if "@" in parts.netloc:
        phrase = "must not carry a user name or password; remove the part before the @"
        raise wrong(phrase)
    return parts


def _base_url(value: str) -> str:
    parts = _split_web_url(value)
    if parts.query or parts.fragment:
        phrase = "must end with its path; remove everything from the ? or # on"
        raise wrong(phrase)
    return parts._replace(netloc=parts.netloc.lower()).geturl().rstrip("/")


def _web_url(value: str) -> str:
    if _split_web_url(value).fragment:
        phrase = "must not have a fragment; remove everything from the # on"
        raise wrong(phrase)
    return value


def host_of(url: str) -> str:
    """Return the host of an http(s) URL in lower case, with its port unless that is the scheme's default."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    shown = f"[{host}]" if ":" in host else host
    usual = parts.port is None or parts.port == DEFAULT_PORTS.get(parts.scheme)
    return shown if usual else f"{shown}:{parts.port}"


def _header_safe(value: SecretStr) -> SecretStr:
    # Keys travel in HTTP headers, which carry visible ASCII only; a pasted line break would surface much later.
    if not PRINTABLE.fullmatch(value.get_secret_value()):
        phrase = "is empty or contains blanks, line breaks or non-ASCII characters; copy the value again without them"
        raise wrong(phrase)
    return value


def _webhook_secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        size = len(base64.b64decode(text.removeprefix(WEBHOOK_SECRET_PREFIX), validate=True))
    except binascii.Error as error:
        raise ValueError from error
    if not text.startswith(WEBHOOK_SECRET_PREFIX) or size not in WEBHOOK_SECRET_BYTES:
        raise ValueError
    return value


def _database_url(value: SecretStr) -> SecretStr:
    scheme, separator, rest = value.get_secret_value().partition("://")
    if separator and scheme in POSTGRESQL_SCHEMES and rest:
        return SecretStr(f"postgresql+psycopg://{rest}")
    if scheme != "sqlite" or not rest.startswith("/") or rest == "/":
        raise ValueError
    if rest.startswith("/:memory:"):
        phrase = "must name a file; a database in memory would forget which credit deliveries were made"
        raise wrong(phrase)
    return value


def _redis_url(value: SecretStr) -> SecretStr:
    scheme, separator, rest = value.get_secret_value().partition("://")
    if not separator or scheme not in REDIS_SCHEMES or not rest:
        raise ValueError
    return value


def _time_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError
    return value


def _home_expanded(value: Path) -> Path:
    try:
        return value.expanduser()
    except RuntimeError as error:
        raise ValueError from error


WholeNumber = Annotated[int, BeforeValidator(_not_a_boolean)]
Number = Annotated[float, BeforeValidator(_not_a_boolean)]
Instant = Annotated[datetime, BeforeValidator(_to_instant)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
LocalPath = Annotated[Path, AfterValidator(_home_expanded)]
Secret = Annotated[SecretStr, AfterValidator(_header_safe)]
WebhookSecret = Annotated[SecretStr, AfterValidator(_webhook_secret)]
DatabaseUrl = Annotated[SecretStr, AfterValidator(_database_url)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]

INSTANT = "an ISO 8601 instant such as 2026-01-31T00:00:00Z"
YES_OR_NO = "true or false"
A_SECRET = "text without blanks"  # noqa: S105 - words for the documentation
BASE_URL = "an http:// or https:// address with a host and a valid port"
