"""Checking a signature as Standard Webhooks v1 describes it, written from that description alone.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from enum import StrEnum

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix, not a secret
SCHEME = "v1"


class Verdict(StrEnum):
    """What is to be said about a signed message."""

    VALID = "valid"
    MISSING_HEADERS = "missing_headers"
    OUT_OF_TOLERANCE = "out_of_tolerance"
    WRONG_SIGNATURE = "wrong_signature"


def verdict(headers: Mapping[str, str], body: bytes, *, secret: str, now: float, tolerance_seconds: float) -> Verdict:
    """Judge a message; header names are lower case, ``now`` is in seconds since 1970."""
    message_id, sent_at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signatures = headers.get("webhook-signature", "")
    if not (message_id and sent_at.isascii() and sent_at.isdigit() and signatures):
        return Verdict.MISSING_HEADERS
    if abs(now - int(sent_at)) > tolerance_seconds:
        return Verdict.OUT_OF_TOLERANCE
    wanted = expected_signature(secret, message_id, sent_at, body)
    given = [text.partition(",")[2] for text in signatures.split(" ") if text.startswith(f"{SCHEME},")]
    fits = [hmac.compare_digest(wanted.encode(), text.encode()) for text in given]
    return Verdict.VALID if any(fits) else Verdict.WRONG_SIGNATURE


def expected_signature(secret: str, message_id: str, sent_at: str, body: bytes) -> str:
    """Return the base64 HMAC-SHA256 of ``id.timestamp.body``."""
    content = b".".join((message_id.encode(), sent_at.encode(), body))
    return base64.b64encode(hmac.new(key_of(secret), content, hashlib.sha256).digest()).decode()


def key_of(secret: str) -> bytes:
    """Return the key's bytes: base64 after ``whsec_``; a secret that is not base64 counts as it is written."""
    bare = secret.removeprefix(SECRET_PREFIX)
    try:
        return base64.b64decode(bare, validate=True)
    except binascii.Error:
        return bare.encode()
