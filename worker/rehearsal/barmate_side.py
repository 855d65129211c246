"""barmate's side of the evidence: each customer order with what its customer was told, and its deliveries. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from connectors.barmate_records import OrderStatus, ResponseType
from worker.rehearsal.audit_changes import final_records, parses
from worker.rehearsal.evidence import Document, Evidence, OurReply

_APPROVED = frozenset({"approved", "processing", "completed"})
_CANCELLED = "cancelled"
_DRAFT = "draft"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An e-mail: what it said, and by which request; a request that a gateway sent twice is two e-mails."""

    type: str
    reference: str | None
    day: date | None
    request: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerOrder:
    """A customer order as it truly is; `linked`: the deliveries that name it, `unclear` where one cannot be read."""

    id: str
    record: Document
    told: Sequence[Told]
    posts: Sequence[Document]
    linked: Sequence[Document]
    unclear: bool
    replies: Sequence[OurReply]

    @property
    def name(self) -> str:
        """The customer order as a finding names it."""
        return f"customer order {self.id}"

    @property
    def said(self) -> list[Told]:
        """What was told by different requests."""
        return [*self.told[:1], *(after for before, after in pairwise(self.told) if after.request != before.request)]

    @property
    def live(self) -> list[Document]:
        """The deliveries that are not cancelled."""
        return [record for record in self.linked if record["status"] != _CANCELLED]

    @property
    def in_force(self) -> tuple[str | None, date | None]:
        """The reference and the day that count."""
        return self.counted(self.told)

    def counted(self, told: Sequence[Told]) -> tuple[str | None, date | None]:
        """The reference and the day that counted when that had been told."""
        references = [one.reference for one in told if one.reference is not None]
        days = [one.day for one in told if one.day is not None]
        asked = day_of(self.record["request"].get("scheduled"))
        return references[-1] if references else None, days[-1] if days else asked

    def due(self) -> ResponseType | None:
        """What is still to be said, by what truly is."""
        status = self.record["status"]
        if self.unclear or not self.linked or self.record["type"] != "DELIVERY" or status not in _OPEN:
            return None
        if not self.live:
            return ResponseType.REJECT if self._may_reject() else None
        if len(self.live) > 1 or self.live[0]["status"] not in _APPROVED:
            return None
        if status == OrderStatus.REQUESTED:
            return ResponseType.ACCEPT
        return ResponseType.UPDATE if self._is_ours and self.in_force != _words(self.live[0]) else None

    @property
    def _is_ours(self) -> bool:
        """Whether the database at hand knows that we accepted it; one that was lost does not."""
        return any(reply.state == "sent" and reply.type == ResponseType.ACCEPT for reply in self.replies)

    def _may_reject(self) -> bool:
        known = {record["number"] for record in self.linked}
        return self.record["status"] == OrderStatus.REQUESTED or self.in_force[0] in known


_OPEN = frozenset({OrderStatus.REQUESTED, OrderStatus.ACCEPTED})
_ZONE = ZoneInfo("Europe/Zurich")


def customer_orders(evidence: Evidence) -> Iterator[CustomerOrder]:
    """Every customer order there is."""
    emails, posts = _by_order(evidence.barmate["emails"]), _by_order(evidence.barmate["answered"])
    linked, unclear = _linked(evidence)
    replies: defaultdict[str, list[OurReply]] = defaultdict(list)
    for reply in evidence.ours.replies:
        replies[reply.order_id].append(reply)
    for record in evidence.barmate["deliveries"]:
        key = str(record["id"])
        yield CustomerOrder(
            id=key,
            record=record,
            told=[_told(email, answer) for email, answer in zip(emails[key], record["responses"], strict=True)],
            posts=posts[key],
            linked=linked[key],
            unclear=key in unclear,
            replies=replies[key],
        )


def day_of(scheduled: Mapping[str, str] | None) -> date | None:
    """The day in barmate's words."""
    return None if scheduled is None else date.fromisoformat(scheduled["date"])


def _words(record: Document) -> tuple[str | None, date | None]:
    """What a delivery says, as barmate would show it."""
    moment = datetime.fromisoformat(record["date"]).replace(tzinfo=UTC)
    return record["number"], moment.astimezone(_ZONE).date()


def was_never_approved(record: Document) -> bool:
    """Whether a delivery cannot have been accepted."""
    return str(record["status"]) == _DRAFT


def _told(email: Document, answer: Document) -> Told:
    return Told(
        type=email["type"],
        reference=email["reference"],
        day=day_of(answer.get("scheduled")),
        request=email["request_number"],
    )


def _by_order(entries: Sequence[Document]) -> defaultdict[str, list[Document]]:
    found: defaultdict[str, list[Document]] = defaultdict(list)
    for entry in entries:
        found[entry["delivery_id"]].append(entry)
    return found


def _linked(evidence: Evidence) -> tuple[defaultdict[str, list[Document]], set[str]]:
    """Deliveries by the customer order that they name, and the customer orders of which one cannot be read."""
    linked: defaultdict[str, list[Document]] = defaultdict(list)
    for record in final_records(evidence.warehouse).values():
        linked[str(record.get("numberExternal"))].append(record)
    unclear = {name for name, records in linked.items() if not all(map(parses, records))}
    # What vanished is no longer shown by the warehouse; what we read of it still names the customer order.
    gone = {str(held.record.get("numberExternal")) for held in evidence.ours.deliveries if not held.visible}
    return linked, unclear | gone
