"""The mirror: every event to the operator's webhook, signed, one of a subject at a time (DESIGN §7).

The body is the event as CloudEvents 1.0 JSON. A repeat keeps the event's id, so a receiver can drop it. Tries follow
the published schedule; then the task is a dead letter and the subject goes on.
"""

from collections.abc import Mapping, Sequence
from random import Random

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
from worker.kinds import MIRROR_JITTER, MIRROR_SCHEDULE
from worker.pace import Pace
from worker.tasks import Claim
from worker.work import After, Done, GiveUp, Outcome

_log = structlog.get_logger(__name__)

# Seconds until events that were put off untried are looked at again.
_PUT_OFF_SECONDS = 5.0
POSTING = "mirror: posting"
DELIVERED = "mirror: delivered"


class Mirror:
    """Posts the events of claimed tasks; closes nothing itself."""

    def __init__(
        self,
        *,
        database: Database,
        target: webhook.WebhookTarget,
        pace: Pace,
        clock: Clock,
        random: Random,
        checkpoint: Checkpoint,
        schedule: Sequence[float] = MIRROR_SCHEDULE,
    ) -> None:
        """`schedule`: seconds until the next try after each one that failed; the last wait is the longest."""
        self.pace = pace
        self._schedule = schedule
        self._database = database
        self._target = target
        self._clock = clock
        self._random = random
        self._checkpoint = checkpoint

    def events_of(self, claims: Sequence[Claim]) -> Mapping[int | None, Event] | None:
        """The events of these claims by their place in the log; None while the webhook is switched off."""
        with self._database.read() as connection:
            if not switches.webhook_is_on(connection):
                return None
            wanted = sa.select(events).where(events.c.position.in_([claim.event_position for claim in claims]))
            return {row.position: event_of(row) for row in connection.execute(wanted)}

    def post(self, claim: Claim, event: Event | None) -> Outcome:
        """Post the event of a claim, once; None is one that the log no longer holds. Takes seconds."""
        if event is None:
            return GiveUp("The event is no longer in the log.")
        self._checkpoint(POSTING)
        body = orjson.dumps(event.cloud_event())
        outcome = self._target.deliver(message_id=event.id, sent_at=self._clock.now(), body=body)
        if isinstance(outcome, webhook.Delivered):
            self._checkpoint(DELIVERED)
            self.pace.went_well()
            return Done()
        if isinstance(outcome, webhook.Gone):
            return self._switch_off()
        return self._again(claim, event, outcome)

    def put_off(self, reason: str) -> After:
        """Not tried at all, for that reason, and not counted."""
        return After(seconds=max(self.pace.pause, _PUT_OFF_SECONDS), reason=reason, counted=False)

    def _again(self, claim: Claim, event: Event, outcome: webhook.RetryLater) -> After:
        _log.info("event not taken", event_id=event.id, reason=outcome.reason)
        if outcome.asks_for_less:
            self.pace.too_much(outcome.retry_after)
        wait = next_wait(self._schedule, claim.attempts, outcome.retry_after, self._random)
        return After(seconds=wait, reason=outcome.reason)

    def _switch_off(self) -> After:
        reason = "The receiver answered 410 Gone: it wants no more events. Run `waybill webhook enable` to go on."
        with self._database.write() as connection:
            now = self._database.now(connection)
            switches.turn(connection, switches.WEBHOOK, on=False, reason=reason, now=now)
        _log.error("webhook switched off", reason=reason)
        # What is on its way out of this process stays here.
        self.pace.leave_alone(_PUT_OFF_SECONDS)
        return self.put_off(reason)


def next_wait(schedule: Sequence[float], attempts: int, retry_after: float | None, random: Random) -> float:
    """Seconds until the next post after this many tries (from 1); the receiver may ask for longer, never for less."""
    scheduled = schedule[min(attempts, len(schedule)) - 1]
    wait = scheduled if retry_after is None else max(scheduled, retry_after)
    return wait * (1 + random.uniform(0, MIRROR_JITTER))
