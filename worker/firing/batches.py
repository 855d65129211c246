"""Reading the batches that may pay for a firing, and again the ones that were pinned. Raises ConnectorError."""

from collections.abc import Sequence

from connectors.isometric import BatchFilter, Isometric
from connectors.isometric_records import CreditBatch
from worker.firing.pins import Pin
from worker.firing.plan import ACTIVE, SPLIT, Wanted
from worker.standing import Link

# More pins than this are read from the list: one by one at a request a second they would be too old when sent.
MAX_BY_ID = 4
# A batch is split in two at every partial use; deeper than this the answers lead in a circle.
MAX_SPLITS = 64


class BatchReader:
    """Reads credit batches of our organisation."""

    def __init__(self, registry: Isometric) -> None:
        self._registry = registry

    def candidates(self, wanted: Wanted, link: Link) -> tuple[CreditBatch, ...] | None:
        """The batches that may be used; None if the list could not be read whole."""
        if link.batches:
            return tuple(leaf for batch_id in link.batches for leaf in self.leaves(batch_id))
        filters = BatchFilter(project_id=wanted.project, issuance_id=wanted.issuance, statuses=(ACTIVE,))
        listed = self._registry.organisation_batches(wanted.organisation_id, filters)
        return listed.nodes if listed.counts_agree else None

    def leaves(self, batch_id: str) -> list[CreditBatch]:
        """The batch, or in place of a split one the children that live on."""
        found: list[CreditBatch] = []
        waiting = [batch_id]
        for _ in range(MAX_SPLITS):
            if not waiting:
                break
            batch = self._registry.batch(waiting.pop())
            if batch.status == SPLIT:
                waiting += [child for child in (batch.left_child_id, batch.right_child_id) if child is not None]
            else:
                found.append(batch)
        return found

    def pinned(self, pins: Sequence[Pin], wanted: Wanted) -> dict[str, CreditBatch] | None:
        """The pinned batches as they are now, by id; one that is missing is active no more.

        None if the list could not be read whole: what is missing from it may be there.
        """
        if len(pins) <= MAX_BY_ID:
            return {pin.batch_id: self._registry.batch(pin.batch_id) for pin in pins}
        filters = BatchFilter(project_id=wanted.project, issuance_id=wanted.issuance, statuses=(ACTIVE,))
        listed = self._registry.organisation_batches(wanted.organisation_id, filters)
        if not listed.counts_agree:
            return None
        ids = {pin.batch_id for pin in pins}
        return {batch.id: batch for batch in listed.nodes if batch.id in ids}

    def families(self, pins: Sequence[Pin]) -> dict[str, tuple[CreditBatch, ...]]:
        """Each pinned batch, and its children after it if it was split."""
        families: dict[str, tuple[CreditBatch, ...]] = {}
        for pin in pins:
            batch = self._registry.batch(pin.batch_id)
            children = (batch.left_child_id, batch.right_child_id) if batch.status == SPLIT else ()
            families[pin.batch_id] = (batch, *(self._registry.batch(child) for child in children if child is not None))
        return families
