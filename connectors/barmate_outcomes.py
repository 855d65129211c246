"""What can come of one response to barmate, as values: every one says what may be believed about it.

Source of the facts: vendor's page `api/post-delivery-response` (200, 400 invalid, 404 unknown id; the body of a
success and an idempotency key are not documented).
"""

from dataclasses import dataclass

from connectors.answer import Answer
from connectors.errors import ConnectorError, NotConnected
from connectors.exact import exact_json
from connectors.problem import problem_text
from connectors.verdict import NOT_FOUND, THROTTLED, retry_after

_TAKEN = frozenset({200, 201, 204})
_DENIED = frozenset({401, 403})
# Conflict and Unprocessable Content are not documented, but say what the documented 400 says.
_REFUSED = frozenset({400, 409, 422})
_PAGES = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """barmate has the response, and may have written an e-mail about it."""

    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """barmate said no and why: read again, decide anew.

    After a good reading the state moved on: by the customer, or by this very response where a gateway sent it twice.
    """

    status: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """barmate knows no such delivery."""

    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """The credential is not accepted (401, 403): a person must act, and nothing more should be sent until then."""

    status: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """Provably nothing was sent, so the same response may be sent later."""

    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """It may have been taken or not: read the delivery and look for the response before anything is sent again.

    `status` is None where no answer came; `retry_after` in seconds where barmate asked for patience.
    """

    sentence: str
    status: int | None = None
    retry_after: float | None = None


Outcome = Taken | Refused | NotFound | Denied | NotSent | Unknown


def outcome_of_error(error: ConnectorError) -> Outcome:
    """Return what a failed exchange says about the response."""
    return NotSent(sentence=error.sentence) if isinstance(error, NotConnected) else Unknown(sentence=error.sentence)


def outcome_of(answer: Answer) -> Outcome:
    """Return what an answer says about the response."""
    sentence = f"{answer.system}: {answer.operation}: HTTP {answer.status}: {problem_text(answer)}"
    if answer.status == THROTTLED:
        return Unknown(sentence=sentence, status=THROTTLED, retry_after=retry_after(answer))
    if answer.status in _DENIED:
        return Denied(status=answer.status, sentence=sentence)
    if not is_own(answer):
        told = f"{answer.system}: {answer.operation}: {answer.described()} is not of barmate's shape"
        return Unknown(sentence=told, status=answer.status)
    return _outcome_of_own(answer, sentence)


def is_own(answer: Answer) -> bool:
    """Tell whether barmate itself may have answered: with JSON, or with nothing; a page is somebody else's."""
    if answer.media_type in _PAGES:
        return False
    return not answer.body.strip() or _is_json(answer)


def _outcome_of_own(answer: Answer, sentence: str) -> Outcome:
    if answer.status in _TAKEN:
        return Taken(status=answer.status)
    if answer.status in _REFUSED:
        return Refused(status=answer.status, sentence=sentence)
    if answer.status == NOT_FOUND:
        return NotFound(sentence=sentence)
    return Unknown(sentence=sentence, status=answer.status, retry_after=retry_after(answer))


def _is_json(answer: Answer) -> bool:
    try:
        exact_json(answer)
    except ConnectorError:
        return False
    return True
