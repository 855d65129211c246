"""The records of the Isometric registry, read from its answers.

Source of the facts: Isometric registry OpenAPI v0, components/schemas. Fields we do not use are not read; those we
do must be there and of the documented type. Kilograms come from the integer `credit_kgs` only; the float `credits`
is for display. Enumerated values stay as they came, so a new one is visible to whoever decides.
"""

from dataclasses import dataclass
from datetime import datetime

from connectors.shape import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A registry account (schema Organisation)."""

    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplier:
    """A supplier and the organisation it belongs to (schema Supplier)."""

    id: str
    organisation: Organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditOrder:
    """What a buyer purchased (schema Order); `status` is documented as placed, in_progress or completed."""

    id: str
    status: str
    supplier: Supplier
    buyer: Organisation
    ordered_kg: int
    delivered_kg: int
    fulfilled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditDelivery:
    """Kilograms moved to a credit order (schema Delivery); `notes` is public."""

    id: str
    order_id: str
    delivered_at: datetime
    supplier_id: str
    organisation_id: str
    kg: int
    notes: str | None
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditBatch:
    """A batch of credits (schema CreditBatch); `status` is documented as active, split or retired.

    A split batch is unusable and lives on in its children. A delivered one stays active under a new owner.
    """

    id: str
    status: str
    kg: int
    issued_at: datetime
    delivered_at: datetime | None
    retired_at: datetime | None
    supplier_id: str
    owner: Organisation
    project_id: str
    issuance_id: str
    delivery_id: str | None
    parent_id: str | None
    left_child_id: str | None
    right_child_id: str | None


def organisation(fields: Fields) -> Organisation:
    """Read schema Organisation."""
    return Organisation(id=fields.text("id"), name=fields.text("name"))


def supplier(fields: Fields) -> Supplier:
    """Read schema Supplier."""
    return Supplier(id=fields.text("id"), organisation=organisation(fields.child("organisation")))


def credit_order(fields: Fields) -> CreditOrder:
    """Read schema Order."""
    return CreditOrder(
        id=fields.text("id"),
        status=fields.text("status"),
        supplier=supplier(fields.child("supplier")),
        buyer=organisation(fields.child("buyer_organisation")),
        ordered_kg=_kilograms(fields, "credits_ordered"),
        delivered_kg=_kilograms(fields, "credits_delivered"),
        fulfilled_at=fields.instant_or_none("fulfilled_at"),
    )


def credit_delivery(fields: Fields) -> CreditDelivery:
    """Read schema Delivery."""
    return CreditDelivery(
        id=fields.text("id"),
        order_id=fields.text("order_id"),
        delivered_at=fields.instant("delivered_at"),
        supplier_id=fields.child("from_supplier").text("id"),
        organisation_id=fields.child("to_organisation").text("id"),
        kg=_kilograms(fields, "credit_batch_size_total"),
        notes=fields.text_or_none("notes"),
        url=fields.text("url"),
    )


def credit_batch(fields: Fields) -> CreditBatch:
    """Read schema CreditBatch."""
    return CreditBatch(
        id=fields.text("id"),
        status=fields.text("status"),
        kg=_kilograms(fields, "size"),
        issued_at=fields.instant("issued_at"),
        delivered_at=fields.instant_or_none("delivered_at"),
        retired_at=fields.instant_or_none("retired_at"),
        supplier_id=fields.text("supplier_id"),
        owner=organisation(fields.child("owner")),
        project_id=fields.text("project_id"),
        issuance_id=fields.text("issuance_id"),
        delivery_id=fields.text_or_none("delivery_id"),
        parent_id=fields.text_or_none("parent_id"),
        left_child_id=fields.text_or_none("left_child_id"),
        right_child_id=fields.text_or_none("right_child_id"),
    )


def _kilograms(fields: Fields, name: str) -> int:
    return fields.child(name).integer("credit_kgs")
