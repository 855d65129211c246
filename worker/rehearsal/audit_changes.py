"""The audit of reading and mirroring: every final state held, and passed on with a valid signature. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from worker.events import EventType
from worker.rehearsal.evidence import Document, Evidence
from worker.rehearsal.findings import Finding, Kind

# Keys of a mirrored delivery (DESIGN §8) and of the record they come from.
_MIRRORED = {"status": "status", "status_inbound": "statusInbound", "purchase_order": "numberPurchaseOrder"}
_TEXTS = ("number", "status", "statusInbound", "updatedAt")


def audit_changes(evidence: Evidence) -> Iterator[Finding]:
    """Everything about deliveries and events that is not as it should be."""
    yield from _held(evidence)
    yield from _mirrored(evidence)
    yield from _vanished(evidence)
    yield from _events(evidence)
    for hole in evidence.ours.holes:
        yield Finding(Kind.MISSED, "coverage", f"a hole is left, {hole}")


def final_records(warehouse: Document) -> dict[int, Document]:
    """The newest version of every delivery that is left, by the id of its place."""
    return {int(key): row for key, row in zip(warehouse["versions"], warehouse["rows"], strict=True)}


def parses(record: Document) -> bool:
    """Whether a record is of the documented shape, judged by itself and not by the code under rehearsal."""
    whole = all(_whole(record.get(name)) for name in ("id", "customerId"))
    texts = all(isinstance(record.get(name), str) for name in _TEXTS)
    items = record.get("lineItems")
    return whole and texts and isinstance(items, list) and all(_whole(item.get("quantity")) for item in items)


def _held(evidence: Evidence) -> Iterator[Finding]:
    """Each record is held as it is, or set aside if nobody could read it."""
    held = {delivery.id: delivery for delivery in evidence.ours.deliveries}
    aside = [record.record for record in evidence.ours.set_aside]
    for key, record in final_records(evidence.warehouse).items():
        name = f"delivery {key}"
        mine = held.get(key)
        if not parses(record):
            if record not in aside:
                yield Finding(Kind.MISSED, name, "its record does not parse and was not set aside")
        elif mine is None:
            yield Finding(Kind.MISSED, name, "we do not hold it")
        elif mine.record != record:
            yield Finding(Kind.MISSED, name, f"we hold {_state(mine.record)}, and it is {_state(record)}")
        elif not mine.visible:
            yield Finding(Kind.MISSED, name, "we hold it as vanished, and it is still there")


def _mirrored(evidence: Evidence) -> Iterator[Finding]:
    """The receiver's newest word about each delivery is its final state."""
    last: Mapping[str, Any] = evidence.webhook["last"]
    for key, record in final_records(evidence.warehouse).items():
        if not parses(record):
            continue
        told = last.get(f"deliveries/{key}")
        if told is None:
            yield Finding(Kind.MISSED, f"delivery {key}", "the receiver never heard of it")
        elif not _same(told["delivery"], record):
            sentence = f"the receiver last heard {_told_state(told['delivery'])}, and it is {_state(record)}"
            yield Finding(Kind.MISSED, f"delivery {key}", sentence)


def _vanished(evidence: Evidence) -> Iterator[Finding]:
    """After a sweep, what vanished is held as such, and the receiver was told so.

    What was gone before this database first looked is unknown to it.
    """
    held = {delivery.id: delivery for delivery in evidence.ours.deliveries}
    for key in evidence.warehouse["removed"] if evidence.swept else ():
        if key not in held:
            continue
        if held[key].visible:
            yield Finding(Kind.MISSED, f"delivery {key}", "it vanished and the sweep did not see that")
        elif EventType.DELIVERY_VANISHED not in _types(evidence, key):
            yield Finding(Kind.MISSED, f"delivery {key}", "it vanished and the receiver was not told")


def _types(evidence: Evidence, key: int) -> set[str]:
    return {message["type"] for message in evidence.webhook["subjects"].get(f"deliveries/{key}", ())}


def _events(evidence: Evidence) -> Iterator[Finding]:
    """Each event of our log arrived, signed, and in the order of its subject."""
    messages = [message for entries in evidence.webhook["subjects"].values() for message in entries]
    arrived = {message["id"] for message in messages if message["valid"]}
    for event, subject in evidence.ours.events.items():
        if event not in arrived:
            yield Finding(Kind.MISSED, subject, f"event {event} did not arrive with a valid signature")
    for receipt in evidence.webhook["invalid"]:
        sentence = f"message {receipt['webhook_id']} about {receipt['subject']}: {receipt['verdict']}"
        yield Finding(Kind.WRONG, "webhook", sentence)
    if not evidence.lost_database:
        # A database that was read anew tells its facts again, in the order in which it found them.
        for message in evidence.webhook["out_of_order"]:
            subject = evidence.ours.events.get(message, "an unknown event")
            yield Finding(Kind.WRONG, subject, f"event {message} first arrived after a later one")


def _same(told: Document, record: Document) -> bool:
    return all(told.get(ours) == record.get(theirs) for ours, theirs in _MIRRORED.items())


def _state(record: Document) -> str:
    return f"{record.get('status')}/{record.get('statusInbound')} of {record.get('updatedAt')}"


def _told_state(told: Document) -> str:
    return f"{told.get('status')}/{told.get('status_inbound')} of {told.get('updated_at')}"


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
