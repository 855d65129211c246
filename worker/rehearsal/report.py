"""The report of a rehearsal: both ledgers and every discrepancy, for a reader and as JSON. Pure."""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.barmate_records import OrderStatus
from connectors.simulated.faults import SYSTEMS
from worker.rehearsal.evidence import Evidence
from worker.rehearsal.findings import Verdict
from worker.rehearsal.options import Plan
from worker.states import FiringState, OrderState, ResponseState

Document = Mapping[str, Any]
_WEBHOOK = "{distinct} events in {received} messages, {repeated} repeats, {badly_signed} badly signed"
_BARMATE = (
    "{responses} responses taken of {requests} sent, {emails} e-mails, {needs_person} for a person; "
    "{hints} hints of {calls} calls, {lost_calls} lost"
)
# Columns before the values of the table.
_WIDTH = 22
_INDENT = 2
# However narrow a terminal is, words need some room.
_NARROWEST = 30
_STORY = "story"
_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How it went: seconds in all and until everything was settled, what was done to the daemon, what hung."""

    seconds: float
    settled_after: float
    disturbed: Sequence[str]
    still_open: Sequence[str]


def document(plan: Plan, evidence: Evidence, verdict: Verdict, course: Course) -> dict[str, Any]:
    """Everything the report says, as one JSON object."""
    options = plan.options
    return {
        "passed": verdict.passed and not course.still_open,
        "seed": options.seed,
        "deliveries": options.deliveries,
        "orders": options.orders,
        "faults": [*plan.twins_faults],
        "disturbed": [*course.disturbed],
        "store": _store(plan),
        "pace": "real" if options.real_pace else "compressed",
        "story_seconds": round(plan.story_seconds, 1),
        "settled_after_seconds": round(course.settled_after, 1),
        "seconds": round(course.seconds, 1),
        **_counts(evidence, course),
        "still_open": [*course.still_open],
        "findings": [
            {"kind": finding.kind, "subject": finding.subject, "sentence": finding.sentence}
            for finding in verdict.findings
        ],
        "notes": [*verdict.notes],
    }


def text(told: Document, *, columns: int = 120) -> str:
    """The report for a reader: a table, then a line for each discrepancy, then one line that says it all."""
    lines = ["", *(_row(name, value, columns) for name, value in _rows(told)), ""]
    lines += [f"note: {note}" for note in told["notes"]]
    lines += [f"not settled: {sentence}" for sentence in told["still_open"]]
    lines += [f"{item['kind']}: {item['subject']}: {item['sentence']}" for item in told["findings"]]
    return "\n".join([*lines, _conclusion(told), ""])


def _store(plan: Plan) -> str:
    options = plan.options
    if options.database_url is None or options.database_url.startswith("sqlite"):
        return "SQLite, one process"
    if options.redis_url is None:
        return "PostgreSQL, one process"
    return f"PostgreSQL and Redis, {options.workers} workers"


def _counts(evidence: Evidence, course: Course) -> dict[str, Any]:
    warehouse, webhook = evidence.warehouse, evidence.webhook
    changes = sum(warehouse["versions"].values())
    return {
        "changes": changes,
        "changes_per_second": round(changes / course.settled_after, 1) if course.settled_after > 0 else 0.0,
        "requests": {"warehouse": warehouse["requests"], "throttled": warehouse["throttled"]},
        "set_aside": len(evidence.ours.set_aside),
        "events": len(evidence.ours.events),
        "webhook": {
            "received": webhook["received"],
            "distinct": webhook["distinct"],
            "repeated": sum(count - 1 for count in webhook["duplicates"].values()),
            "badly_signed": len(webhook["invalid"]),
        },
        "orders_by_state": dict(sorted(Counter(order.state for order in evidence.ours.orders).items())),
        "firings_by_state": dict(sorted(Counter(str(firing.state) for firing in evidence.ours.firings).items())),
        "barmate": _barmate(evidence),
        "ledgers": _ledgers(evidence),
    }


def _barmate(evidence: Evidence) -> dict[str, Any]:
    """Customer orders, what was told, and what was heard of webhooks; a gateway's double counts as an e-mail."""
    barmate, hooks = evidence.barmate, evidence.barmate["hooks"]
    return {
        "customer_orders": dict(sorted(Counter(record["status"] for record in barmate["deliveries"]).items())),
        "responses": sum(1 for post in barmate["answered"] if post["commits"]),
        "requests": len(barmate["answered"]),
        "emails": len(barmate["emails"]),
        "emails_by_type": dict(sorted(Counter(email["type"] for email in barmate["emails"]).items())),
        "put_off": len(evidence.put_off or ()),
        "needs_person": sum(1 for reply in evidence.ours.replies if reply.state is ResponseState.NEEDS_PERSON),
        "hints": len(evidence.ours.hints),
        "calls": len(hooks["attempts"]),
        "lost_calls": len(hooks["lost"]),
    }


def _ledgers(evidence: Evidence) -> dict[str, dict[str, int]]:
    """Credit deliveries and kilograms: due by the story, told to us, truly happened, and confirmed with us."""
    due = [order["kg"] for order in evidence.story["expected"] if order["should_deliver"]]
    told = [entry["kg"] for entry in evidence.registry["told"] if entry["status"] == _OK]
    happened = [entry["kg"] for entry in evidence.registry["happened"]]
    ours = [firing.kg for firing in evidence.ours.firings if firing.state is FiringState.CONFIRMED]
    columns = {"due": due, "told": told, "happened": happened, "ours": ours}
    return {
        name: {"deliveries": len(amounts), "kg": sum(kg for kg in amounts if kg is not None)}
        for name, amounts in columns.items()
    }


def _rows(told: Document) -> Iterator[tuple[str, str]]:
    webhook, requests = told["webhook"], told["requests"]
    pace = f"settled in {told['settled_after_seconds']} s, {told['changes_per_second']} changes/s ({told['pace']} pace)"
    yield "rehearsal", f"seed {told['seed']}, {told['deliveries']} deliveries, {told['orders']} orders; {told['store']}"
    yield "disturbed", "; ".join(told["disturbed"]) or "not at all"
    yield from zip(("faults", *[""] * len(SYSTEMS)), list(_grouped(told["faults"])) or ["none"], strict=False)
    yield "changes", f"{told['changes']}; {pace}"
    yield "requests", f"{requests['warehouse']} to the warehouse, {requests['throttled']} throttled"
    yield "records set aside", str(told["set_aside"])
    yield "events", str(told["events"])
    yield (
        "webhook",
        _WEBHOOK.format(**webhook),
    )
    yield "customer orders", _by_state(told["barmate"]["customer_orders"], [status.value for status in OrderStatus])
    yield "barmate", _BARMATE.format(**told["barmate"])
    yield "orders", _by_state(told["orders_by_state"], [state.value for state in OrderState])
    yield "firings", _by_state(told["firings_by_state"], [state.value for state in FiringState])
    for name, meaning in _LEDGER_NAMES.items():
        ledger = told["ledgers"][name]
        yield meaning, f"{ledger['deliveries']:>6} credit deliveries {ledger['kg']:>10} kg"


_LEDGER_NAMES = {
    "due": "due by the story",
    "told": "told by the registry",
    "happened": "happened there",
    "ours": "confirmed with us",
}


def _row(name: str, value: str, columns: int) -> str:
    """One row of the table, its value wrapped beside its name."""
    room = max(columns - _INDENT - _WIDTH, _NARROWEST)
    lines = textwrap.wrap(value, room, break_on_hyphens=False, drop_whitespace=True) if len(value) > room else [value]
    return f"\n{'':<{_INDENT + _WIDTH}}".join((f"{'':<{_INDENT}}{name:<{_WIDTH}}{lines[0]}", *lines[1:]))


def _grouped(faults: Sequence[str]) -> Iterator[str]:
    """Faults by the system that has them: `registry: stale-reads, list-lag`."""
    groups: dict[str, list[str]] = {}
    for fault in faults:
        system, _, rest = fault.partition("-")
        groups.setdefault(system if system in SYSTEMS else _STORY, []).append(rest if system in SYSTEMS else fault)
    for system, names in groups.items():
        yield f"{system}: {', '.join(names)}"


def _by_state(counts: Mapping[str, int], order: Sequence[str]) -> str:
    said = [f"{counts[state]} {state}" for state in order if counts.get(state)]
    return ", ".join(said) if said else "none"


def _conclusion(told: Document) -> str:
    if told["passed"]:
        return "Nothing was missed, doubled or forgotten; both ledgers agree."
    wrong, hanging = len(told["findings"]), len(told["still_open"])
    return f"The rehearsal failed: {wrong} discrepancies, {hanging} things not settled."
