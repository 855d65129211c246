"""The marker: a firing's public, opaque, deterministic token in the notes of its credit delivery.

`wb1`, eight characters that fingerprint the key, and 32 characters of a keyed hash over the firing's identity. Whoever
has the key finds the delivery again after a lost answer or a lost database; nobody else learns anything from it.
`docs/answers.md` publishes a test vector. Pure.
"""

import base64
import hashlib
import hmac
import re

from worker.events import OrderKey

PREFIX = "wb1"
# 40 bits: two keys of one operator never meet by accident, and the notes stay short.
FINGERPRINT_CHARACTERS = 8
# 160 bits: no two firings ever share a marker.
HASH_CHARACTERS = 32
# Ordinals that are looked for at the registry; the database allows no others.
ORDINALS = range(10)
# Longest notes that the registry takes (Isometric registry OpenAPI v0, CreateDeliveryRequest).
NOTES_CHARACTERS = 256

_DOMAIN = b"waybill marker 1"
_TOKEN = re.compile(rf"(?<![0-9A-Za-z]){PREFIX}[a-z2-7]{{{FINGERPRINT_CHARACTERS + HASH_CHARACTERS}}}(?![0-9A-Za-z])")


def fingerprint(marker_key: str) -> str:
    """What of the key may be public: in every marker, and stored to bind the database to the key."""
    return _base32(hashlib.sha256(_encoded(_DOMAIN, b"key", marker_key.encode())).digest())[:FINGERPRINT_CHARACTERS]


def marker(marker_key: str, *, supplier: str, order: OrderKey, ordinal: int) -> str:
    """The marker of one firing; the purchase order counts byte for byte."""
    parts = (supplier, order.account, str(order.customer_id), order.purchase_order, str(ordinal))
    message = _encoded(_DOMAIN, *(part.encode() for part in parts))
    hashed = _base32(hmac.digest(marker_key.encode(), message, "sha256"))[:HASH_CHARACTERS]
    return f"{PREFIX}{fingerprint(marker_key)}{hashed}"


def tokens(notes: str | None) -> tuple[str, ...]:
    """Every marker in the notes, whoever made it; a longer word that merely holds one is none."""
    return () if notes is None else tuple(dict.fromkeys(_TOKEN.findall(notes)))


def has_fingerprint(token: str, wanted: str) -> bool:
    """Whether the marker was made with the key of that fingerprint."""
    return token.startswith(f"{PREFIX}{wanted}")


def notes_with(note: str | None, token: str) -> str:
    """The notes of a credit delivery: the link's note, if any, and the marker after it."""
    return f"{note} {token}" if note else token


def _encoded(*parts: bytes) -> bytes:
    # Each part under its length, so that no two different lists of parts give the same bytes.
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _base32(digest: bytes) -> str:
    return base64.b32encode(digest).decode().lower().rstrip("=")
