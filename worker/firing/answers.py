"""What an answer to the POST means. Pure; `docs/answers.md` is the table.

Only a matching 200 confirms, and only a failed connect proves that nothing was sent. Everything else may have taken
effect and is reconciled, every no included (DESIGN §6.6).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from connectors.answer import Answer
from connectors.errors import ConnectorError, NotConnected, UnexpectedAnswer
from connectors.isometric import parse_delivery
from connectors.isometric_records import CreditDelivery
from worker.firing.marker import tokens

# The part of the request that a no about the batches points to (OpenAPI v0, CreateDeliveryRequest).
BATCHES_FIELD = "credit_batch_quantities"
_CLIENT_FAULTS = range(400, 500)
_REDIRECTS = range(300, 400)
# Asked too often, too early or too slowly: says nothing about the request itself.
_COME_AGAIN = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_NO_ENTRY = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Meaning(StrEnum):
    """What an answer tells us; kept with the attempt."""

    CONFIRMED = "confirmed"  # the registry has it, as asked
    NOT_SENT = "not_sent"  # provably nothing was sent
    UNKNOWN = "unknown"  # it may have taken effect
    NO = "no"  # the registry's own no, believed once absence is proved
    FOREIGN = "foreign"  # somebody else answered, or we were not let in: nothing may be sent until that is over


class About(StrEnum):
    """What a no is about, as far as its own words say."""

    BATCHES = "batches"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the frozen request asked for."""

    credit_order_id: str
    kg: int
    marker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The meaning, with what is worth keeping: a sentence, the status and the redacted text."""

    meaning: Meaning
    reason: str
    status: int | None = None
    text: str | None = None
    about: About | None = None
    delivery: CreditDelivery | None = None


def of_answer(answer: Answer, asked: Asked) -> Reply:
    """What this answer means for that request."""
    status = answer.status
    if status == HTTPStatus.OK:
        return _of_success(answer, asked)
    if status in _NO_ENTRY:
        return _reply(answer, Meaning.FOREIGN, f"the registry refuses our credentials (HTTP {status})")
    if status in _REDIRECTS:
        return _reply(answer, Meaning.FOREIGN, f"a redirect (HTTP {status}) came in the registry's place")
    if status in _CLIENT_FAULTS and status not in _COME_AGAIN:
        return _of_refusal(answer)
    return _reply(answer, Meaning.UNKNOWN, f"HTTP {status} does not say whether the delivery was made")


def of_error(error: ConnectorError) -> Reply:
    """What it means that no complete answer came."""
    meaning = Meaning.NOT_SENT if isinstance(error, NotConnected) else Meaning.UNKNOWN
    return Reply(meaning=meaning, reason=error.sentence, status=error.status)


def not_sent(reason: str) -> Reply:
    """We stopped before connecting."""
    return Reply(meaning=Meaning.NOT_SENT, reason=reason)


def mismatch(delivery: CreditDelivery, asked: Asked) -> str | None:
    """How a credit delivery differs from what was asked for; None if it is exactly that."""
    if delivery.order_id != asked.credit_order_id:
        return f"it is on credit order {delivery.order_id} instead of {asked.credit_order_id}"
    if delivery.kg != asked.kg:
        return f"it is of {delivery.kg} kg instead of {asked.kg} kg"
    if asked.marker not in tokens(delivery.notes):
        return "its notes lack the marker"
    return None


def _of_success(answer: Answer, asked: Asked) -> Reply:
    try:
        delivery = parse_delivery(answer)
    except UnexpectedAnswer as error:
        return _reply(answer, Meaning.UNKNOWN, f"the answer 200 cannot be read: {error.detail}")
    wrong = mismatch(delivery, asked)
    if wrong is not None:
        return _reply(answer, Meaning.UNKNOWN, f"the answer 200 names delivery {delivery.id}, but {wrong}")
    return Reply(
        meaning=Meaning.CONFIRMED,
        reason=f"the registry made delivery {delivery.id}",
        status=answer.status,
        text=answer.kept_text(),
        delivery=delivery,
    )


def _of_refusal(answer: Answer) -> Reply:
    details = _own_details(answer)
    if details is None:
        reason = f"HTTP {answer.status} is not in the registry's own shape: a proxy, or a wrong base URL"
        return _reply(answer, Meaning.FOREIGN, reason)
    words = "; ".join(_words(details)) or "no words"
    about = About.BATCHES if any(_is_about_batches(detail) for detail in details) else About.OTHER
    return Reply(
        meaning=Meaning.NO,
        reason=f"the registry said no (HTTP {answer.status}): {answer.redactor.text(words)[:300]}",
        status=answer.status,
        text=answer.kept_text(),
        about=about,
    )


def _own_details(answer: Answer) -> list[Mapping[str, object]] | None:
    """The entries of HTTPValidationError (`detail[{loc, msg, type}]`), the one error shape that is documented."""
    try:
        document = answer.json()
    except UnexpectedAnswer:
        return None
    details = document.get("detail") if isinstance(document, dict) else None
    if not isinstance(details, list) or not details:
        return None
    if not all(isinstance(item, dict) and isinstance(item.get("loc"), list) and "msg" in item for item in details):
        return None
    return details


def _is_about_batches(detail: Mapping[str, object]) -> bool:
    location = detail["loc"]
    return isinstance(location, list) and BATCHES_FIELD in location


def _words(details: list[Mapping[str, object]]) -> Iterator[str]:
    for detail in details:
        location = detail["loc"]
        where = ".".join(map(str, location)) if isinstance(location, list) else ""
        yield f"{where}: {detail['msg']}"


def _reply(answer: Answer, meaning: Meaning, reason: str) -> Reply:
    return Reply(meaning=meaning, reason=reason, status=answer.status, text=answer.kept_text())
