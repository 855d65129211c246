"""What would be said to whom, also while nothing may be said. Nothing about people (DESIGN §7)."""

from collections.abc import Iterator
from datetime import datetime

import orjson
import sqlalchemy as sa

from worker.clock import instant_text
from worker.responding.decision import Hold, Say, Situation, Verdict, Wait, decide
from worker.responding.owed import open_situations
from worker.responding.terms import Terms
from worker.responding.words import Words

COLUMNS = ("customer_order_id", "status", "verdict", "type", "reference", "day", "deliveries", "reason")

Document = dict[str, object]


def preview(connection: sa.Connection, terms: Terms, now: datetime, *, everything: bool) -> Iterator[Document]:
    """A row for every open customer order that something is, would or might have to be said about; or for all."""
    for situation in open_situations(connection, terms):
        verdict = decide(situation, now, quiet=terms.quiet)
        if everything or situation.open is not None or isinstance(verdict, Say | Wait | Hold):
            yield _row(situation, verdict, terms)


def _row(situation: Situation, verdict: Verdict, terms: Terms) -> Document:
    order, reply = situation.order, situation.open
    words = verdict.words if isinstance(verdict, Say | Wait) else None
    if reply is not None and reply.in_doubt:
        words = reply.words
    return {
        "customer_order_id": situation.order_id,
        "status": None if order is None else order.status,
        "verdict": _name(situation, verdict, terms),
        **_words(words),
        "due_at": instant_text(verdict.until) if isinstance(verdict, Wait) else None,
        "deliveries": [one.delivery_id for one in situation.linked],
        "state": None if reply is None else reply.state.value,
        "reason": verdict.reason if reply is None or not reply.in_doubt else reply.reason,
    }


def _name(situation: Situation, verdict: Verdict, terms: Terms) -> str:
    if situation.open is not None and situation.open.in_doubt:
        return situation.open.state.value
    if isinstance(verdict, Say | Wait) and not terms.allow(verdict.words):
        return "off"
    return {Say: "send", Wait: "wait", Hold: "hold"}.get(type(verdict), "nothing")


def _words(words: Words | None) -> Document:
    if words is None:
        return {"type": None, "reference": None, "day": None, "body": None}
    return {
        "type": words.type.value,
        "reference": words.reference,
        "day": None if words.day is None else words.day.isoformat(),
        "body": orjson.loads(words.body()),
    }
