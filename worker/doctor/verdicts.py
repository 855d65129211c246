"""What the replay probe found, remembered with the database: a row of `bindings` for each way of using a batch."""

from dataclasses import asdict, dataclass
from enum import StrEnum

import orjson
import sqlalchemy as sa

from worker.db import Database
from worker.db.tables import bindings

_PREFIX = "used_batches:"
_INTENT = "replay_probe"


class Way(StrEnum):
    """How a request uses a batch: the registry may treat the two differently."""

    WHOLE = "whole"  # all of it: the batch changes its owner
    PART = "part"  # some of it: the batch is split

    @property
    def words(self) -> str:
        """As a sentence says it."""
        return "as a whole" if self is Way.WHOLE else "in part"


class Verdict(StrEnum):
    """What the registry does with a request for a batch that was used already."""

    REFUSED = "refused"
    ACCEPTED = "accepted"


def verdicts(database: Database) -> dict[Way, Verdict]:
    """What was found so far."""
    with database.read() as connection:
        rows = connection.execute(sa.select(bindings).where(bindings.c.name.startswith(_PREFIX))).all()
    return {Way(row.name.removeprefix(_PREFIX)): Verdict(row.value) for row in rows}


def remember(connection: sa.Connection, database: Database, way: Way, verdict: Verdict) -> None:
    """Keep a verdict; a later one counts."""
    put(connection, database, f"{_PREFIX}{way}", verdict.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A probe that was begun: kept before anything is sent, so that one which was interrupted goes on as it was."""

    credit_order_id: str
    kg: int
    batch_id: str
    way: Way
    marker: str
    request: str


def begun(database: Database) -> Intent | None:
    """The probe that was begun and not ended."""
    with database.read() as connection:
        value = connection.execute(sa.select(bindings.c.value).where(bindings.c.name == _INTENT)).scalar_one_or_none()
    if value is None:
        return None
    told = orjson.loads(value)
    return Intent(**{**told, "way": Way(told["way"])})


def begin(database: Database, intent: Intent) -> None:
    """Keep the intent, durably."""
    with database.write() as connection:
        put(connection, database, _INTENT, orjson.dumps(asdict(intent)).decode())


def end(connection: sa.Connection) -> None:
    """Forget the intent."""
    connection.execute(sa.delete(bindings).where(bindings.c.name == _INTENT))


def put(connection: sa.Connection, database: Database, name: str, value: str) -> None:
    """Set a row of `bindings`."""
    values = {"value": value, "bound_at": database.now(connection)}
    changed = connection.execute(sa.update(bindings).where(bindings.c.name == name).values(**values))
    if changed.rowcount == 0:
        connection.execute(sa.insert(bindings).values(name=name, **values))
