"""The service of writes: look, freeze, send, record, look again. Killed anywhere, it goes on and does nothing twice.

A request that may have taken effect is looked up at once, and believed to be absent only when the source, read after
the settle time, does not show it. A no is believed when a look shows that nothing came of it.
"""

from datetime import datetime, timedelta

from connectors.logistic_cloud_writes import Denied, NotSent, Outcome, Rejected, Written
from worker import work
from worker.checkpoints import Checkpoint
from worker.db import Database
from worker.states import WriteAction, WriteState
from worker.work import GiveUp, Later
from worker.writing.decision import Doubt, Impossible, Send, There
from worker.writing.finishing import Close, Finishing
from worker.writing.intents import Intents, Write
from worker.writing.moves import Moves
from worker.writing.sender import Sender, TooLate
from worker.writing.source_look import SourceLook

# Requests of one intent that may go out: what is lost three times, each a settle time apart, is no accident.
MAX_SENDS = 3
# Seconds until a reading that proved nothing is made again.
_DOUBT_SECONDS = 5.0

LOOKED = "writing: looked"
FROZEN = "writing: frozen"
SENT = "writing: sent"

Open = Send | Impossible | Doubt


class WritingService:
    """Takes one intent as far as it can go now. Raises the connector's errors, and LostClaim."""

    def __init__(
        self,
        *,
        database: Database,
        intents: Intents,
        look: SourceLook,
        sender: Sender,
        checkpoint: Checkpoint,
    ) -> None:
        self._database = database
        self._intents = intents
        self._look = look
        self._sender = sender
        self._checkpoint = checkpoint
        self._moves = Moves(database=database, intents=intents)
        self._finishing = Finishing(database=database, moves=self._moves, look=look, checkpoint=checkpoint)

    def advance(self, identity: str, attempts: int, close: Close) -> work.Outcome:
        """Go on with the intent; `attempts` counts the claims of its task, from 1 each time a person asks for it."""
        with self._database.read() as connection:
            write, now = self._intents.find(connection, identity), self._database.now(connection)
        if write is None:
            return GiveUp(f"There is no write {identity}.")
        if write.account not in self._sender.writers:
            return GiveUp(f"The account {write.account} is not in the settings, or has no API key.")
        if write.state in {WriteState.REFUSED, WriteState.NEEDS_PERSON}:
            return self._retried(write, attempts, now, close)
        return self._go_on(write, now, close)

    def _retried(self, write: Write, attempts: int, now: datetime, close: Close) -> work.Outcome:
        """What had ended badly: a person retries it, or we died before its task was given up."""
        if attempts > 1:
            return GiveUp(write.reason)
        return self._go_on(self._moves.reopened(write), now, close) if _is_settled(write, now) else _wait(write)

    def _go_on(self, write: Write, now: datetime, close: Close) -> work.Outcome:
        if write.state is WriteState.DONE:
            return self._finishing.read_back(write, close)
        if write.state is WriteState.UNKNOWN and not _is_settled(write, now):
            return _wait(write)
        decided = self._look.decide(write.asked)
        self._checkpoint(LOOKED)
        if isinstance(decided, There):
            return self._finishing.found(write, decided.record, close)
        if not write.in_doubt:
            return self._as_decided(write, decided, close)
        # That it does not show yet proves nothing before the settle time is over.
        return self._absent(write, decided, close) if _is_settled(write, now) else _wait(self._moves.unknown(write))

    def _absent(self, write: Write, decided: Open, close: Close) -> work.Outcome:
        """The settle time is over: what was sent took no effect, unless somebody else was here as well."""
        trouble = _trouble(write, decided)
        if trouble is not None:
            return self._finishing.ended(write, WriteState.NEEDS_PERSON, trouble)
        return self._as_decided(write, decided, close)

    def _as_decided(self, write: Write, decided: Open, close: Close) -> work.Outcome:
        if isinstance(decided, Doubt):
            return Later(until=self._now() + timedelta(seconds=_DOUBT_SECONDS), reason=f"{decided.sentence}.")
        if isinstance(decided, Impossible):
            return self._finishing.ended(write, WriteState.REFUSED, decided.sentence)
        return self._send(write, decided, close)

    def _send(self, write: Write, decided: Send, close: Close) -> work.Outcome:
        settle_seconds = self._look.settle_seconds(write.account)
        frozen = self._moves.freeze(write, decided, send_seconds=self._sender.seconds, settle_seconds=settle_seconds)
        if isinstance(frozen, str):
            return self._finishing.ended(write, WriteState.REFUSED, frozen)
        self._checkpoint(FROZEN)
        try:
            outcome = self._sender.send(frozen, may_still=lambda: self._is_in_time(frozen))
        except TooLate:
            unsent = self._moves.unsent(frozen, "The deadline passed before it was sent.")
            return Later(until=self._now(), reason=unsent.reason)
        self._checkpoint(SENT)
        return self._told(frozen, outcome, close)

    def _told(self, frozen: Write, outcome: Outcome, close: Close) -> work.Outcome:
        if isinstance(outcome, NotSent):
            self._moves.unsent(frozen, outcome.error.sentence)
            raise outcome.error
        if isinstance(outcome, Written):
            return self._written(frozen, outcome, close)
        kept = self._moves.answered(frozen, outcome.sentence, status=outcome.status, kept=outcome.kept)
        if isinstance(outcome, Denied):
            return self._finishing.ended(kept, WriteState.REFUSED, outcome.sentence)
        if isinstance(outcome, Rejected):
            return self._rejected(kept, close)
        return self._go_on(kept, self._now(), close)

    def _written(self, frozen: Write, outcome: Written, close: Close) -> work.Outcome:
        if _is_about(frozen, outcome):
            return self._finishing.written(frozen, outcome, close)
        sentence = "The answer was about another delivery than the one asked for."
        kept = self._moves.answered(frozen, sentence, status=outcome.status, kept=outcome.kept)
        return self._go_on(kept, self._now(), close)

    def _rejected(self, kept: Write, close: Close) -> work.Outcome:
        """A no may be the second answer to a request that a gateway sent twice: it counts if nothing is there."""
        decided = self._look.decide(kept.asked)
        if isinstance(decided, There):
            return self._finishing.found(kept, decided.record, close)
        if isinstance(decided, Doubt):
            return _wait(self._moves.unknown(kept))
        return self._finishing.ended(kept, WriteState.REFUSED, kept.reason)

    def _is_in_time(self, frozen: Write) -> bool:
        return frozen.deadline is not None and self._now() < frozen.deadline

    def _now(self) -> datetime:
        with self._database.read() as connection:
            return self._database.now(connection)


def _is_settled(write: Write, now: datetime) -> bool:
    return write.settled_at is None or now >= write.settled_at


def _wait(write: Write) -> work.Outcome:
    if write.settled_at is None:
        return GiveUp(write.reason)
    return Later(until=write.settled_at, reason=write.reason, counted=False)


def _is_about(frozen: Write, outcome: Written) -> bool:
    """Whether the answer shows the delivery that was meant; an approval's shows none."""
    if outcome.record is None:
        return frozen.action is WriteAction.APPROVE
    if frozen.delivery_id is None:
        return outcome.record.get("number") == frozen.wanted["number"]
    return outcome.record.get("id") == frozen.delivery_id


def _trouble(write: Write, decided: Open) -> str | None:
    """Why a person must look before anything is sent again."""
    if isinstance(decided, Impossible):
        return decided.sentence if write.action is WriteAction.CREATE else None
    if isinstance(decided, Doubt):
        return None
    if write.baseline != decided.baseline:
        return (
            f"Delivery {write.delivery_id} was changed by somebody else meanwhile, so it is not known whose word counts"
        )
    if write.sends >= MAX_SENDS:
        return f"It was sent {write.sends} times, and nothing of it shows at the warehouse"
    return None
