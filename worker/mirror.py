"""The mirror: every event to the operator's webhook, signed, one of a subject at a time (DESIGN §7).

The body is the event as CloudEvents 1.0 JSON. A repeat keeps the event's id, so a receiver can drop it. Tries follow
the published schedule; then the task is a dead letter and the subject goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import orjson
import sqlalchemy as sa
import structlog

from connectors import webhook
from worker import switches
from worker.checkpoints import Checkpoint
from worker.clock import Clock
from worker.db import Database
from worker.db.tables import events
from worker.event_log import event_of
from worker.events import Event
from worker.kinds import MIRROR_SCHEDULE
from worker.tasks import Claim
from worker.work import Done, GiveUp, Later, Outcome

_log = structlog.get_logger(__name__)

# A try that failed after this many seconds says that the receiver hangs: the rest of the message is put off, or a
# worker's thread would be gone for minutes.
_HANGING_SECONDS = 3.0
# Seconds until events that were put off untried are looked at again.
_PUT_OFF_SECONDS = 5.0


class Mirror:
    """Posts the events of claimed tasks; closes nothing itself."""

    def __init__(
        self, *, database: Database, target: webhook.WebhookTarget, clock: Clock, checkpoint: Checkpoint
    ) -> None:
        self._database = database
        self._target = target
        self._clock = clock
        self._checkpoint = checkpoint

    def deliver(self, claims: Sequence[Claim]) -> Iterator[tuple[Claim, Outcome]]:
        """Post the event of each claim in turn, and say of each what came of it."""
        with self._database.read() as connection:
            found = _events_of(connection, claims)
            put_off = None if switches.webhook_is_on(connection) else "the webhook is switched off"
        for claim in claims:
            if put_off is not None:
                yield claim, self._put_off(put_off)
                continue
            began = self._clock.monotonic()
            outcome = self._deliver_one(claim, found)
            if isinstance(outcome, Later) and (
                not outcome.counted or self._clock.monotonic() - began > _HANGING_SECONDS
            ):
                put_off = f"not tried, since the one before failed: {outcome.reason}"
            yield claim, outcome

    def _deliver_one(self, claim: Claim, found: Mapping[str, Event]) -> Outcome:
        event = found.get(str(claim.event_id))
        if event is None:
            return GiveUp("The event is no longer in the log.")
        body = orjson.dumps(event.cloud_event())
        outcome = self._target.deliver(message_id=event.id, sent_at=self._clock.now(), body=body)
        if isinstance(outcome, webhook.Delivered):
            self._checkpoint("mirror: delivered")
            return Done()
        if isinstance(outcome, webhook.Gone):
            return self._switch_off()
        _log.info("event not taken", event_id=event.id, reason=outcome.reason)
        return Later(until=next_try(claim.attempts, outcome.retry_after, self._clock.now()), reason=outcome.reason)

    def _switch_off(self) -> Later:
        reason = "The receiver answered 410 Gone: it wants no more events. Run `waybill webhook enable` to go on."
        with self._database.write() as connection:
            now = self._database.now(connection)
            switches.turn(connection, switches.WEBHOOK, on=False, reason=reason, now=now)
        _log.error("webhook switched off", reason=reason)
        return self._put_off(reason)

    def _put_off(self, reason: str) -> Later:
        until = self._clock.now() + timedelta(seconds=_PUT_OFF_SECONDS)
        return Later(until=until, reason=reason, counted=False)


def next_try(attempts: int, retry_after: float | None, now: datetime) -> datetime:
    """When to post again after this many tries (from 1); the receiver may ask for longer, never for less."""
    scheduled = MIRROR_SCHEDULE[min(attempts, len(MIRROR_SCHEDULE)) - 1]
    return now + timedelta(seconds=scheduled if retry_after is None else max(scheduled, retry_after))


def _events_of(connection: sa.Connection, claims: Sequence[Claim]) -> dict[str, Event]:
    wanted = [claim.event_id for claim in claims]
    rows = connection.execute(sa.select(events).where(events.c.id.in_(wanted)))
    return {row.id: event_of(row) for row in rows}
