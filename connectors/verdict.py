"""The verdict on an answer: what its status means for what to do next."""

import re
from collections.abc import Collection
from datetime import datetime

from connectors.answer import Answer, http_date
from connectors.errors import (
    ConnectorError,
    Forbidden,
    NotFound,
    Permanent,
    Refused,
    ServerFault,
    Throttled,
    Unauthorized,
)
from connectors.problem import problem_text

THROTTLED = 429
NOT_FOUND = 404

# Seconds: whoever asks for years (a mistake, or malice) is asked again after an hour.
LONGEST_WISH = 3600.0

_SUCCESS = range(200, 300)
_SERVER_FAULT = range(500, 600)
_CLIENT_FAULT = range(400, 500)

# Request Timeout and Too Early ask for the same request again, so they are the server's fault in all but number.
_COME_AGAIN = frozenset({408, 425})

_PERMANENT: dict[int, type[Permanent]] = {401: Unauthorized, 403: Forbidden, NOT_FOUND: NotFound}

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,6})?", re.ASCII)


def accepted(answer: Answer, allow: Collection[int] = ()) -> Answer:
    """Return the answer when it is a success or its status is allowed; otherwise raise the error it stands for.

    A 404 in HTML is never allowed: it tells of a proxy or a wrong base URL, not of an absent record.
    """
    if answer.status in _SUCCESS:
        return answer
    if answer.status in allow and not _is_foreign(answer):
        return answer
    raise verdict(answer)


def verdict(answer: Answer) -> ConnectorError:
    """Return the error that an unsuccessful status stands for."""
    if answer.status == THROTTLED or answer.status in _SERVER_FAULT or answer.status in _COME_AGAIN:
        return _transient(answer)
    if answer.status not in _CLIENT_FAULT:
        return answer.unexpected(f"{answer.described()} is no result; redirects are not followed")
    if _is_foreign(answer):
        return answer.unexpected(f"{answer.described()} is a page, not an answer of the interface")
    detail = f"HTTP {answer.status}: {problem_text(answer)}"
    return _PERMANENT.get(answer.status, Refused)(answer.system, answer.operation, detail, status=answer.status)


def retry_after(answer: Answer, *, now: datetime | None = None) -> float | None:
    """Seconds the server asks to wait, at most LONGEST_WISH; None if it names none.

    RFC 9110 §10.2.3: seconds, or a date, which is measured by the server's own clock, or by `now` if it shows none.
    """
    value = answer.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return min(LONGEST_WISH, float(value))
    until = http_date(value)
    since = now if answer.server_time is None else answer.server_time
    return None if until is None or since is None else min(LONGEST_WISH, max(0.0, (until - since).total_seconds()))


def _transient(answer: Answer) -> ConnectorError:
    kind = Throttled if answer.status == THROTTLED else ServerFault
    told = "too many requests" if kind is Throttled else problem_text(answer)
    detail = f"HTTP {answer.status}: {told}"
    return kind(answer.system, answer.operation, detail, status=answer.status, retry_after=retry_after(answer))


def _is_foreign(answer: Answer) -> bool:
    return answer.status == NOT_FOUND and answer.media_type in {"text/html", "application/xhtml+xml"}
