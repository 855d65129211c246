"""Signatures of Standard Webhooks (standardwebhooks.com, specification 1.0, symmetric): made, and looked at again.

`webhook-id`, `webhook-timestamp`, and `webhook-signature` with one `v1,<base64 HMAC-SHA256>` per valid secret,
separated by spaces.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

from connectors.errors import Misconfigured

MESSAGE_ID = "webhook-id"
SENT_AT = "webhook-timestamp"
SIGNATURE = "webhook-signature"

_PREFIX = "whsec_"
_SCHEME = "v1,"


class Signers:
    """The valid secrets of one receiver, the current one first."""

    def __init__(self, system: str, secrets: Sequence[str]) -> None:
        """Misconfigured, without the value, for a `whsec_` secret that is not base64 and for a blank one."""
        self._signers = tuple(Webhook(_key(system, secret.strip())) for secret in secrets)

    def headers(self, message_id: str, sent_at: datetime, body: bytes) -> Mapping[str, str]:
        """The three headers that let the receiver check who sent this body, and when."""
        moment = sent_at.astimezone(UTC)
        return {
            MESSAGE_ID: message_id,
            SENT_AT: str(int(moment.timestamp())),
            SIGNATURE: " ".join(signer.sign(message_id, moment, body.decode("utf-8")) for signer in self._signers),
        }

    def which(self, message_id: str, sent_at: datetime, body: bytes, signatures: str) -> int | None:
        """The place of the secret (0: the current one) that made one of these signatures of this body; None: none.

        Compared in constant time; signatures of other schemes are passed over. A body that is not UTF-8 has none.
        """
        given = [one.encode() for one in signatures.split() if one.startswith(_SCHEME)]
        moment = sent_at.astimezone(UTC)
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            return None
        for place, signer in enumerate(self._signers):
            expected = signer.sign(message_id, moment, text).encode()
            if any([hmac.compare_digest(expected, one) for one in given]):  # noqa: C419 - all are looked at
                return place
        return None

    def __repr__(self) -> str:
        """Nothing of the secrets."""
        return f"Signers({len(self._signers)})"


def _key(system: str, secret: str) -> bytes:
    is_encoded = secret.startswith(_PREFIX)
    key = _decoded(system, secret.removeprefix(_PREFIX)) if is_encoded else secret.encode("utf-8")
    if not key:
        raise _unusable(system, "must not be blank")
    return key


def _decoded(system: str, encoded: str) -> bytes:
    unpadded = encoded.rstrip("=")
    try:
        return base64.b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _unusable(system, "starts with whsec_ but does not go on in base64; copy it again") from error


def _unusable(system: str, complaint: str) -> Misconfigured:
    return Misconfigured(system, "check the setup", f"the webhook secret {complaint}")
