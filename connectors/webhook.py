"""The operator's webhook: one signed POST for each event.

Signed as Standard Webhooks describes (standardwebhooks.com, specification 1.0): `webhook-id`, `webhook-timestamp`,
and `webhook-signature` with one `v1,<base64 HMAC-SHA256>` per valid secret, separated by spaces.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from standardwebhooks import Webhook

from connectors.answer import Answer
from connectors.client import HttpClient
from connectors.errors import ConnectorError, Misconfigured
from connectors.verdict import retry_after

# Seconds for one delivery in all: the specification recommends 15 to 30, and one slow receiver holds up its subject.
TOTAL_SECONDS = 15.0

_PREFIX = "whsec_"
_GONE = 410
_SUCCESS = range(200, 300)
_REDIRECTION = range(300, 400)


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver took the message."""

    status: int


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Not taken, for a reason fit for people; `retry_after` in seconds if the receiver named a wish."""

    reason: str
    status: int | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Gone:
    """410: the receiver wants no more messages, ever (Standard Webhooks); a person has to switch it on again."""

    status: int = _GONE


Outcome = Delivered | RetryLater | Gone


class WebhookTarget:
    """One receiver; the client's base URL is its address, its budget has no limit."""

    def __init__(self, client: HttpClient, *, secrets: Sequence[str], seconds: float = TOTAL_SECONDS) -> None:
        """Sign with every secret, the current one first; Misconfigured for a `whsec_` secret that is not base64."""
        self._client = client
        self._signers = tuple(_signer(client.system, secret) for secret in secrets)
        self._seconds = seconds

    def deliver(self, *, message_id: str, sent_at: datetime, body: bytes) -> Outcome:
        """POST one body of UTF-8 JSON, stamped `sent_at` (with a zone), once; the outcome is a value, never an error.

        A repeat of the same message keeps its id and takes the time of the repeat.
        """
        headers = {"Content-Type": "application/cloudevents+json", **self.signature(message_id, sent_at, body)}
        try:
            answer = self._client.post("", body, operation="deliver an event", seconds=self._seconds, headers=headers)
        except ConnectorError as error:
            return RetryLater(reason=error.detail)
        return _outcome(answer)

    def signature(self, message_id: str, sent_at: datetime, body: bytes) -> Mapping[str, str]:
        """Return the three headers that let the receiver check who sent this body, and when."""
        moment = sent_at.astimezone(UTC)
        signatures = [signer.sign(message_id, moment, body.decode("utf-8")) for signer in self._signers]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(moment.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    def __repr__(self) -> str:
        """Nothing of the secrets."""
        return f"WebhookTarget({self._client!r})"


def _signer(system: str, secret: str) -> Webhook:
    return Webhook(_key(system, secret.strip()))


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


def _outcome(answer: Answer) -> Outcome:
    if answer.status in _SUCCESS:
        return Delivered(answer.status)
    if answer.status == _GONE:
        return Gone()
    told = "a redirect, which is not followed; set its target as the URL" if answer.status in _REDIRECTION else ""
    reason = f"the receiver answered HTTP {answer.status}"
    return RetryLater(f"{reason}: {told}" if told else reason, status=answer.status, retry_after=retry_after(answer))
