"""Registered secrets, and texts without them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from threading import Lock
from urllib.parse import quote, unquote, urlsplit

from pydantic import SecretStr

MASK = "***"
PLAIN = (bool, int, float, type(None))


class Redactor:
    """Replaces every registered secret in anything that is about to be written; safe to use from all threads."""

    def __init__(self) -> None:
        """Start without secrets."""
        self._lock = Lock()
        self._spellings: tuple[str, ...] = ()

    def register(self, values: Iterable[SecretStr | str]) -> None:
        """Add secrets; each is also found percent-encoded, escaped, and as the password inside a URL."""
        added = {spelling for value in values for spelling in _spellings_of(_plain(value))}
        with self._lock:
            # Longest first, so that a secret within another leaves no remainder of it.
            self._spellings = tuple(sorted({*self._spellings, *added}, key=len, reverse=True))

    def text(self, text: str) -> str:
        """Return the text with every registered secret masked."""
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return text

    def clean(self, value: object) -> object:
        """Return plain data of the same shape, masked; what is no plain data becomes its text first."""
        # A subclass may carry text of its own (an IntEnum, say), so only the exact plain types pass.
        if type(value) in PLAIN:
            return value
        if isinstance(value, str):
            return self.text(str(value))
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.clean(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean(inner) for inner in value]
        if isinstance(value, bytes):
            return self.text(value.decode(errors="replace"))
        return self.text(str(value))


def _plain(value: SecretStr | str) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _spellings_of(secret: str) -> set[str]:
    found = {secret}
    if "://" in secret:
        found |= _passwords_in(secret)
    found |= {quote(text, safe="") for text in found} | {repr(text)[1:-1] for text in found}
    return found - {""}


def _passwords_in(url: str) -> set[str]:
    try:
        password = urlsplit(url).password
    except ValueError:
        return set()
    return set() if password is None else {password, unquote(password)}
