"""Where the two ledgers differ: what we hold for delivered, and what the registry lists. Pure (DESIGN §6.9)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from connectors.isometric_records import CreditDelivery
from worker.firing.confirming import Attribution
from worker.firing.marker import tokens


class Kind(StrEnum):
    """How the ledgers differ."""

    MISSING = "missing"  # a confirmed firing that the registry does not have
    EXTRA = "extra"  # a credit delivery that nobody claims
    KILOGRAMS = "different_kilograms"
    FOREIGN_MARKER = "foreign_marker"  # a marker of another key, or of an order that is not known
    NO_CREDIT_ORDER = "no_credit_order"  # a link names a credit order that the registry does not know
    LATE_SIBLING = "late_sibling"  # a delivery appeared or changed after its order was fired


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A confirmed firing as we hold it."""

    credit_delivery_id: str
    credit_order_id: str
    kg: int
    order: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """One difference; kind and subject are its identity."""

    kind: Kind
    subject: str
    detail: Mapping[str, object]

    @property
    def id(self) -> str:
        """The same difference found again is the same row."""
        return f"{self.kind}:{self.subject}"


def compare(
    held: Iterable[Held], listed: Sequence[CreditDelivery], attributions: Mapping[str, str]
) -> Iterator[Discrepancy]:
    """Every difference between what we hold and what was listed. `attributions` by id of the credit delivery."""
    there = {delivery.id: delivery for delivery in listed}
    for firing in held:
        found = there.get(firing.credit_delivery_id)
        if found is None:
            yield Discrepancy(kind=Kind.MISSING, subject=firing.credit_delivery_id, detail=_held_detail(firing))
        elif (found.kg, found.order_id) != (firing.kg, firing.credit_order_id):
            detail = {**_held_detail(firing), "registry_kg": found.kg, "registry_credit_order_id": found.order_id}
            yield Discrepancy(kind=Kind.KILOGRAMS, subject=found.id, detail=detail)
    for delivery in there.values():
        if attributions.get(delivery.id, Attribution.UNATTRIBUTED) == Attribution.UNATTRIBUTED:
            kind = Kind.FOREIGN_MARKER if tokens(delivery.notes) else Kind.EXTRA
            yield Discrepancy(kind=kind, subject=delivery.id, detail=_listed_detail(delivery))


def _held_detail(firing: Held) -> dict[str, object]:
    return {"order": firing.order, "credit_order_id": firing.credit_order_id, "kg": firing.kg}


def _listed_detail(delivery: CreditDelivery) -> dict[str, object]:
    return {
        "credit_order_id": delivery.order_id,
        "kg": delivery.kg,
        "notes": delivery.notes,
        "delivered_at": delivery.delivered_at.isoformat(),
    }
