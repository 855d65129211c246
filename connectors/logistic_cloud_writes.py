"""logistic.cloud: the write calls, each sent at most once, with what came of it as a value.

Source of the facts: logistic.cloud developer docs, resources/deliveries (version v1-beta): `POST /deliveries` creates a
draft, `PUT /deliveries/{id}` replaces, `POST /deliveries/{id}/approve` approves; all need the scope Delivery.Write.
None has an idempotency key, so whoever repeats one looks first. What a missing answer means, the caller finds out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import orjson

from connectors.address import path_to
from connectors.answer import Answer
from connectors.client import HttpClient
from connectors.errors import ConnectorError, Interrupted, NotConnected
from connectors.problem import problem_text
from connectors.verdict import NOT_FOUND, THROTTLED

WRITE_SCOPE = "Delivery.Write"

_UNAUTHORIZED = 401
_FORBIDDEN = 403
_SUCCESS = range(200, 300)
_CLIENT_FAULT = range(400, 500)
# Nothing is said by these about what happened: the limit, and requests for patience.
_NO_VERDICT = frozenset({THROTTLED, 408, 425})
# Characters of a problem: a line for every field of a long delivery that it complains of.
_ALL_WORDS = 1500
# One of these makes a JSON object a problem (RFC 9457; the vendor does not print its members).
_PROBLEM_MEMBERS = ("title", "detail", "errors")

# Has the last word before connecting: what it raises passes through, and nothing was sent.
BeforeConnect = Callable[[], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Done, and answered as documented. `record` is the delivery as the source shows it; None after an approval."""

    status: int
    record: Mapping[str, object] | None = field(repr=False)
    kept: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A no in the source's own problem shape; the sentence quotes all it says, field by field."""

    status: int
    sentence: str
    kept: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """The key may not do this (401, 403): nothing happened. The sentence says what to do."""

    status: int
    sentence: str
    kept: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """No connection was made: provably nothing was sent."""

    error: NotConnected


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """It may have taken effect: no answer, a 5xx, a 429, or an answer that is not the source's."""

    status: int | None
    sentence: str
    kept: str = field(repr=False)


Outcome = Written | Rejected | Denied | NotSent | Unclear


class DeliveryWrites:
    """The write calls of one account; nothing is repeated, no redirect followed, no error raised for an answer."""

    def __init__(self, client: HttpClient) -> None:
        """Use the client, whose headers carry X-Api-Key and whose base URL ends in the version."""
        self._client = client

    def create(self, body: bytes, *, deadline_seconds: float, before_connect: BeforeConnect) -> Outcome:
        """POST /deliveries: a draft; 201 and the delivery."""
        return self._told(
            lambda: self._client.send_once(
                "POST",
                "/deliveries",
                body,
                deadline_seconds=deadline_seconds,
                operation="create a delivery",
                before_connect=before_connect,
            ),
            _record,
        )

    def update(
        self, delivery_id: int, body: bytes, *, deadline_seconds: float, before_connect: BeforeConnect
    ) -> Outcome:
        """PUT /deliveries/{id}: the whole head, and line items or null; 200 and the delivery."""
        return self._told(
            lambda: self._client.send_once(
                "PUT",
                path_to("deliveries", str(delivery_id)),
                body,
                deadline_seconds=deadline_seconds,
                operation="update a delivery",
                before_connect=before_connect,
            ),
            _record,
        )

    def approve(self, delivery_id: int, *, deadline_seconds: float, before_connect: BeforeConnect) -> Outcome:
        """POST /deliveries/{id}/approve, without a body; 204."""
        return self._told(
            lambda: self._client.send_once(
                "POST",
                path_to("deliveries", str(delivery_id), "approve"),
                None,
                deadline_seconds=deadline_seconds,
                operation="approve a delivery",
                before_connect=before_connect,
            ),
            _nothing,
        )

    def _told(self, send: Callable[[], Answer], read: Callable[[Answer], Mapping[str, object] | None]) -> Outcome:
        try:
            answer = send()
        except NotConnected as error:
            return NotSent(error=error)
        except Interrupted as error:
            return Unclear(status=None, sentence=error.sentence, kept="")
        return _outcome(answer, read)


def _outcome(answer: Answer, read: Callable[[Answer], Mapping[str, object] | None]) -> Outcome:
    if answer.status in _SUCCESS:
        return _success(answer, read)
    if answer.status in _CLIENT_FAULT and answer.status not in _NO_VERDICT and _is_problem(answer):
        return _no(answer)
    return _unclear(answer, f"HTTP {answer.status} does not say whether it was done")


def _success(answer: Answer, read: Callable[[Answer], Mapping[str, object] | None]) -> Outcome:
    try:
        record = read(answer)
    except ConnectorError as error:
        return _unclear(answer, error.detail)
    return Written(status=answer.status, record=record, kept=answer.kept_text())


def _no(answer: Answer) -> Outcome:
    words = problem_text(answer, limit=_ALL_WORDS).rstrip(". ")
    told = f"{answer.system}: {answer.operation}: HTTP {answer.status}: {words}."
    if answer.status == _FORBIDDEN:
        sentence = f"{told} This needs an API key with {WRITE_SCOPE}."
        return Denied(status=answer.status, sentence=sentence, kept=answer.kept_text())
    if answer.status == _UNAUTHORIZED:
        sentence = f"{told} Check the API key; keys expire, and this needs one with {WRITE_SCOPE}."
        return Denied(status=answer.status, sentence=sentence, kept=answer.kept_text())
    if answer.status == NOT_FOUND:
        told = f"{told} The delivery does not exist, or the API key does not see it."
    return Rejected(status=answer.status, sentence=told, kept=answer.kept_text())


def _unclear(answer: Answer, detail: str) -> Unclear:
    return Unclear(
        status=answer.status,
        sentence=f"{answer.system}: {answer.operation}: {detail}.",
        kept=answer.kept_text(),
    )


def _is_problem(answer: Answer) -> bool:
    try:
        document: object = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(document, dict) and any(member in document for member in _PROBLEM_MEMBERS)


def _record(answer: Answer) -> Mapping[str, object]:
    record = answer.json()
    # bool is an int to Python, not to JSON.
    if not isinstance(record, dict) or type(record.get("id")) is not int:
        detail = f"{answer.described()} is not a JSON object of a delivery"
        raise answer.unexpected(detail)
    return record


def _nothing(answer: Answer) -> None:
    del answer
