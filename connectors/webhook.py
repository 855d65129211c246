"""The operator's webhook: one signed POST for each event, and what its status means."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.answer import Answer
from connectors.client import HttpClient
from connectors.errors import ConnectorError
from connectors.verdict import THROTTLED, retry_after
from connectors.webhook_signature import Signers

# Seconds for one delivery in all: the specification recommends 15 to 30, and one slow receiver holds up its subject.
TOTAL_SECONDS = 15.0

_GONE = 410
_UNAVAILABLE = 503
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

    @property
    def asks_for_less(self) -> bool:
        """Whether the receiver as a whole wants fewer messages: 429, or 503 with a time to come back."""
        return self.status == THROTTLED or (self.status == _UNAVAILABLE and self.retry_after is not None)


@dataclass(frozen=True, slots=True)
class Gone:
    """410: the receiver wants no more messages, ever (Standard Webhooks); a person has to switch it on again."""

    status: int = _GONE


Outcome = Delivered | RetryLater | Gone


class WebhookTarget:
    """One receiver; the client's base URL is its address, its budget has no limit."""

    def __init__(self, client: HttpClient, *, secrets: Sequence[str], seconds: float = TOTAL_SECONDS) -> None:
        """Sign with every secret, the current one first; Misconfigured for a secret that cannot sign."""
        self._client = client
        self._signers = Signers(client.system, secrets)
        self._seconds = seconds

    def deliver(self, *, message_id: str, sent_at: datetime, body: bytes) -> Outcome:
        """POST one body of UTF-8 JSON, stamped `sent_at` (with a zone), once; the outcome is a value, never an error.

        A repeat of the same message keeps its id and takes the time of the repeat. The status alone decides: a body
        that breaks off, or has no end, changes nothing about it.
        """
        signed = self._signers.headers(message_id, sent_at, body)
        headers = {"Content-Type": "application/cloudevents+json", **signed}
        try:
            answer = self._client.tell("", body, operation="deliver an event", seconds=self._seconds, headers=headers)
        except ConnectorError as error:
            return RetryLater(reason=error.detail)
        return _outcome(answer, sent_at)

    def __repr__(self) -> str:
        """Nothing of the secrets."""
        return f"WebhookTarget({self._client!r})"


def _outcome(answer: Answer, sent_at: datetime) -> Outcome:
    if answer.status in _SUCCESS:
        return Delivered(answer.status)
    if answer.status == _GONE:
        return Gone()
    told = "a redirect, which is not followed; set its target as the URL" if answer.status in _REDIRECTION else ""
    reason = f"the receiver answered HTTP {answer.status}"
    wish = retry_after(answer, now=sent_at)
    return RetryLater(f"{reason}: {told}" if told else reason, status=answer.status, retry_after=wish)
