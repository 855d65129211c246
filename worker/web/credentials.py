"""How barmate's webhooks prove who calls: a secret in a header, basic credentials, or both. Pure.

Compared in constant time, whatever is wrong: an answer must not tell how much of a guess was right.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

Headers = Iterable[tuple[bytes, bytes]]

_BASIC = b"basic"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretHeader:
    """A header of the operator's choice, and the value it must have."""

    name: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicLogin:
    """User name and password as RFC 7617 sends them."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What every call must show: all that is configured. Without anything configured nobody is let in."""

    header: SecretHeader | None
    login: BasicLogin | None

    @property
    def challenge(self) -> str:
        """What a refusal says in `WWW-Authenticate`, the same whatever was wrong."""
        return 'Header realm="waybill"' if self.login is None else 'Basic realm="waybill"'

    def hold(self, headers: Headers) -> bool:
        """Whether a call with these headers (names in lower case) is barmate's."""
        given = tuple(headers)
        checks = [_shows(given, self.header), _logs_in(given, self.login)]
        asked = [check for check in checks if check is not None]
        return bool(asked) and all(asked)


def _shows(headers: Headers, wanted: SecretHeader | None) -> bool | None:
    if wanted is None:
        return None
    return hmac.compare_digest(_only(headers, wanted.name), wanted.secret.encode())


def _logs_in(headers: Headers, wanted: BasicLogin | None) -> bool | None:
    if wanted is None:
        return None
    scheme, _, encoded = _only(headers, "Authorization").partition(b" ")
    try:
        login = base64.b64decode(encoded.strip(b" "), validate=True)
    except binascii.Error:
        login = b""
    right = hmac.compare_digest(login, f"{wanted.user}:{wanted.password}".encode())
    return right and scheme.lower() == _BASIC


def _only(headers: Headers, name: str) -> bytes:
    """The value of a header; nothing where it is missing, or given twice: which of the two counts nobody can say."""
    values = [value for key, value in headers if key == name.lower().encode()]
    return values[0] if len(values) == 1 else b""
