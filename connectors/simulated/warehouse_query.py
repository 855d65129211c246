"""What a list of deliveries is asked for: the documented filters and the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from connectors.simulated.warehouse_words import (
    DEFAULT_PAGE_SIZE,
    INBOUND_STATUSES,
    MAX_PAGE_SIZE,
    PRIORITIES,
    STATUSES,
)

EXACT_FILTERS: Final = ("status", "statusInbound", "number", "numberExternal", "numberPurchaseOrder", "priority")
_ALLOWED: Final = {"status": STATUSES, "statusInbound": INBOUND_STATUSES, "priority": PRIORITIES}


class BadQueryError(ValueError):
    """A parameter the warehouse refuses, with the sentence it answers."""

    def __init__(self, field: str, sentence: str) -> None:
        """Name the parameter and what is wrong with it."""
        super().__init__(sentence)
        self.field = field
        self.sentence = sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Source time in seconds since 1970, open where None; whether the ends belong to it is a switch of the server."""

    low: float | None = None
    high: float | None = None

    def holds(self, second: float, *, min_inclusive: bool, max_inclusive: bool) -> bool:
        """Tell whether ``second`` lies in the span."""
        above = self.low is None or second > self.low or (min_inclusive and second == self.low)
        below = self.high is None or second < self.high or (max_inclusive and second == self.high)
        return above and below


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """All filters of one request; they intersect."""

    ids: frozenset[int] | None = None
    exact: tuple[tuple[str, str], ...] = ()
    created: Span = Span()
    updated: Span = Span()
    page: int = 0
    page_size: int = DEFAULT_PAGE_SIZE

    @property
    def purchase_order(self) -> str | None:
        """The exact purchase order asked for, if any."""
        return dict(self.exact).get("numberPurchaseOrder")

    @property
    def is_span_only(self) -> bool:
        """Whether nothing but a span of ``updatedAt`` is asked for."""
        return self.ids is None and not self.exact and self.created == Span()


def parse_filter(query: Iterable[tuple[str, str]]) -> DeliveryFilter:
    """Read the query of ``GET /deliveries``; raise :class:`BadQueryError` on a value outside the documented ones.

    Parameters nobody documented are ignored, as the frameworks of this kind do.
    """
    given = dict(query)
    return DeliveryFilter(
        ids=_ids(given, "ids"),
        exact=tuple((name, _allowed(name, given[name])) for name in EXACT_FILTERS if name in given),
        created=Span(low=_second(given, "createdAtMin"), high=_second(given, "createdAtMax")),
        updated=Span(low=_second(given, "updatedAtMin"), high=_second(given, "updatedAtMax")),
        page=_whole(given, "page", default=0, low=0, high=2**31 - 1),
        page_size=_whole(given, "pageSize", default=DEFAULT_PAGE_SIZE, low=1, high=MAX_PAGE_SIZE),
    )


def _invalid(name: str, value: str) -> BadQueryError:
    return BadQueryError(name, f"The value '{value}' is not valid for {name}.")


def _ids(given: Mapping[str, str], name: str) -> frozenset[int] | None:
    if name not in given:
        return None
    try:
        return frozenset(int(text) for text in given[name].split(",") if text.strip())
    except ValueError as error:
        raise _invalid(name, given[name]) from error


def _allowed(name: str, value: str) -> str:
    if name in _ALLOWED and value not in _ALLOWED[name]:
        raise _invalid(name, value)
    return value


def _second(given: Mapping[str, str], name: str) -> float | None:
    """Return the instant in seconds; a value without a zone is taken as UTC."""
    if name not in given:
        return None
    try:
        moment = datetime.fromisoformat(given[name])
    except ValueError as error:
        raise _invalid(name, given[name]) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _whole(given: Mapping[str, str], name: str, *, default: int, low: int, high: int) -> int:
    text = given.get(name, str(default))
    if not text.isascii() or not text.lstrip("-").isdigit() or not low <= int(text) <= high:
        raise BadQueryError(name, f"The field {name} must be between {low} and {high}.")
    return int(text)
