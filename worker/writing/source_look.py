"""A look at the source before and after a write, through the same recording as every other reading.

So whatever is found becomes an event by itself, and a cached answer proves nothing here either. Raises the connector's
errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
import sqlalchemy as sa

from connectors.logistic_cloud import DeliveryQuery
from worker.db import Database
from worker.db.tables import accounts
from worker.reading.account_source import AccountSource
from worker.reading.normalizer import DeliveryRecord, SetAside
from worker.reading.recorder import Recorder, Tally, proof_of
from worker.states import WriteAction
from worker.writing import decision
from worker.writing.decision import Decision, Doubt, Hits
from worker.writing.form import Document
from worker.writing.intents import Asked


class Cached(Exception):
    """The answer came from a cache (Age): what it says may have been overtaken."""


@dataclass(frozen=True, slots=True)
class SourceLook:
    """Looks at any account that can be read."""

    sources: Mapping[str, AccountSource] = field(repr=False)
    recorder: Recorder
    database: Database

    def decide(self, asked: Asked) -> Decision:
        """What is to be done about it, as the source stands."""
        try:
            return self._decided(asked)
        except Cached as cached:
            return Doubt(str(cached))

    def _decided(self, asked: Asked) -> Decision:
        if asked.delivery_id is None:
            return decision.create(asked.wanted, self.by_number(asked.account, str(asked.wanted["number"])))
        record = self.by_id(asked.account, asked.delivery_id)
        if asked.action is WriteAction.UPDATE:
            return decision.update(asked.wanted, asked.delivery_id, record)
        return decision.approve(asked.delivery_id, record)

    def by_number(self, account: str, number: str) -> Hits:
        """Every delivery with exactly that number."""
        source = self.sources[account]
        query = DeliveryQuery(number=number)
        page = source.page(query, 0)
        proof = {**proof_of("write", None, page), "number": number}
        self.recorder.record(source, page, proof=proof, tally=Tally())
        rows = [_raw(record) for record in page.records]
        return Hits(
            records=[row for row in rows if row.get("number") == number],
            doubt=_doubt(rows, number, total=page.shape.total, age=page.shape.age),
        )

    def by_id(self, account: str, delivery_id: int) -> Document | None:
        """The delivery, or None where the source does not have it. Raises Cached."""
        found = self.recorder.confirm(self.sources[account], [delivery_id], proof={"kind": "write"}, tally=Tally())
        for observed in found.found:
            return _raw(observed.record)
        if delivery_id in found.missing:
            return None
        sentence = f"the answer about delivery {delivery_id} came from a cache (Age), and proves nothing"
        raise Cached(sentence)

    def settle_seconds(self, account: str) -> float:
        """How long a change may take to become visible there: the lag in force."""
        floor = self.sources[account].lag_floor
        with self.database.read() as connection:
            lag = connection.execute(sa.select(accounts.c.lag_seconds).where(accounts.c.name == account)).scalar()
        return floor if lag is None else max(floor, float(lag))


def _raw(record: DeliveryRecord | SetAside) -> Document:
    raw = orjson.loads(record.raw if isinstance(record, DeliveryRecord) else record.payload)
    return raw if isinstance(raw, dict) else {}


def _doubt(rows: list[Document], number: str, *, total: int | None, age: int) -> str | None:
    if age > 0:
        return "the answer came from a cache (Age)"
    if total is not None and total != len(rows):
        return f"the list says that there are {total}, and shows {len(rows)}"
    # A filter may ignore case and blanks around it; one that lets anything through was not understood.
    if any(str(row.get("number")).strip().casefold() != number.strip().casefold() for row in rows):
        return "the filter by number was not understood"
    return None
