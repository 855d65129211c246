"""Observations: what was read, compared with what is held; changes become events in the caller's transaction.

An observation carries the turn of its request. A lower turn never overwrites a higher one, and one whose stamp is older
than what is held is not taken until it was confirmed by id (DESIGN §3). What is unchanged writes nothing.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

import sqlalchemy as sa

from worker.db.bulk import Among
from worker.db.tables import deliveries
from worker.event_log import EventLog
from worker.events import EventDraft, EventType, OrderKey
from worker.reading import accounts, set_aside
from worker.reading.delivery_rows import insert_new, row_values
from worker.reading.first_rows import record_columns
from worker.reading.normalizer import DeliveryRecord, SetAside
from worker.reading.observation_events import Change, change_draft, vanished_draft
from worker.reading.set_aside import Broken

_HELD = Among(
    deliveries.c.id,
    sa.select(
        deliveries.c.id,
        deliveries.c.customer_id,
        deliveries.c.status,
        deliveries.c.status_inbound,
        deliveries.c.number,
        deliveries.c.purchase_order,
        deliveries.c.updated_at,
        deliveries.c.content_hash,
        deliveries.c.turn,
        deliveries.c.visible,
    ).where(deliveries.c.account == sa.bindparam("account")),
)


class Observed(NamedTuple):
    """One record as it was read by the request with that turn; `proof` where it is another than the circumstances'."""

    record: DeliveryRecord | SetAside
    turn: int
    proof: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How it was read: the account, the server's time, ours, and the proof that events carry.

    `confirmed` says that the records were read by id, so that an older stamp is the truth.
    """

    account: str
    server_time: datetime
    now: datetime
    proof: Mapping[str, object] | None = None
    confirmed: bool = False


class News(NamedTuple):
    """A delivery that appeared or changed, its stamp now, and whether that stamp is newer than any we had of it."""

    id: int
    updated_at: datetime
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What recording found. `suspicious` ids carry a stamp older than the held one: to be confirmed by id."""

    appeared: tuple[News, ...] = ()
    changed: tuple[News, ...] = ()
    returned: tuple[int, ...] = ()
    unchanged: int = 0
    set_aside: int = 0
    suspicious: tuple[int, ...] = ()

    @property
    def news(self) -> tuple[News, ...]:
        """What appeared and what changed."""
        return self.appeared + self.changed


class _Nothing(Enum):
    UNCHANGED = "unchanged"
    OUTDATED = "outdated"
    SUSPICIOUS = "suspicious"


class Observations:
    """Takes what was read into the table of deliveries and the event log."""

    def __init__(self, event_log: EventLog) -> None:
        self._event_log = event_log

    def record(self, connection: sa.Connection, observed: Sequence[Observed], circumstances: Circumstances) -> Recorded:
        """Compare and keep a page of observations: a few statements, whatever its length."""
        account, now = circumstances.account, circumstances.now
        accounts.lock(connection, account)
        parsed = _newest(observed, circumstances.proof)
        broken = _broken(observed, parsed)
        held = _held(connection, account, [*parsed, *_broken_ids(broken)])
        doubts = _doubts(parsed, held, confirmed=circumstances.confirmed)
        if len(parsed) + len(broken) < len(observed) and not circumstances.confirmed:
            doubts = {**dict.fromkeys(_fell_back(observed, parsed), _Nothing.SUSPICIOUS), **doubts}
        taken = {key: item.turn for key, item in parsed.items() if key not in doubts}
        mended = set_aside.close_parsed(connection, account, taken, now)
        verdicts: dict[int, Change | _Nothing] = {
            key: doubts[key] if key in doubts else _verdict(item, held.get(key), freed=mended.get(key))
            for key, item in parsed.items()
        }
        changes = [verdict for verdict in verdicts.values() if isinstance(verdict, Change)]
        _write(connection, changes, circumstances)
        kept = set_aside.keep(connection, account, broken, held, now)
        drafts = [change_draft(change, account) for change in changes]
        drafts += [item.draft(account, circumstances.server_time) for item in kept]
        self._event_log.append(connection, drafts, now)
        return _recorded(verdicts, set_aside_count=len(broken))

    def vanish(
        self, connection: sa.Connection, seen_missing: Mapping[int, int], circumstances: Circumstances
    ) -> tuple[int, ...]:
        """Mark deliveries that the source says it does not have (id → turn of that answer) as not visible; which.

        Nothing is deleted: a 404 may mean that access was lost (logistic.cloud developer docs, resources/deliveries).
        """
        accounts.lock(connection, circumstances.account)
        held = _held(connection, circumstances.account, list(seen_missing))
        gone = [row for row in held.values() if row.visible and row.turn < seen_missing[row.id]]
        for row in gone:
            values = {"visible": False, "turn": seen_missing[row.id], "changed_at": circumstances.now}
            connection.execute(_this_delivery(circumstances.account, row.id).values(values))
        drafts: list[EventDraft] = [
            vanished_draft(circumstances.account, row, circumstances.server_time) for row in gone
        ]
        self._event_log.append(connection, drafts, circumstances.now)
        return tuple(row.id for row in gone)


class _Parsed(NamedTuple):
    """An observation that was understood."""

    record: DeliveryRecord
    turn: int
    proof: Mapping[str, object] | None


def _newest(observed: Iterable[Observed], usual: Mapping[str, object] | None) -> dict[int, _Parsed]:
    """The latest observation of each delivery; within one answer the later stamp counts."""
    newest: dict[int, _Parsed] = {}
    for record, turn, proof in observed:
        if isinstance(record, DeliveryRecord):
            known = newest.get(record.id)
            if known is None or (known.turn, known.record.updated_at) <= (turn, record.updated_at):
                newest[record.id] = _Parsed(record, turn, usual if proof is None else proof)
    return newest


def _fell_back(observed: Iterable[Observed], parsed: Mapping[int, _Parsed]) -> Iterator[int]:
    """Those that an earlier one of several pages shows with a newer stamp: as if that one were held already."""
    for record, turn, _proof in observed:
        if isinstance(record, DeliveryRecord):
            newest = parsed[record.id]
            if turn < newest.turn and record.updated_at > newest.record.updated_at:
                yield record.id


def _broken(observed: Iterable[Observed], parsed: Mapping[int, _Parsed]) -> list[Broken]:
    """What does not parse, unless a later page that is recorded with it shows the delivery in a form that does."""
    found = [Broken(record=item.record, turn=item.turn) for item in observed if isinstance(item.record, SetAside)]
    return [item for item in found if not _overtaken(item, parsed)]


def _overtaken(item: Broken, parsed: Mapping[int, _Parsed]) -> bool:
    known = None if item.record.delivery_id is None else parsed.get(item.record.delivery_id)
    return known is not None and known.turn > item.turn


def _broken_ids(broken: Iterable[Broken]) -> Iterator[int]:
    return (item.record.delivery_id for item in broken if item.record.delivery_id is not None)


def _held(connection: sa.Connection, account: str, ids: Sequence[int]) -> dict[int, sa.Row[Any]]:
    return {row.id: row for row in _HELD(connection, ids, account=account)}


def _doubts(parsed: Mapping[int, _Parsed], held: Mapping[int, sa.Row[Any]], *, confirmed: bool) -> dict[int, _Nothing]:
    """Why observations are not taken; those that are taken are not among them."""
    doubts: dict[int, _Nothing] = {}
    for key, row in held.items():
        item = parsed.get(key)
        if item is None:
            continue
        if item.turn <= row.turn:
            doubts[key] = _Nothing.OUTDATED
        elif item.record.updated_at < row.updated_at and not confirmed:
            doubts[key] = _Nothing.SUSPICIOUS
    return doubts


def _verdict(item: _Parsed, held: sa.Row[Any] | None, *, freed: tuple[OrderKey, ...] | None) -> Change | _Nothing:
    """What an observation that is taken is; `freed` where a record of its delivery had been set aside."""
    record, turn, proof = item
    if held is None and freed is None:
        return Change(EventType.DELIVERY_APPEARED, record, turn, None, proof=proof)
    mended = freed is not None
    if held is not None and held.visible and record.content_hash == held.content_hash and not mended:
        return _Nothing.UNCHANGED
    kind = EventType.DELIVERY_APPEARED
    if held is not None:
        kind = EventType.DELIVERY_CHANGED if held.visible else EventType.DELIVERY_RETURNED
    return Change(
        kind=kind,
        record=record,
        turn=turn,
        held=held,
        went_back=held is not None and record.updated_at < held.updated_at,
        mended=mended,
        freed=() if freed is None else freed,
        proof=proof,
    )


def _write(connection: sa.Connection, changes: Sequence[Change], circumstances: Circumstances) -> None:
    account, now = circumstances.account, circumstances.now
    new = (change for change in changes if change.held is None)
    for turn, together in itertools.groupby(new, lambda change: change.turn):
        values = [value for change in together for value in record_columns(change.record)]
        insert_new(connection, account, turn, values, now)
    known = [change for change in changes if change.held is not None]
    if known:
        statement = sa.update(deliveries).where(
            deliveries.c.account == sa.bindparam("this_account"), deliveries.c.id == sa.bindparam("this_id")
        )
        rows = [
            {**_values(change, circumstances), "this_account": account, "this_id": change.record.id} for change in known
        ]
        connection.execute(statement, rows)


def _values(change: Change, circumstances: Circumstances) -> dict[str, object]:
    return {
        **row_values(change.record),
        "turn": change.turn,
        "visible": True,
        "stamp_went_back": change.went_back,
        "changed_at": circumstances.now,
    }


def _this_delivery(account: str, delivery_id: int) -> sa.Update:
    return sa.update(deliveries).where(deliveries.c.account == account, deliveries.c.id == delivery_id)


def _recorded(verdicts: Mapping[int, Change | _Nothing], *, set_aside_count: int) -> Recorded:
    changes = [verdict for verdict in verdicts.values() if isinstance(verdict, Change)]
    return Recorded(
        appeared=tuple(_news(changes, EventType.DELIVERY_APPEARED)),
        changed=tuple(_news(changes, EventType.DELIVERY_CHANGED)),
        returned=tuple([change.record.id for change in changes if change.kind is EventType.DELIVERY_RETURNED]),
        unchanged=sum(verdict is _Nothing.UNCHANGED for verdict in verdicts.values()),
        set_aside=set_aside_count,
        suspicious=tuple(key for key, verdict in verdicts.items() if verdict is _Nothing.SUSPICIOUS),
    )


def _news(changes: Iterable[Change], kind: EventType) -> Iterator[News]:
    for change in changes:
        if change.kind is kind:
            # A record that parses at last was seen when it came, however old it is.
            newer = change.held is None or change.record.updated_at > change.held.updated_at
            yield News(change.record.id, change.record.updated_at, newer and not change.mended)
