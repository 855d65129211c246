"""The things of the registry: organisations, the supplier, credit orders, credit batches, credit deliveries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A company on the registry."""

    id: str
    name: str
    domain: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplier:
    """Who removes carbon and delivers credits."""

    id: str
    organisation: Organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditOrder:
    """What a buyer purchased; how much of it is delivered follows from the deliveries."""

    id: str
    buyer: Organisation
    supplier: Supplier
    contract_date: date
    ordered_kg: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditBatch:
    """Kilograms of one issuance in one hand. ``first_serial`` to ``first_serial + kg`` is its range of serial numbers.

    ``created_at`` is None for a batch that was there from the beginning; ``consumed_at`` is when it was split or moved.
    """

    id: str
    kg: int
    first_serial: int
    issued_at: datetime
    sequestered_on: date
    issuance_id: str
    project_id: str
    removal_id: str
    supplier_id: str
    owner: Organisation
    status: str = "active"
    parent_id: str | None = None
    left_child_id: str | None = None
    right_child_id: str | None = None
    delivery_id: str | None = None
    order_id: str | None = None
    delivered_at: datetime | None = None
    retired_at: datetime | None = None
    created_at: datetime | None = None
    consumed_at: datetime | None = None

    def usable_by(self, organisation: Organisation) -> bool:
        """Tell whether ``organisation`` can still deliver from it."""
        return self.status == "active" and self.owner.id == organisation.id and self.delivery_id is None

    def as_of(self, moment: datetime, before: Organisation) -> CreditBatch | None:
        """Return how the batch looked at ``moment``, when ``before`` owned it; None if it did not exist yet."""
        if self.created_at is not None and self.created_at > moment:
            return None
        if self.consumed_at is None or self.consumed_at <= moment:
            return self
        return replace(
            self,
            status="active",
            owner=before,
            left_child_id=None,
            right_child_id=None,
            delivery_id=None,
            order_id=None,
            delivered_at=None,
            consumed_at=None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDelivery:
    """Kilograms that were moved to a buyer; ``committed_at`` is when it truly happened, whatever it is stamped with."""

    id: str
    sequence: int
    delivered_at: datetime
    committed_at: datetime
    order_id: str
    to: Organisation
    kg: int
    notes: str | None
    batch_ids: tuple[str, ...]
    request_number: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One pair of a request: so many kilograms of that batch."""

    batch_id: str
    kg: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRequest:
    """A well-formed body of ``POST /deliveries``."""

    order_id: str
    notes: str | None
    lines: tuple[Line, ...]

    @property
    def kg(self) -> int:
        """The sum of all lines."""
        return sum(line.kg for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryContent:
    """Everything the registry holds before the first credit delivery."""

    supplier: Supplier
    organisations: tuple[Organisation, ...]
    orders: tuple[CreditOrder, ...]
    batches: tuple[CreditBatch, ...]
