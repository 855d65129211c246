"""The faults by name, as ``--faults`` takes them: each sets switches of one twin, or plants records in the story."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connectors.simulated.switches import PostFault

# Share of requests: high enough that some hundred of them meet every fault, low enough to make progress.
RATE: Final = 0.03
# Share of POSTs: there are far fewer of them than reads.
POST_RATE: Final = 0.04
# The systems whose switches a fault may set.
SYSTEMS: Final = ("warehouse", "registry", "webhook", "barmate")
NONE: Final = "none"
ALL: Final = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault with the sentence ``--list-faults`` prints.

    ``heals``: a careful client gets over it without a person, so it belongs to ``all``.
    """

    name: str
    says: str
    warehouse: Mapping[str, Any] = field(default_factory=dict)
    registry: Mapping[str, Any] = field(default_factory=dict)
    webhook: Mapping[str, Any] = field(default_factory=dict)
    barmate: Mapping[str, Any] = field(default_factory=dict)
    story: Mapping[str, int] = field(default_factory=dict)
    heals: bool = True


# What can happen to a writing call, and the switch it needs besides.
_WRITES: Final[tuple[tuple[PostFault, str, Mapping[str, float]], ...]] = (
    (PostFault.REFUSE_BEFORE_COMMIT, "Some {calls} answer 500 and nothing happened.", {}),
    (PostFault.DROP_BEFORE_COMMIT, "Some {calls} are reset and nothing happened.", {}),
    (PostFault.HANG_BEFORE_COMMIT, "Some {calls} get no answer and nothing happened.", {"hang_seconds": 15.0}),
    (PostFault.COMMIT_THEN_DROP, "Some {calls} take effect, then the connection is reset.", {}),
    (PostFault.COMMIT_THEN_500, "Some {calls} take effect and answer 500.", {}),
    (PostFault.COMMIT_THEN_HANG, "Some {calls} take effect and get no answer.", {"hang_seconds": 15.0}),
    (PostFault.COMMIT_LATE, "Some {calls} take effect after the client has gone.", {"late_commit_seconds": 1.0}),
    (PostFault.THROTTLE_BEFORE_COMMIT, "Some {calls} answer 429 and nothing happened.", {}),
    (PostFault.THROTTLE_AFTER_COMMIT, "Some {calls} take effect and answer 429.", {}),
    (PostFault.BROKEN_JSON, "Some {calls} take effect and answer 200 with half a body.", {}),
    (PostFault.FEWER_KG_IN_BODY, "Some {calls} take effect and answer with fewer kilograms.", {}),
    (PostFault.OTHER_ORDER_IN_BODY, "Some {calls} take effect and answer with another order.", {}),
    (PostFault.GATEWAY_TWICE, "A gateway sends some {calls} twice; the client sees the second answer.", {}),
    (PostFault.FOREIGN_404, "Some {calls} answer a 404 page in HTML and nothing happened.", {}),
)
# Only the registry's answers name kilograms and an order.
_ABOUT_CREDITS: Final = frozenset({PostFault.FEWER_KG_IN_BODY, PostFault.OTHER_ORDER_IN_BODY})


def _written(system: str, calls: str, *, without: Collection[PostFault] = ()) -> Iterator[Fault]:
    """Return what can happen to the writing ``calls`` of ``system``."""
    for fault, says, more in _WRITES:
        if fault not in without:
            name = f"{system}-{fault.value.replace('_', '-')}"
            switches: dict[str, Any] = {system: {"post_faults": {fault.value: POST_RATE}, **more}}
            yield Fault(name=name, says=says.format(calls=calls), **switches)


_WAREHOUSE: Final = (
    Fault(name="warehouse-errors", says="Some requests answer 500 or 503.", warehouse={"server_error": RATE}),
    Fault(name="warehouse-resets", says="Some connections are reset before an answer.", warehouse={"reset": RATE}),
    Fault(name="warehouse-truncated", says="Some bodies end in the middle.", warehouse={"truncated": RATE}),
    Fault(name="warehouse-slow", says="Some answers take a second.", warehouse={"slow": RATE, "slow_seconds": 1.0}),
    Fault(
        name="warehouse-throttles",
        says="Some requests get a 429, with Retry-After, although the limit was kept.",
        warehouse={"throttled": RATE, "retry_after": True},
    ),
    Fault(
        name="warehouse-shuffled",
        says="Rows come in another order on every request.",
        warehouse={"page_order": "shuffled"},
    ),
    Fault(
        name="warehouse-newest-first",
        says="Rows come by updatedAt, newest first, so that they move between pages.",
        warehouse={"page_order": "updated_desc"},
        heals=False,
    ),
    Fault(
        name="warehouse-exclusive-ends",
        says="A row exactly at updatedAtMin or updatedAtMax is not listed.",
        warehouse={"min_inclusive": False, "max_inclusive": False},
    ),
    Fault(name="warehouse-fractions", says="Stamps carry microseconds.", warehouse={"fraction_stamps": True}),
    Fault(
        name="warehouse-late",
        says="A fifth of the changes become visible up to half a second after their stamp.",
        warehouse={"visible_late_seconds": 0.5},
    ),
    Fault(name="warehouse-skew", says="The Date header is a second behind.", warehouse={"date_skew_seconds": -1.0}),
    Fault(
        name="warehouse-pages",
        says="Some lists are answered with a sign-in page, status 200.",
        warehouse={"odd_answer": "html", "odd_share": RATE},
        heals=False,
    ),
    Fault(
        name="warehouse-duplicates",
        says="Some lists show a row twice, in the place of another.",
        warehouse={"odd_answer": "duplicate_row", "odd_share": RATE},
        heals=False,
    ),
    Fault(
        name="warehouse-clamped",
        says="Pages hold 100 rows at most, and X-PageSize says so.",
        warehouse={"page_size_limit": 100},
    ),
    Fault(
        name="warehouse-count-off",
        says="X-Total is always one too many, so nothing can be proved.",
        warehouse={"x_total_off": 1},
        heals=False,
    ),
    Fault(name="warehouse-no-total", says="Lists carry no X-Total.", warehouse={"x_total": False}, heals=False),
    Fault(
        name="warehouse-filters-ignored",
        says="The time filters are silently not understood.",
        warehouse={"filters_ignored": True},
        heals=False,
    ),
)

_STORY: Final = (
    Fault(name="bad-records", says="Some records do not parse.", story={"bad_records": 4}),
    Fault(
        name="unknown-values", says="Some deliveries end in a status nobody documented.", story={"unknown_values": 2}
    ),
    Fault(name="deletions", says="Some deliveries without an order vanish.", story={"deletions": 3}),
)

_REGISTRY: Final = (
    Fault(name="registry-read-errors", says="Some reads answer 500.", registry={"read_error": RATE}),
    Fault(
        name="registry-stale-reads",
        says="Some reads show the state of a second ago.",
        registry={"read_stale": RATE, "stale_seconds": 1.0},
    ),
    Fault(name="registry-partial-lists", says="Some pages leave rows out.", registry={"read_partial": RATE}),
    Fault(
        name="registry-list-lag",
        says="A new credit delivery is missing from lists for a second.",
        registry={"list_lag_seconds": 1.0},
    ),
    Fault(
        name="registry-used-batches-accepted",
        says="The same body delivers again when it is sent again.",
        registry={"used_batches_refused": False},
        heals=False,
    ),
    Fault(
        name="registry-over-delivery-accepted",
        says="More than the order's remaining kilograms is accepted.",
        registry={"over_delivery_refused": False},
    ),
    Fault(
        name="registry-partial-acceptance",
        says="Only part of the kilograms is taken, with a 200.",
        registry={"partial_acceptance": True},
        heals=False,
    ),
    Fault(
        name="registry-not-atomic",
        says="A 422 about one batch still delivers the others.",
        registry={"all_or_nothing": False},
        heals=False,
    ),
)

_WEBHOOK: Final = (
    Fault(name="webhook-errors", says="Some messages get a 500.", webhook={"server_error": RATE}),
    Fault(name="webhook-throttles", says="Some messages get a 429 with Retry-After.", webhook={"throttled": RATE}),
    Fault(name="webhook-resets", says="Some connections are reset.", webhook={"reset": RATE}),
    Fault(
        name="webhook-hangs",
        says="A few messages are taken but never answered.",
        webhook={"hang": 0.001, "hang_seconds": 60.0},
    ),
    Fault(name="webhook-redirects", says="Some messages are redirected.", webhook={"redirect": RATE}, heals=False),
    Fault(name="webhook-gone", says="Some messages get a 410.", webhook={"gone": RATE}, heals=False),
)

_BARMATE: Final = (
    Fault(name="barmate-errors", says="Some reads answer 500.", barmate={"server_error": RATE}),
    Fault(name="barmate-resets", says="Some reads are reset.", barmate={"reset": RATE}),
    Fault(name="barmate-truncated", says="Some bodies end in the middle.", barmate={"truncated": RATE}),
    Fault(name="barmate-broken-reads", says="Some reads answer half of their JSON.", barmate={"broken": RATE}),
    Fault(
        name="barmate-pages",
        says="Some reads answer a page in HTML, with 200 or 404.",
        barmate={"page": RATE, "foreign_404": RATE},
    ),
    Fault(name="barmate-throttles", says="Some reads get a 429.", barmate={"throttled": RATE}),
    Fault(name="barmate-slow", says="Some reads take a second.", barmate={"slow": RATE, "slow_seconds": 1.0}),
    Fault(
        name="barmate-stale-reads",
        says="Some reads show the state of a second ago.",
        barmate={"stale": RATE, "stale_seconds": 1.0},
    ),
    Fault(
        name="barmate-cursors-expire",
        says="A cursor lives for five seconds, and pages are short.",
        barmate={"cursor_seconds": 5.0, "page_size": 10},
    ),
    Fault(
        name="barmate-cursors-circle",
        says="Every page leads back to the first one.",
        barmate={"cursor_circles": True},
        heals=False,
    ),
    Fault(
        name="barmate-accepts-twice",
        says="An ACCEPT of an accepted delivery is taken, with a second e-mail.",
        barmate={"repeated_accept_refused": False},
    ),
    Fault(
        name="barmate-hooks-odd",
        says="Webhooks come in any order, again after a 200, or never.",
        barmate={"hooks_shuffled": True, "hook_repeated": RATE, "hook_lost": RATE},
    ),
)

_ALL: Final = (
    *_WAREHOUSE,
    *_STORY,
    *_written("registry", "POSTs"),
    *_REGISTRY,
    *_WEBHOOK,
    *_written("barmate", "responses", without=_ABOUT_CREDITS),
    *_BARMATE,
)
CATALOGUE: Final = {fault.name: fault for fault in _ALL}


class UnknownFaultError(ValueError):
    """A fault nobody knows."""


def chosen(text: str) -> tuple[Fault, ...]:
    """Return the faults of a comma list, of ``none``, or of ``all``; raise :class:`UnknownFaultError`."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == [ALL]:
        return tuple(fault for fault in CATALOGUE.values() if fault.heals)
    wanted = [name for name in names if name != NONE]
    for name in wanted:
        if name not in CATALOGUE:
            sentence = f"There is no fault {name!r}; --list-faults prints those there are."
            raise UnknownFaultError(sentence)
    return tuple(CATALOGUE[name] for name in wanted)


def merged(faults: Iterable[Fault], system: str) -> dict[str, Any]:
    """Return the switches that ``faults`` set at ``system``: one of SYSTEMS, or story."""
    total: dict[str, Any] = {}
    for fault in faults:
        for name, value in getattr(fault, system).items():
            if isinstance(value, Mapping):
                total[name] = {**total.get(name, {}), **value}
            else:
                total[name] = value
    return total


def listing() -> str:
    """Return one line per fault: its name, whether it belongs to ``all``, and its sentence."""
    width = max(len(name) for name in CATALOGUE)
    lines = [f"{name:<{width}}  {'all' if fault.heals else '   '}  {fault.says}" for name, fault in CATALOGUE.items()]
    return "\n".join(lines)
