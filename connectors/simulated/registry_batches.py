"""What happens to credit batches when they are delivered: whole ones change hands, others are split in two."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from connectors.simulated.registry_ids import mint
from connectors.simulated.registry_model import CreditBatch, Line, Organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """To whom, by which delivery, when."""

    to: Organisation
    delivery_id: str
    order_id: str
    delivered_at: datetime
    committed_at: datetime


class BatchBook:
    """All batches by id. Not safe by itself: the registry's lock is around it."""

    def __init__(self, batches: Iterable[CreditBatch], chance: random.Random) -> None:
        """Begin with ``batches``; ``chance`` makes ids and decides which half the buyer gets."""
        self._batches = {batch.id: batch for batch in batches}
        self._chance = chance

    def get(self, batch_id: str) -> CreditBatch | None:
        """Return the batch as it truly is, or None."""
        return self._batches.get(batch_id)

    def __iter__(self) -> Iterator[CreditBatch]:
        """Go through all batches as they truly are."""
        return iter(self._batches.values())

    def hand_over(self, line: Line, handover: Handover) -> str:
        """Move the kilograms of ``line`` and return the id of the batch that went to the buyer."""
        batch = self._batches[line.batch_id]
        if line.kg < batch.kg:
            batch = self._split(batch, line.kg, handover.committed_at)
        self._batches[batch.id] = replace(
            batch,
            owner=handover.to,
            delivery_id=handover.delivery_id,
            order_id=handover.order_id,
            delivered_at=handover.delivered_at,
            consumed_at=handover.committed_at,
        )
        return batch.id

    def _split(self, parent: CreditBatch, wanted: int, at: datetime) -> CreditBatch:
        """Split ``parent`` and return the part of ``wanted`` kilograms; whether that is the left one is chance."""
        left_kg = self._chance.choice((wanted, parent.kg - wanted))
        left = self._child(parent, 0, left_kg, at)
        right = self._child(parent, left_kg, parent.kg - left_kg, at)
        self._batches[parent.id] = replace(
            parent, status="split", left_child_id=left.id, right_child_id=right.id, consumed_at=at
        )
        return left if left.kg == wanted else right

    def _child(self, parent: CreditBatch, offset: int, kg: int, at: datetime) -> CreditBatch:
        child = replace(
            parent,
            id=mint("ctb", self._chance),
            kg=kg,
            first_serial=parent.first_serial + offset,
            parent_id=parent.id,
            created_at=at,
        )
        self._batches[child.id] = child
        return child
