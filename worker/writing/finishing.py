"""The end of a write: kept, read back through the usual recording, and told to whoever waits for its task."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import sqlalchemy as sa
import structlog

from connectors.errors import ConnectorError
from connectors.logistic_cloud_writes import Written
from worker.checkpoints import Checkpoint
from worker.db import Database
from worker.states import WriteAction, WriteState
from worker.work import Done, GiveUp
from worker.writing.form import Document
from worker.writing.intents import Write
from worker.writing.likeness import differences
from worker.writing.moves import Moves
from worker.writing.source_look import Cached, SourceLook

_log = structlog.get_logger(__name__)

RECORDED = "writing: recorded"

_DEEDS: Mapping[WriteAction, str] = {
    WriteAction.CREATE: "created",
    WriteAction.UPDATE: "updated",
    WriteAction.APPROVE: "approved",
}


class Close(Protocol):
    """Closes the task in the caller's transaction, with what came of it."""

    def __call__(self, connection: sa.Connection, result: Mapping[str, object] | None = None) -> None:
        """Close now."""
        ...


class Finishing:
    """Ends intents."""

    def __init__(self, *, database: Database, moves: Moves, look: SourceLook, checkpoint: Checkpoint) -> None:
        self._database = database
        self._moves = moves
        self._look = look
        self._checkpoint = checkpoint

    def written(self, frozen: Write, outcome: Written, close: Close) -> Done:
        """The source said so."""
        known = frozen.delivery_id if outcome.record is None else outcome.record.get("id")
        reason = f"{_DEEDS[frozen.action]}."
        done = self._moves.done(frozen, int(str(known)), reason, answer_status=outcome.status, answer=outcome.kept)
        self._checkpoint(RECORDED)
        return self.read_back(done, close)

    def found(self, write: Write, record: Document, close: Close) -> Done:
        """The source shows it; that it was read is recorded already."""
        reason = f"{_DEEDS[write.action]}; the answer was lost." if write.sends else "already so; nothing was sent."
        done = self._moves.done(write, int(str(record["id"])), reason)
        self._checkpoint(RECORDED)
        return self._closed(done, close)

    def read_back(self, done: Write, close: Close) -> Done:
        """Read what was written, so that the log shows it; where that fails, the next poll reads it."""
        try:
            shown = self._shown(done)
        except (ConnectorError, Cached) as error:
            _log.warning("not read back yet", delivery=done.delivery_id, error=str(error))
            return self._closed(done, close)
        others = _flaws(done, shown)
        if others:
            told = f"{_DEEDS[done.action]}, but the warehouse shows otherwise: {', '.join(others)}."
            done = self._moves.noted(done, told)
        return self._closed(done, close, others)

    def _shown(self, done: Write) -> Sequence[Document]:
        """A creation is read by its number: two deliveries with it are told, whoever made the other."""
        if done.action is WriteAction.CREATE:
            return self._look.by_number(done.account, str(done.wanted["number"])).records
        record = None if done.delivery_id is None else self._look.by_id(done.account, done.delivery_id)
        return () if record is None else (record,)

    def ended(self, write: Write, state: WriteState, reason: str) -> GiveUp:
        """It ends without having been done; its task becomes a dead letter, which a person may retry or drop."""
        return GiveUp(self._moves.ended(write, state, reason).reason)

    def _closed(self, done: Write, close: Close, differs: tuple[str, ...] = ()) -> Done:
        with self._database.write() as connection:
            close(connection, {**done.document(), "differs": list(differs)})
        return Done()


def _flaws(done: Write, shown: Sequence[Document]) -> tuple[str, ...]:
    if len(shown) > 1:
        named = ", ".join(str(record.get("id")) for record in shown)
        return (f"{len(shown)} deliveries have the number ({named})",)
    return tuple(name for record in shown for name in differences(done.wanted, record))
