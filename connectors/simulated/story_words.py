"""The words of a story: what is planned, what happens when, and what an auditor should find at the end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connectors.simulated.registry_model import RegistryContent


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryPlan:
    """What a story is made from; equal plans give equal stories.

    ``seconds`` is the time in which every delivery moves through its statuses; ``linked_share`` lies between 0 and 1.
    """

    seed: int = 1
    deliveries: int = 200
    orders: int = 40
    linked_share: float = 0.7
    seconds: float = 60.0
    bad_records: int = 0
    unknown_values: int = 0
    deletions: int = 0


class Fate(StrEnum):
    """How an order ends."""

    COMPLETE = "complete"
    PARTLY_CANCELLED = "partly_cancelled"
    NEVER = "never"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"
    UNKNOWN_VALUE = "unknown_value"
    BAD_RECORD = "bad_record"


class LinkKind(StrEnum):
    """How an order is linked to a credit order."""

    UNLINKED = "unlinked"
    PLAIN = "plain"
    ONE_TOO_MANY = "one_too_many"
    NO_FACTOR = "no_factor"
    TOO_SMALL = "too_small"
    NO_CUSTOMER = "no_customer"


class Kind(StrEnum):
    """What a step does to a delivery."""

    CREATE = "create"
    MOVE = "move"
    EDIT = "edit"
    VANISH = "vanish"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of one delivery, ``offset`` seconds after the story's beginning (before it if negative).

    ``record`` is the first version (create) or the changed fields (edit); ``cancelled_items`` are indices.
    """

    offset: float
    key: int
    kind: Kind
    record: dict[str, Any] | None = None
    status: str = ""
    inbound: str = ""
    cancelled_items: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedDelivery:
    """A delivery: its first version, its last status, and the line items that are cancelled on the way."""

    key: int
    record: dict[str, Any]
    completes: bool
    end: tuple[str, str]
    cancelled_items: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrder:
    """An order with its deliveries, its fate and its link; ``begins`` and ``spread`` are shares of the story's time."""

    customer_id: int
    purchase_order: str
    fate: Fate
    link: LinkKind
    by_factor: bool
    open_ended: bool
    history: bool
    begins: float
    deliveries: tuple[PlannedDelivery, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    """What an operator would write down about an order; a field left blank is None."""

    purchase_order: str
    credit_order_id: str
    credit_kg: int | None
    expected_deliveries: int | None
    open_ended: bool
    customer_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRow:
    """Kilograms per unit of an article, as an exact decimal in text."""

    article_number: str
    unit: str
    kg_per_unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an auditor should find for an order: exactly ``kg``, once, or nothing and why."""

    customer_id: int
    purchase_order: str
    credit_order_id: str | None
    kg: int | None
    should_deliver: bool
    reason: str
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A record that does not parse; ``key`` is the id in its place, whatever the record says."""

    key: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that will happen, and everything that should follow from it."""

    plan: StoryPlan
    steps: tuple[Step, ...]
    registry: RegistryContent
    links: tuple[LinkRow, ...]
    factors: tuple[FactorRow, ...]
    expected: tuple[Expected, ...]
    planted: tuple[Planted, ...]
