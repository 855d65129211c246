"""Redaction: known secret values, and whatever looks like one, never stay in a text that is kept."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

MASK = "***"

# Header values that are public; every other configured header is treated as a secret, so a new one is safe at once.
PLAIN_HEADERS = frozenset({"accept", "accept-encoding", "accept-language", "content-type", "user-agent"})

# What looks like a credential although nobody told us its value: kept words are few, so a false hit is cheap.
_SUSPECTS = (
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
    (re.compile(r"whsec_[\w+/=-]+"), MASK),
    (re.compile(r"://[^/\s@]+@"), f"://{MASK}@"),
    # An e-mail address is no credential, but it is somebody's, and a refusal may quote it.
    # It begins where its run of characters begins: tried at every one of them, a long run would take for ever.
    (re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), MASK),
)


class Redactor:
    """Replaces every occurrence of the given secrets, as they are, percent-encoded or JSON-escaped."""

    __slots__ = ("_needles",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Learn the secrets; blank ones are ignored."""
        spellings = {spelling for secret in secrets if secret.strip() for spelling in _spellings(secret.strip())}
        longest_first = sorted(spellings, key=lambda needle: (-len(needle), needle))
        self._needles = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """Return the text with each secret replaced by `***`; redact before cutting, or half a secret may survive."""
        known = self._needles.sub(MASK, text) if self._needles is not None else text
        for suspect, replacement in _SUSPECTS:
            known = suspect.sub(replacement, known)
        return known

    def __repr__(self) -> str:
        """Nothing of what it knows."""
        return f"Redactor({MASK})"


def secret_values(headers: Mapping[str, str]) -> Iterator[str]:
    """Return the secret values of configured headers, whole and without their scheme (`Bearer x` yields `x` too)."""
    for name, value in headers.items():
        if name.lower() in PLAIN_HEADERS:
            continue
        yield value
        scheme, _, token = value.partition(" ")
        if scheme.isalpha() and token.strip():
            yield token


def _spellings(secret: str) -> Iterator[str]:
    yield secret
    yield quote(secret, safe="")
    yield json.dumps(secret)[1:-1]
