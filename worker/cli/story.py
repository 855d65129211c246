"""An order's explanation as a person reads it: what was read, decided, calculated, sent, answered, and is recorded."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from worker.cli.output import cell, say

Document = Mapping[str, Any]

_STEP = "  "


def tell(document: Document) -> None:
    """Print the explanation, a fact a line, indented by what it belongs to."""
    for line in story(document):
        say(line)


def story(document: Document) -> Iterator[str]:
    """The lines of the explanation."""
    named = f"order {_t(document['purchase_order'])} of customer {document['customer_id']} in {document['account']}"
    yield f"{named}: {_t(document['state'])}"
    yield f"{_STEP}{_t(document['reason'])}"
    yield f"{_STEP}newest change {_t(document['newest_at'])}, read at the source {_t(document['read_at'])}"
    yield "link"
    yield f"{_STEP}{_link(document['link'])}"
    yield from _section("deliveries", document["deliveries"], _delivery)
    if document["customer_orders"]:
        yield from _section("customer orders", document["customer_orders"], _customer_order)
    yield from _section("records set aside", document["records_set_aside"], _record)
    yield from _section("decisions", document["events"], _decision)
    for firing in document["firings"]:
        yield from _firing(firing)
    if not document["firings"]:
        yield "firings: none"


def _section(title: str, items: Sequence[Document], lines: Callable[[Document], Iterable[str]]) -> Iterator[str]:
    yield title if items else f"{title}: none"
    for item in items:
        yield from (f"{_STEP}{line}" for line in lines(item))


def _link(link: Document | None) -> str:
    if link is None:
        return "none: nothing says what pays for the order"
    if "ambiguous" in link:
        return _t(link["ambiguous"])
    kg = "the sum of its line items" if link["credit_kg"] is None else f"{link['credit_kg']} kg"
    count = "open-ended" if link["open_ended"] else f"{_t(link['expected_deliveries'])} deliveries expected"
    more = "".join(f", {name} {_t(link[name])}" for name in ("project", "issuance", "batches", "note") if link[name])
    return f"{kg} on {_t(link['credit_order_id'])}, {count}{more}"


def _delivery(delivery: Document) -> Iterator[str]:
    stands = f"{_t(delivery['status'])} / {_t(delivery['status_inbound'])}, changed {_t(delivery['updated_at'])}"
    yield f"delivery {delivery['id']} ({_t(delivery['number'])}): {stands}"
    if not delivery["visible"]:
        yield f"{_STEP}no longer visible at the source"
    if delivery["left_for"] is not None:
        yield f"{_STEP}was counted here and belongs to {_t(delivery['left_for'])} now"
    if delivery["unrecognised"]:
        yield f"{_STEP}values that this version does not know: {_t(delivery['unrecognised'])}"
    yield f"{_STEP}{_coverage(delivery['coverage'])}"
    yield from (f"{_STEP}{_change(event)}" for event in delivery["events"])


def _coverage(span: Document | None) -> str:
    if span is None:
        return "that second is not covered by polling: it was read by number, or lies before the start"
    proof = (
        "" if span["proof"] is None else f" by {_t(span['proof'])}, {span['rows']} rows in {span['requests']} requests"
    )
    why = "" if span["reason"] is None else f": {_t(span['reason'])}"
    return f"that second is {_t(span['state'])}{proof}{why}"


def _change(event: Document) -> str:
    inbound = "" if event.get("status_inbound") is None else f" / {_t(event['status_inbound'])}"
    stands = "" if event.get("status") is None else f": {_t(event['status'])}{inbound}"
    return f"{_t(event['time'])} {_kind(event)}{stands}{_reading(event.get('proof'), event.get('turn'))}"


def _reading(proof: Document | None, turn: int | None) -> str:
    if proof is None:
        return ""
    asked = "" if proof.get("since") is None else f" of {_t(proof['since'])} to {_t(proof['until'])}"
    by_id = ", confirmed by id" if proof.get("by_id") else ""
    return f" (reading {_t(proof.get('kind'))}{asked}, request {_t(turn)}{by_id})"


def _kind(event: Document) -> str:
    return str(event["type"]).removeprefix("waybill.").replace(".", " ").replace("_", " ")


def _customer_order(named: Document) -> Iterator[str]:
    yield f"delivery {named['delivery_id']}: {_t(named['reason'])}"
    if named["status"] is not None:
        read = f"read {_t(named['read_at'])}, requested {_t(named['requested_at'])}"
        yield f"{_STEP}{_t(named['type'])} {_t(named['status'])}, {read}, reference {_t(named['reference'])}"
    if named["delivered_seen_at"] is not None:
        yield f"{_STEP}its receipt was first seen by us {_t(named['delivered_seen_at'])}"
    yield from (f"{_STEP}{_change(event)}" for event in named["events"])
    yield from (f"{_STEP}{_response(reply)}" for reply in named["responses"])


def _response(reply: Document) -> str:
    told = "".join(f" {name} {_t(reply[name])}" for name in ("reference", "day") if reply[name] is not None)
    since = reply["wanted_at"] if reply["sent_at"] is None else reply["sent_at"]
    return f"{_t(since)} our {_t(reply['type'])}{told}: {_t(reply['state'])}, {_t(reply['reason'])}"


def _record(record: Document) -> Iterator[str]:
    yield f"{_t(record['id'])} of delivery {_t(record['delivery_id'])}: {_t(record['reason'])}"


def _decision(event: Document) -> Iterator[str]:
    late = "" if event.get("late") is None else f"; late: {_t(event['late'])}"
    yield f"{_t(event['time'])} {_kind(event)}: {_t(event.get('reason'))}{late}"


def _firing(firing: Document) -> Iterator[str]:
    paid = f"{_t(firing['kg'])} kg on {_t(firing['credit_order_id'])}"
    yield f"firing {firing['ordinal']}: {_t(firing['state'])}, {paid}"
    yield f"{_STEP}{_t(firing['reason'])}"
    yield f"{_STEP}credit delivery id: {_t(firing['credit_delivery_id'])}"
    if firing["marker"] is not None:
        yield f"{_STEP}marker {_t(firing['marker'])}"
    for title, lines in (
        ("calculation", _calculation(firing["calculation"])),
        ("history", map(_move, firing["history"])),
        ("batches", map(_pin, firing["pins"])),
        ("attempts", _flat(_attempt, firing["attempts"])),
        ("readings of the registry", map(_look, firing["readings"])),
        ("recorded at the registry", map(_recorded, firing["credit_deliveries"])),
        ("there and claimed by nobody", map(_recorded, firing["unattributed"])),
        ("mismatches", map(_mismatch, firing["mismatches"])),
    ):
        yield from _block(title, list(lines))


def _block(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"{_STEP}{title}"
        yield from (f"{_STEP}{_STEP}{line}" for line in lines)


def _calculation(found: Document | None) -> Iterator[str]:
    if found is None:
        return
    for line in found["lines"]:
        item = "a line item" if line["line_item_id"] is None else f"line item {line['line_item_id']}"
        sum_ = f"{line['quantity']} {_t(line['unit'])} at {line['kg_per_unit']} kg = {line['kg']} kg"
        yield f"delivery {line['delivery_id']}, {item}: {_t(line['article_number'])}, {sum_}"
    how = "as the link says" if found["fixed"] else "the sum, rounded down"
    because = found.get("because")
    yield f"{found['kg']} kg, {how}" if because is None else f"{found['kg']} kg, as a person said: {_t(because)}"


def _move(change: Document) -> str:
    start = "new" if change["from_state"] is None else change["from_state"]
    return f"{_t(change['at'])} {start} → {change['to_state']} by {_t(change['by'])}: {_t(change['reason'])}"


def _pin(pin: Document) -> str:
    return (
        f"{pin['kg']} kg of {_t(pin['batch_id'])}, {'reserved' if pin['active'] else 'free'} (freeze {pin['freeze']})"
    )


def _attempt(attempt: Document) -> Iterator[str]:
    late = ", late" if attempt["late"] else ""
    came = f"{_t(attempt['outcome'])}{late}, HTTP {_t(attempt['status'])}, at {_t(attempt['ended_at'])}"
    span = f"{_t(attempt['started_at'])} to {_t(attempt['deadline'])}"
    yield f"{attempt['number']} by {_t(attempt['owner'])}, {span}: {came}"
    yield f"{_STEP}sent {_t(attempt['request'])}"
    yield f"{_STEP}sha256 {_t(attempt['request_sha256'])}"
    yield f"{_STEP}answer {_json(attempt['answer'])}"


def _look(reading: Document) -> str:
    counts = "counts" if reading["counts"] else "does not count"
    return f"{_t(reading['at'])} {_t(reading['verdict'])} ({counts}): {_t(reading['evidence'].get('reason'))}"


def _recorded(delivery: Document) -> str:
    said = "" if delivery["because"] is None else f" ({_t(delivery['because'])})"
    what = f"{delivery['kg']} kg on {_t(delivery['credit_order_id'])}, {_t(delivery['delivered_at'])}"
    return f"{_t(delivery['id'])}: {what}, {_t(delivery['attribution'])}{said}, notes {_t(delivery['notes'])}"


def _mismatch(found: Document) -> str:
    closed = "open" if found["closed_at"] is None else f"closed: {_t(found['because'])}"
    return f"{_t(found['id'])}, found {_t(found['found_at'])}, {closed}"


def _flat(lines: Callable[[Document], Iterable[str]], items: Iterable[Document]) -> Iterator[str]:
    for item in items:
        yield from lines(item)


def _json(value: object) -> str:
    return cell(value if value is None or isinstance(value, str) else orjson.dumps(value).decode())


def _t(value: object) -> str:
    return cell(value)
