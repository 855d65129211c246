"""How the registry shows its things: JSON objects as the OpenAPI document describes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connectors.simulated.clock import stamp
from connectors.simulated.registry import Registry
from connectors.simulated.registry_model import CreditBatch, CreditDelivery, CreditOrder, Organisation, Supplier

JsonObject = dict[str, Any]

# Kilograms in one credit.
KG_PER_CREDIT = 1000


def quantity(kg: int) -> JsonObject:
    """Return ``CreditQuantity``: the float is for display, the integer counts."""
    return {"credits": round(kg / KG_PER_CREDIT, 3), "credit_kgs": kg}


def organisation(thing: Organisation) -> JsonObject:
    """Return ``Organisation``."""
    return {"id": thing.id, "name": thing.name, "domain": thing.domain}


def supplier(thing: Supplier) -> JsonObject:
    """Return ``Supplier``."""
    return {
        "id": thing.id,
        "short_description": "A simulated supplier of removals.",
        "long_description": None,
        "organisation": organisation(thing.organisation),
        "location": {
            "country_code": "GBR",
            "country_name": "United Kingdom",
            "latitude": 51.5,
            "longitude": -0.1,
            "description": None,
        },
    }


def order(registry: Registry, thing: CreditOrder, until: datetime) -> JsonObject:
    """Return ``Order`` as it was at ``until``."""
    delivered = registry.delivered_kg(thing.id, until=until)
    fulfilled = registry.fulfilled_at(thing, until=until)
    return {
        "id": thing.id,
        "effective_contract_date": thing.contract_date.isoformat(),
        "fulfilled_at": moment(fulfilled),
        "buyer_organisation": organisation(thing.buyer),
        "supplier": supplier(thing.supplier),
        "status": order_status(thing.ordered_kg, delivered),
        "credits_ordered": quantity(thing.ordered_kg),
        "credits_delivered": quantity(delivered),
    }


def order_status(ordered: int, delivered: int) -> str:
    """Return ``placed`` before, ``completed`` after, ``in_progress`` between."""
    if delivered >= ordered:
        return "completed"
    return "in_progress" if delivered else "placed"


def delivery(registry: Registry, thing: CreditDelivery) -> JsonObject:
    """Return ``Delivery``."""
    return {
        "id": thing.id,
        "delivered_at": moment(thing.delivered_at),
        "order_id": thing.order_id,
        "from_supplier": supplier(registry.supplier),
        "to_organisation": organisation(thing.to),
        "credit_batch_size_total": quantity(thing.kg),
        "url": f"https://registry.example/deliveries/{thing.id}",
        "notes": thing.notes,
    }


def batch(thing: CreditBatch) -> JsonObject:
    """Return ``CreditBatch``."""
    return {
        "id": thing.id,
        "serial_number": serial_number(thing),
        "status": thing.status,
        "size": quantity(thing.kg),
        "issued_at": moment(thing.issued_at),
        "retired_at": moment(thing.retired_at),
        "delivered_at": moment(thing.delivered_at),
        "sequestered_on": thing.sequestered_on.isoformat(),
        "country_of_issue": "GBR",
        "supplier_id": thing.supplier_id,
        "parent_id": thing.parent_id,
        "left_child_id": thing.left_child_id,
        "right_child_id": thing.right_child_id,
        "issuance_id": thing.issuance_id,
        "delivery_id": thing.delivery_id,
        "beneficiary": None,
        "retirement_id": None,
        "removal_id": thing.removal_id,
        "owner": organisation(thing.owner),
        "project_id": thing.project_id,
        "carbon_removal_data": None,
        "ccp_approved": False,
    }


def serial_number(thing: CreditBatch) -> str:
    """Return a number like the vendor's example; it ends with the first and the last kilogram."""
    last = thing.first_serial + thing.kg
    return f"ISO-1-SIMUL-GBR-{thing.issuance_id[-4:]}-{thing.sequestered_on.year}-{thing.first_serial}-{last}"


def moment(instant: datetime | None) -> str | None:
    """Return an instant as the registry writes it: UTC with microseconds."""
    return None if instant is None else stamp(instant, fractions=True)
