"""The plan: which batches pay for a firing, and the exact bytes that ask for them. Pure.

Facts: Isometric registry OpenAPI v0, CreditBatch and CreateDeliveryRequest; user guide "key registry concepts" for
splitting: asking for less than a batch splits it, so only the newest batch of a plan is ever taken in part.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connectors.isometric_records import CreditBatch
from worker.firing.pins import Pin

ACTIVE = "active"
SPLIT = "split"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for, and the link's limits on where it may come from."""

    kg: int
    organisation_id: str
    project: str | None
    issuance: str | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Batches that add up to exactly the kilograms wanted, and the project they belong to."""

    pins: tuple[Pin, ...]
    project: str


@dataclass(frozen=True, slots=True)
class Short:
    """The usable batches do not suffice; `reserved_kg` of what is missing is pinned by unresolved firings."""

    missing_kg: int
    reserved_kg: int


@dataclass(frozen=True, slots=True)
class SeveralProjects:
    """Candidates lie in several projects and the link names none."""

    projects: tuple[str, ...]


def is_usable(batch: CreditBatch, wanted: Wanted) -> bool:
    """Whether the batch may pay: active, ours, undelivered, within the link's project or issuance."""
    return (
        batch.status == ACTIVE
        and batch.owner.id == wanted.organisation_id
        and batch.delivery_id is None
        and batch.kg > 0
        and wanted.project in (None, batch.project_id)
        and wanted.issuance in (None, batch.issuance_id)
    )


def choose(
    batches: Iterable[CreditBatch], wanted: Wanted, reserved: frozenset[str]
) -> Chosen | Short | SeveralProjects:
    """Take the oldest usable batches, as many as needed; ties by id, so that the same facts give the same plan."""
    usable = {batch.id: batch for batch in batches if is_usable(batch, wanted)}
    projects = tuple(sorted({batch.project_id for batch in usable.values()}))
    if len(projects) > 1:
        return SeveralProjects(projects)
    oldest_first = sorted(usable.values(), key=lambda batch: (batch.issued_at, batch.id))
    pins, missing = _fill([batch for batch in oldest_first if batch.id not in reserved], wanted.kg)
    if missing > 0:
        return Short(missing, sum(batch.kg for batch in oldest_first if batch.id in reserved))
    return Chosen(pins, projects[0])


def _fill(batches: Sequence[CreditBatch], kg: int) -> tuple[tuple[Pin, ...], int]:
    pins: list[Pin] = []
    missing = kg
    for batch in batches:
        if missing == 0:
            break
        taken = min(batch.kg, missing)
        pins.append(Pin(batch.id, taken))
        missing -= taken
    return tuple(pins), missing


def request_bytes(credit_order_id: str, notes: str, pins: Sequence[Pin]) -> bytes:
    """The canonical body: sorted keys, no blanks, one line a batch in the order of their ids."""
    lines = [
        {"credit_batch_id": pin.batch_id, "credit_quantity_kg": pin.kg}
        for pin in sorted(pins, key=lambda pin: pin.batch_id)
    ]
    body = {"order_id": credit_order_id, "notes": notes, "credit_batch_quantities": lines}
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
