"""What to do about a write, from what was just read at the source. Pure.

None of the source's write calls is idempotent, so the reading decides (logistic.cloud developer docs,
resources/deliveries): it is there already, it may be sent, it can not be, or nobody can tell yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from worker.writing.form import Document
from worker.writing.likeness import DRAFT, canonical, differences, fingerprint, merged

# Statuses behind an approval.
_APPROVED = ("approved", "processing", "completed")
# The head can be changed until here.
_CLOSED = ("completed", "cancelled")
# Ids named in a sentence.
_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Nothing speaks against it. `body` None: a call without one; `baseline`: fingerprint of what it would replace."""

    body: bytes | None = field(repr=False)
    baseline: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """The source already has it as wanted."""

    record: Document = field(repr=False)


@dataclass(frozen=True, slots=True)
class Impossible:
    """It cannot be done as asked; the sentence says why and what to do."""

    sentence: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """The reading proves nothing; read again."""

    sentence: str


Decision = Send | There | Impossible | Doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """What a list filtered by number showed; `doubt` says why it is not the whole truth."""

    records: Sequence[Document] = field(repr=False)
    doubt: str | None


def create(wanted: Document, hits: Hits) -> Decision:
    """A delivery with that number is there once, as wanted or otherwise, or more than once, or not at all."""
    number = wanted["number"]
    if len(hits.records) > 1:
        named = ", ".join(str(record.get("id")) for record in hits.records[:_NAMED])
        return Impossible(
            f"The warehouse has {len(hits.records)} deliveries with the number {number!r} ({named}): "
            "a number should be one delivery's; have the warehouse cancel what is too many"
        )
    for record in hits.records:
        return _present(wanted, record)
    if hits.doubt is not None:
        return Doubt(f"Whether the warehouse has a delivery with the number {number!r} is not known: {hits.doubt}")
    return Send(body=canonical(wanted))


def _present(wanted: Document, record: Document) -> Decision:
    others = differences(wanted, record)
    if not others:
        return There(record=record)
    known = record.get("id")
    return Impossible(
        f"The number {wanted['number']!r} is taken by delivery {known}, which differs in {', '.join(others)}; "
        f"choose another number, or change it with `waybill deliveries update {known} FILE`"
    )


def update(wanted: Document, delivery_id: int, record: Document | None) -> Decision:
    """It is as wanted, can be changed so, or not any more."""
    if record is None:
        return _absent(delivery_id)
    others = differences(wanted, record)
    if not others:
        return There(record=record)
    status = record.get("status")
    if "customerId" in others:
        return Impossible(
            f"Delivery {delivery_id} belongs to customer {record.get('customerId')}, and stays there; "
            "leave customerId out"
        )
    if status in _CLOSED:
        return Impossible(f"Delivery {delivery_id} is {status}: nothing about it can be changed any more")
    if "lineItems" in others and status != DRAFT:
        return Impossible(
            f"Delivery {delivery_id} is {status}, and line items can be changed in a draft only; leave lineItems out"
        )
    return Send(body=canonical(merged(wanted, record)), baseline=fingerprint(record))


def approve(delivery_id: int, record: Document | None) -> Decision:
    """A draft can be approved; what was approved already is done."""
    if record is None:
        return _absent(delivery_id)
    status = record.get("status")
    if status in _APPROVED:
        return There(record=record)
    if status != DRAFT:
        return Impossible(f"Delivery {delivery_id} is {status}: only a draft can be approved")
    return Send(body=None)


def _absent(delivery_id: int) -> Impossible:
    return Impossible(
        f"There is no delivery {delivery_id} at the account, or its API key does not see it; "
        "`waybill deliveries list` shows those there are"
    )
