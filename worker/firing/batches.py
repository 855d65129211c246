"""Reading the batches that may pay for a firing, and again the ones that were pinned. Raises ConnectorError."""

from collections.abc import Iterator, Mapping, Sequence

from connectors.isometric import BatchFilter, Isometric
from connectors.isometric_records import CreditBatch
from worker.firing.pins import Pin
from worker.firing.plan import ACTIVE, SPLIT, Wanted
from worker.standing import Link

# More pins than this are read from the list: one by one at a request a second they would be too old when sent.
MAX_BY_ID = 4


class BatchReader:
    """Reads credit batches of our organisation."""

    def __init__(self, registry: Isometric) -> None:
        self._registry = registry

    def candidates(self, wanted: Wanted, link: Link) -> tuple[CreditBatch, ...] | None:
        """The batches that may be used; None if the list could not be read whole."""
        if link.batches:
            return self._named(link.batches, wanted)
        filters = BatchFilter(project_id=wanted.project, issuance_id=wanted.issuance, statuses=(ACTIVE,))
        listed = self._registry.organisation_batches(wanted.organisation_id, filters)
        return listed.nodes if listed.counts_agree else None

    def _named(self, ids: Sequence[str], wanted: Wanted) -> tuple[CreditBatch, ...] | None:
        """The named batches, and in place of a split one what lives on of it."""
        named = [self._registry.batch(batch_id) for batch_id in ids]
        if all(batch.status != SPLIT for batch in named):
            return tuple(named)
        # One list, whatever the number of splits: each partial use of a batch puts its rest one generation deeper.
        listed = self._registry.organisation_batches(wanted.organisation_id, BatchFilter(statuses=(ACTIVE, SPLIT)))
        if not listed.counts_agree:
            return None
        known = {batch.id: batch for batch in listed.nodes}
        return tuple({leaf.id: leaf for batch in named for leaf in _leaves(batch, known)}.values())

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


def _leaves(batch: CreditBatch, known: Mapping[str, CreditBatch]) -> Iterator[CreditBatch]:
    """The batch, or the active ones that came of it; a child that is not known went to somebody else."""
    waiting, seen = [batch], set[str]()
    while waiting:
        one = waiting.pop()
        if one.id in seen:
            continue
        seen.add(one.id)
        if one.status == SPLIT:
            children = (one.left_child_id, one.right_child_id)
            waiting += [known[child] for child in children if child is not None and child in known]
        else:
            yield one
