"""What can be set at barmate's twin: every unknown of the vendor's pages, and every fault.

Probabilities lie between 0 and 1 and are drawn from the twin's seeded random source.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from connectors.simulated.switches import ServiceSwitches


class SuccessBody(StrEnum):
    """What a response that was taken is answered with; the vendor's page does not say."""

    EMPTY = "empty"
    RESPONSE = "response"
    DELIVERY = "delivery"


class ListEnd(StrEnum):
    """How the last page says that it is the last; documented is a missing cursor."""

    ABSENT = "absent"
    NULL = "null"
    EMPTY = "empty"


class CursorKind(StrEnum):
    """What a cursor remembers: a place in the list (new rows push others onto the next page again) or a row."""

    PLACE = "place"
    ROW = "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class BarmateSwitches(ServiceSwitches):
    """The unknowns and faults of barmate Connect."""

    page_size: int = 20
    """Rows a page."""
    cursor_kind: CursorKind = CursorKind.PLACE
    """What a cursor remembers."""
    cursor_seconds: float = 0.0
    """How long a cursor lives; then 400; 0 is for ever."""
    cursor_circles: bool = False
    """Whether every page leads back to the first one."""
    list_end: ListEnd = ListEnd.ABSENT
    """How the last page says that it is the last."""
    status_filter: bool = True
    """Whether ``status`` is understood; otherwise it is ignored."""
    list_customer_id: bool = True
    """Whether rows of lists carry the customer's id; otherwise it is null."""
    id_as_text: bool = False
    """Whether an id made of digits is written as a string instead of a number."""
    packaging_words: bool = False
    """Whether packaging is written as words (``carton``) instead of codes (``CT``)."""
    update_shown: bool = True
    """Whether an UPDATE is shown as such; otherwise as an ACCEPT, as the page on reading lists no other."""
    repeated_accept_refused: bool = True
    """Whether an ACCEPT of an accepted delivery is a 400; otherwise a second response, with a second e-mail."""
    success_body: SuccessBody = SuccessBody.EMPTY
    """What a response that was taken is answered with."""
    empty_not_found: bool = False
    """Whether the 404 of an unknown id has no body."""
    server_error: float = 0.0
    """The probability that a read answers 500."""
    reset: float = 0.0
    """The probability that the connection of a read is reset before an answer."""
    truncated: float = 0.0
    """The probability that the body of a read ends in the middle."""
    broken: float = 0.0
    """The probability that a read answers 200 with half of its JSON."""
    page: float = 0.0
    """The probability that a read answers 200 with a page in HTML."""
    foreign_404: float = 0.0
    """The probability that a read answers 404 with a page in HTML."""
    throttled: float = 0.0
    """The probability that a read answers 429 although the limit was kept."""
    slow: float = 0.0
    """The probability that a read takes ``slow_seconds``."""
    slow_seconds: float = 2.0
    """How long a slow read takes."""
    stale: float = 0.0
    """The probability that a read shows the state of ``stale_seconds`` ago."""
    stale_seconds: float = 5.0
    """How old a stale read is."""
    hook_retry_seconds: float = 1.0
    """How long after a webhook that was not answered with 200 or 201 it is sent again."""
    hook_timeout_seconds: float = 5.0
    """How long a webhook waits for its answer."""
    hook_repeated: float = 0.0
    """The probability that a webhook is sent once more although it was answered with 200."""
    hook_lost: float = 0.0
    """The probability that a webhook is never sent."""
    hooks_shuffled: bool = False
    """Whether webhooks that wait are sent in any order."""
