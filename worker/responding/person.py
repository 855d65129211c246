"""What a person says about a response that nobody else can tell about."""

from dataclasses import replace
from enum import StrEnum

from worker.db import Database
from worker.errors import UsageError
from worker.responding import reply_rows
from worker.responding.reply_rows import Reply
from worker.states import ResponseState


class Finding(StrEnum):
    """What the person saw at barmate."""

    SENT = "sent"
    ABSENT = "absent"


def resolve(database: Database, host: str, order_id: str, finding: Finding, because: str) -> Reply:
    """Believe the person; what is wanted is decided anew afterwards. Raises UsageError where nobody asked."""
    with database.write() as connection:
        now = database.now(connection)
        reply = _waiting(reply_rows.of_orders(connection, host, [order_id])[order_id], order_id, finding)
        state = ResponseState.SENT if finding is Finding.SENT else ResponseState.SUPERSEDED
        sent_at = now if finding is Finding.SENT else None
        after = replace(reply, state=state, reason=f"a person says {finding}: {because}", sent_at=sent_at)
        return reply_rows.change(connection, reply, after, now)


def _waiting(replies: list[Reply], order_id: str, finding: Finding) -> Reply:
    """The response in doubt; one that was refused may be tried again, which is what absent means for it."""
    states = {ResponseState.NEEDS_PERSON} | ({ResponseState.REFUSED} if finding is Finding.ABSENT else set())
    for reply in reversed(replies):
        if reply.state in states:
            return reply
    sentence = f"No response to customer order {order_id} waits for a person; `waybill barmate responses` lists them."
    raise UsageError(sentence)
