"""What a write would send now, and why nothing where it would not."""

from collections.abc import Mapping

import orjson

from worker.states import WriteAction
from worker.writing.decision import Decision, Impossible, Send, There
from worker.writing.intents import Asked
from worker.writing.source_look import SourceLook

# Verdicts that need nobody.
POSSIBLE = frozenset({"send", "there"})


def preview(look: SourceLook, asked: Asked) -> Mapping[str, object]:
    """The call with its exact body, or null with the reason. Raises the connector's errors."""
    decided = look.decide(asked)
    verdict, reason = _verdict(decided)
    sends = isinstance(decided, Send)
    return {
        "account": asked.account,
        "action": asked.action.value,
        "subject": asked.subject,
        "verdict": verdict,
        "request": _call(asked) if sends else None,
        "body": orjson.loads(decided.body) if isinstance(decided, Send) and decided.body is not None else None,
        "reason": f"{reason}.",
    }


def _verdict(decided: Decision) -> tuple[str, str]:
    if isinstance(decided, Send):
        return "send", "would be sent"
    if isinstance(decided, There):
        return "there", "already so; nothing would be sent"
    return "impossible" if isinstance(decided, Impossible) else "doubt", decided.sentence


def _call(asked: Asked) -> str:
    if asked.delivery_id is None:
        return "POST /deliveries"
    if asked.action is WriteAction.UPDATE:
        return f"PUT /deliveries/{asked.delivery_id}"
    return f"POST /deliveries/{asked.delivery_id}/approve"
