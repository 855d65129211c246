"""What can be set at a twin: every unknown of the API descriptions, and every fault.

Probabilities lie between 0 and 1 and are drawn from the twin's seeded random source.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

from connectors.simulated.warehouse_odd import OddAnswer


class PageOrder(StrEnum):
    """In which order the warehouse lists rows; the vendor does not say."""

    BY_ID = "by_id"
    UPDATED_ASC = "updated_asc"
    UPDATED_DESC = "updated_desc"
    SHUFFLED = "shuffled"


class PostFault(StrEnum):
    """What can go wrong with one writing call."""

    NONE = "none"
    REFUSE_BEFORE_COMMIT = "refuse_before_commit"
    DROP_BEFORE_COMMIT = "drop_before_commit"
    HANG_BEFORE_COMMIT = "hang_before_commit"
    COMMIT_THEN_DROP = "commit_then_drop"
    COMMIT_THEN_500 = "commit_then_500"
    COMMIT_THEN_HANG = "commit_then_hang"
    COMMIT_LATE = "commit_late"
    THROTTLE_BEFORE_COMMIT = "throttle_before_commit"
    THROTTLE_AFTER_COMMIT = "throttle_after_commit"
    BROKEN_JSON = "broken_json"
    FEWER_KG_IN_BODY = "fewer_kg_in_body"
    OTHER_ORDER_IN_BODY = "other_order_in_body"
    GATEWAY_TWICE = "gateway_twice"
    FOREIGN_404 = "foreign_404"


class LateStamp(StrEnum):
    """Which moment a late commit carries as ``delivered_at``."""

    EARLY = "early"
    LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSwitches:
    """What can be set at every system that is written to."""

    requests_per_second: float = 0.0
    """The limit per credential; above it 429; 0 is no limit."""
    retry_after: bool = True
    """Whether a 429 carries ``Retry-After``."""
    # A mapping has no hash, and switches are keys of what was found under them.
    post_faults: Mapping[PostFault, float] = field(default_factory=dict, hash=False)
    """The probability of each fault of a writing call; those about kilograms and orders are the registry's only."""
    script: tuple[PostFault, ...] = ()
    """The faults of the next writing calls, one each, before probabilities apply again."""
    late_commit_seconds: float = 2.0
    """How long after the request a late commit happens."""
    hang_seconds: float = 60.0
    """How long a hanging answer takes before the connection is reset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseSwitches(ServiceSwitches):
    """The unknowns and faults of logistic.cloud."""

    requests_per_second: float = 1.0
    """The limit per key; above it 429; 0 is no limit."""
    retry_after: bool = False
    """Whether a 429 carries ``Retry-After``."""
    page_order: PageOrder = PageOrder.BY_ID
    """The order of the rows over all pages; drawn anew for each request when shuffled."""
    min_inclusive: bool = True
    """Whether a row exactly at a ``…Min`` is listed."""
    max_inclusive: bool = True
    """Whether a row exactly at a ``…Max`` is listed."""
    x_total: bool = True
    """Whether lists carry ``X-Total``."""
    filters_ignored: bool = False
    """Whether the time filters are silently not understood."""
    fraction_stamps: bool = False
    """Whether stamps carry microseconds instead of whole seconds."""
    visible_late_seconds: float = 0.0
    """The longest time between a change's stamp and the moment it can be read."""
    visible_late_share: float = 0.2
    """The share of changes that become visible late, if any do."""
    date_skew_seconds: float = 0.0
    """How far the ``Date`` header is ahead of the stamps; negative is behind."""
    age_seconds: int = 0
    """The ``Age`` header, as of an answer from a cache; 0 sends none."""
    duplicate_numbers_refused: bool = False
    """Whether creating a delivery with a number already used is refused with 400."""
    put_clears_omitted: bool = True
    """Whether a head field that an update leaves out is cleared; otherwise it keeps its value."""
    null_items_clear_drafts: bool = False
    """Whether ``lineItems: null`` empties a draft; otherwise its line items stay."""
    approve_twice_refused: bool = True
    """Whether approving a delivery that is no draft is refused with 400; otherwise 204, and nothing happens."""
    server_error: float = 0.0
    """The probability of a 500 or 503."""
    reset: float = 0.0
    """The probability that the connection is reset before an answer."""
    truncated: float = 0.0
    """The probability that the body ends in the middle."""
    slow: float = 0.0
    """The probability that the answer takes ``slow_seconds``."""
    slow_seconds: float = 2.0
    """How long a slow answer takes."""
    throttled: float = 0.0
    """The probability of a 429 although the limit was kept."""
    page_size_limit: int = 250
    """The most rows of a page, whatever is asked for; ``X-PageSize`` tells."""
    x_total_off: int = 0
    """How far ``X-Total`` is from the truth; negative is too few."""
    refusal_status: int = 0
    """A status that everything is answered with, such as 401 or 503; 0 is none."""
    odd_answer: OddAnswer = OddAnswer.NONE
    """In which way lists are answered oddly."""
    odd_share: float = 1.0
    """The probability that a list is answered oddly, if lists are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySwitches(ServiceSwitches):
    """The unknowns and faults of the Isometric registry."""

    used_batches_refused: bool = True
    """Whether a batch that was split or delivered is refused; otherwise the same body delivers again."""
    over_delivery_refused: bool = True
    """Whether more than the order's remaining kilograms is refused."""
    all_or_nothing: bool = True
    """Whether one bad batch refuses the whole request; otherwise the good ones are delivered in spite of the 422."""
    partial_acceptance: bool = False
    """Whether only part of the kilograms is taken, with a 200."""
    unknown_id_status: int = 404
    """The status for an id of the right shape that nobody knows."""
    list_lag_seconds: float = 0.0
    """How long a new delivery is missing from lists and reads."""
    lag_covers_orders: bool = False
    """Whether ``credits_delivered`` and an order's status lag like the lists."""
    lag_covers_batches: bool = False
    """Whether batches lag like the lists."""
    late_stamp: LateStamp = LateStamp.LATE
    """Which moment a late commit carries."""
    read_error: float = 0.0
    """The probability that a read answers 500."""
    read_stale: float = 0.0
    """The probability that a read shows the state of ``stale_seconds`` ago."""
    stale_seconds: float = 5.0
    """How old a stale read is."""
    read_partial: float = 0.0
    """The probability that a page of a list leaves rows out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverSwitches:
    """The faults of the operator's webhook receiver."""

    server_error: float = 0.0
    """The probability of a 500; half of them after the event was taken."""
    throttled: float = 0.0
    """The probability of a 429 with ``Retry-After``."""
    retry_after_seconds: int = 1
    """The value of that ``Retry-After``."""
    gone: float = 0.0
    """The probability of a 410."""
    hang: float = 0.0
    """The probability that no answer comes for ``hang_seconds``, although the event was taken."""
    hang_seconds: float = 60.0
    """How long a hanging answer takes before the connection is reset."""
    reset: float = 0.0
    """The probability that the connection is reset; half of them after the event was taken."""
    redirect: float = 0.0
    """The probability of a 307 to another path."""
    unavailable: float = 0.0
    """The probability of a 503 with ``Retry-After``."""
    late: float = 0.0
    """The probability that a 200 comes after ``hang_seconds``; the event was taken."""
    truncated: float = 0.0
    """The probability that a 200 breaks off in the middle of its body; the event was taken."""
    endless: float = 0.0
    """The probability that a 200 has a body without end; the event was taken."""
    retry_after_date: bool = False
    """Whether ``Retry-After`` is an HTTP date."""
    subjects: float = 1.0
    """The share of subjects that meet these faults, always the same ones."""
    tolerance_seconds: float = 300.0
    """How far ``webhook-timestamp`` may be from the receiver's time."""


AnySwitches = TypeVar("AnySwitches", bound="DataclassInstance")
AnyService = TypeVar("AnyService", bound=ServiceSwitches)


class SwitchError(ValueError):
    """A switch that does not exist, or a value it cannot take."""


def changed(switches: AnySwitches, changes: Mapping[str, Any]) -> AnySwitches:
    """Return ``switches`` with ``changes`` (JSON values) applied; raise :class:`SwitchError` on a bad one."""
    known = {item.name for item in fields(switches)}
    for name in changes:
        if name not in known:
            sentence = f"There is no switch {name!r}; choose one of {', '.join(sorted(known))}."
            raise SwitchError(sentence)
    fitted: dict[str, Any] = {name: _fit(name, getattr(switches, name), value) for name, value in changes.items()}
    return replace(switches, **fitted)


def _fit(name: str, present: Any, value: Any) -> object:  # noqa: ANN401 - a JSON value
    """Return ``value`` in the type of the ``present`` one."""
    try:
        return _converted(present, value)
    except (TypeError, ValueError) as error:
        sentence = f"The switch {name!r} cannot be {value!r}: {error}."
        raise SwitchError(sentence) from error


def _converted(present: Any, value: Any) -> object:  # noqa: ANN401 - a JSON value
    if isinstance(present, Mapping):
        return {PostFault(fault): float(share) for fault, share in value.items()}
    if isinstance(present, tuple):
        return tuple(PostFault(fault) for fault in value)
    if isinstance(present, bool) is not isinstance(value, bool):
        sentence = "true and false belong to yes-or-no switches only"
        raise ValueError(sentence)
    return type(present)(value)


class Panel(Generic[AnySwitches]):
    """The switches of one twin as they stand now; they may be changed while it serves."""

    def __init__(self, switches: AnySwitches) -> None:
        """Begin with ``switches``."""
        self._lock = threading.Lock()
        self.now: AnySwitches = switches

    def change(self, changes: Mapping[str, Any]) -> None:
        """Apply ``changes`` (JSON values); on a bad one raise :class:`SwitchError` and change nothing."""
        self.update(lambda now: changed(now, changes))

    def update(self, change: Callable[[AnySwitches], AnySwitches]) -> AnySwitches:
        """Put ``change`` of what stands in its place, in one step, and return what stood before."""
        with self._lock:
            former = self.now
            self.now = change(former)
            return former

    def as_json(self) -> dict[str, Any]:
        """Return every switch with its value."""
        return {
            # JSON takes text for a key, and nothing derived from it.
            name: {str(key): share for key, share in value.items()} if isinstance(value, Mapping) else value
            for name, value in asdict(self.now).items()
        }


def take_scripted(panel: Panel[AnyService]) -> PostFault | None:
    """Remove and return the next scripted fault, or return None when the script is at its end."""
    former = panel.update(lambda now: replace(now, script=now.script[1:]))
    return former.script[0] if former.script else None
