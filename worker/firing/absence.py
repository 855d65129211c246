"""The proof of presence or absence: what one reading of a credit order's deliveries shows. Pure (DESIGN §6.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from connectors.isometric_records import CreditBatch, CreditDelivery, CreditOrder
from connectors.pagination import ReadList
from worker.firing.answers import Asked, mismatch
from worker.firing.marker import tokens
from worker.firing.plan import ACTIVE

# Readings that must agree before absence is believed.
READINGS = 3
# Readings that do not count before a person is asked: the registry's lists never add up.
MAX_USELESS = 12


class Sight(StrEnum):
    """What one reading showed of a firing."""

    FOUND = "found"  # its marker, with the same order and kilograms
    DIFFERENT = "different"  # its marker, with another order or other kilograms, or twice
    NONE = "none"  # a whole list, without it, and every new entry explained
    DOUBT = "doubt"  # a whole list, without it, but with an entry past the baseline that nobody explains
    INCOMPLETE = "incomplete"  # not a whole list, or it does not add up: does not count


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sight, its reason, and the delivery it is about."""

    sight: Sight
    reason: str
    delivery: CreditDelivery | None = None

    @property
    def counts(self) -> bool:
        """Whether the reading counts towards a proof."""
        return self.sight is not Sight.INCOMPLETE


def judge(
    order: CreditOrder,
    listed: ReadList[CreditDelivery],
    *,
    asked: Asked,
    baseline: frozenset[str],
    explained: frozenset[str],
) -> Verdict:
    """Judge one reading. `explained` are deliveries of confirmed firings of ours, and those a person dismissed."""
    marked = [delivery for delivery in listed.nodes if asked.marker in tokens(delivery.notes)]
    if marked:
        return _of_marked(marked, asked)
    useless = _why_useless(order, listed, baseline)
    if useless is not None:
        return Verdict(Sight.INCOMPLETE, useless)
    unexplained = sorted({delivery.id for delivery in listed.nodes} - baseline - explained)
    if unexplained:
        return Verdict(Sight.DOUBT, f"deliveries that nobody explains came after the request: {', '.join(unexplained)}")
    return Verdict(Sight.NONE, "the whole list was read, and the marker is not in it")


def _of_marked(marked: Sequence[CreditDelivery], asked: Asked) -> Verdict:
    if len({delivery.id for delivery in marked}) > 1:
        return Verdict(Sight.DIFFERENT, "several deliveries carry this marker", marked[0])
    wrong = mismatch(marked[0], asked)
    if wrong is not None:
        return Verdict(Sight.DIFFERENT, f"delivery {marked[0].id} carries this marker, but {wrong}", marked[0])
    return Verdict(Sight.FOUND, f"delivery {marked[0].id} carries this marker", marked[0])


def _why_useless(order: CreditOrder, listed: ReadList[CreditDelivery], baseline: frozenset[str]) -> str | None:
    ids = {delivery.id for delivery in listed.nodes}
    if not listed.complete or listed.first_total_count != listed.total_count or len(ids) != listed.total_count:
        return f"{len(ids)} of {listed.total_count} deliveries were listed"
    if not baseline <= ids:
        return "the list lacks deliveries that were there before the request"
    total = sum(delivery.kg for delivery in listed.nodes)
    if total != order.delivered_kg:
        return f"the list adds up to {total} kg and the credit order says {order.delivered_kg} kg"
    return None


class PinSight(StrEnum):
    """What became of the pinned batches."""

    UNTOUCHED = "untouched"  # every one could still be used by the same bytes
    USED_BY_OTHERS = "used_by_others"  # some went to deliveries that are known and not ours to make
    UNCLEAR = "unclear"  # some are gone, and nothing says where to


def judge_pins(
    pinned: Mapping[str, int],
    batches: Mapping[str, Sequence[CreditBatch]],
    *,
    organisation_id: str,
    explained: frozenset[str],
) -> PinSight:
    """Judge the pins; `batches` holds each pinned batch followed by its children if it was split."""
    worst = PinSight.UNTOUCHED
    for batch_id, kg in pinned.items():
        family = batches[batch_id]
        if is_untouched(family[0], organisation_id, kg):
            continue
        if not _used_by_known(family, explained):
            return PinSight.UNCLEAR
        worst = PinSight.USED_BY_OTHERS
    return worst


def is_untouched(batch: CreditBatch, organisation_id: str, kg: int) -> bool:
    """Whether the batch can still give so many kilograms to us."""
    return batch.status == ACTIVE and batch.owner.id == organisation_id and batch.delivery_id is None and batch.kg >= kg


def _used_by_known(family: Sequence[CreditBatch], explained: frozenset[str]) -> bool:
    users = {batch.delivery_id for batch in family if batch.delivery_id is not None}
    retired = any(batch.retired_at is not None for batch in family)
    return bool(users or retired) and users <= explained


def next_reading_at(settled_at: datetime, counted: int, last: datetime | None, settle_seconds: float) -> datetime:
    """When to read next: at the end of the settle time, then spaced by a third of it."""
    if counted == 0 or last is None:
        return settled_at
    return max(settled_at, last + timedelta(seconds=settle_seconds / READINGS))
