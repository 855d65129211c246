"""Keeping whole pages of deliveries that were never seen: what a first reading does, without a look at every row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from worker.columns import json_text
from worker.db.bulk import Among
from worker.db.tables import deliveries, set_aside
from worker.event_log import EventLog
from worker.events import EventType, FirstFacts, account_source
from worker.reading.delivery_rows import insert_new
from worker.reading.first_rows import told_by_reading
from worker.reading.prepared import Prepared
from worker.reading.read_page import Gathered

_HELD = Among(deliveries.c.id, sa.select(deliveries.c.id).where(deliveries.c.account == sa.bindparam("account")))


class FirstPages:
    """Takes prepared pages into the table of deliveries and the event log, where all on them is new."""

    def __init__(self, event_log: EventLog) -> None:
        self._event_log = event_log

    def record(
        self, connection: sa.Connection, gathered: Sequence[Gathered], account: str, now: datetime
    ) -> list[Gathered]:
        """Keep those of the pages on which all is new; the others, of which nothing is kept.

        A delivery is not new if it is held, on two of the pages, or if a record set aside may be about it. The caller
        holds the account's lock.
        """
        ids = [delivery_id for page, _ in gathered if page.prepared is not None for delivery_id in page.prepared.ids]
        known = _known(connection, account, ids) if ids else set()
        twice = _twice(gathered)
        judged = [(item, _first(item, known, twice)) for item in gathered]
        new = [first for _, first in judged if first is not None]
        for page, turn, _ in new:
            insert_new(connection, account, turn, page.values, now)
        self._event_log.append_first(connection, _facts(account, new), now)
        return [item for item, first in judged if first is None]


class _First(NamedTuple):
    """A page that is kept as it is."""

    prepared: Prepared
    turn: int
    proof: Mapping[str, object]


def _first(item: Gathered, known: set[int], twice: set[str]) -> _First | None:
    page, proof = item
    if page.prepared is None or not known.isdisjoint(page.prepared.ids) or not twice.isdisjoint(page.shape.identities):
        return None
    return _First(page.prepared, page.turn, proof)


def _known(connection: sa.Connection, account: str, ids: Sequence[int]) -> set[int]:
    """Those that are held, and those that a record set aside is about."""
    open_records = sa.select(set_aside.c.delivery_id).where(
        set_aside.c.account == account,
        set_aside.c.closed_at.is_(None),
        set_aside.c.delivery_id.between(min(ids), max(ids)),
    )
    held = _HELD(connection, ids, account=account).scalars()
    return {*held, *connection.execute(open_records).scalars()}


def _twice(gathered: Sequence[Gathered]) -> set[str]:
    """Records that are on more than one of the pages, prepared or not."""
    seen: set[str] = set()
    again: set[str] = set()
    for page, _ in gathered:
        again |= seen.intersection(page.shape.identities)
        seen.update(page.shape.identities)
    return again


def _facts(account: str, pages: Sequence[_First]) -> FirstFacts:
    return FirstFacts(
        account_source(account),
        EventType.DELIVERY_APPEARED,
        ids=[identity for page in pages for identity in page.prepared.event_ids],
        subjects=[subject for page in pages for subject in page.prepared.subjects],
        moments=[moment for page in pages for moment in page.prepared.stamps],
        told=[told for page in pages for told in _told(page)],
        order_subjects=[orders for page in pages for orders in page.prepared.orders],
    )


def _told(page: _First) -> list[str]:
    """The document goes on where the record's part ends."""
    rest = f",{json_text(told_by_reading(page.turn, page.proof))[1:]}"
    return [told + rest for told in page.prepared.told]
