"""The row of `barmate_accounts`: how far the list was read, and whether barmate refuses us. Its lock serialises."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from worker.customers.source import BarmateSource
from worker.db import for_update
from worker.db.tables import barmate_accounts, customer_orders
from worker.event_log import EventLog
from worker.events import EventDraft, EventType, barmate_source

# Ids in one statement: SQLite takes some thousands at most.
_CHUNK = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class BarmateAccount:
    """An account at barmate as it stands; times are ours, `server_time` is barmate's."""

    host: str
    token_fingerprint: str
    walked_at: datetime | None
    walked_to_end_at: datetime | None
    server_time: datetime | None
    stopped_reason: str | None


def find(connection: sa.Connection, host: str) -> BarmateAccount | None:
    """The account, or None before it was ever asked."""
    return _account(connection, sa.select(barmate_accounts).where(barmate_accounts.c.host == host))


def ensure(connection: sa.Connection, source: BarmateSource) -> BarmateAccount:
    """The account's row, locked until the transaction ends; made at the first run.

    Another token may see other orders: then nothing of the list counts as known ground any more.
    """
    found = _locked(connection, source.host)
    if found is None:
        _insert(connection, source)
    elif found.token_fingerprint != source.token_fingerprint:
        _set(connection, source.host, token_fingerprint=source.token_fingerprint, walked_to_end_at=None)
        statement = sa.update(customer_orders).where(customer_orders.c.host == source.host)
        connection.execute(statement.values(joined=False))
    else:
        return found
    locked = _locked(connection, source.host)
    assert locked is not None  # noqa: S101 - inserted above, and never deleted
    return locked


def note_time(connection: sa.Connection, account: BarmateAccount, server_time: datetime | None) -> None:
    """Keep the newest time that barmate told."""
    if server_time is not None and (account.server_time is None or server_time > account.server_time):
        _set(connection, account.host, server_time=server_time)


def join(connection: sa.Connection, host: str, ids: Sequence[str], *, to_end: bool, now: datetime) -> None:
    """The list was read from the top to known ground, or to its end: what was seen on the way is known ground now."""
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        statement = sa.update(customer_orders).where(
            customer_orders.c.host == host, customer_orders.c.id.in_(chunk), ~customer_orders.c.joined
        )
        connection.execute(statement.values(joined=True))
    _set(connection, host, walked_at=now, **({"walked_to_end_at": now} if to_end else {}))


def stop(connection: sa.Connection, log: EventLog, account: BarmateAccount, reason: str, now: datetime) -> None:
    """It refuses us: stated once, with the remedy."""
    if account.stopped_reason is None:
        log.append(connection, [_draft(account.host, EventType.ACCOUNT_STOPPED, now, reason)], now)
    _set(connection, account.host, stopped_reason=reason)


def recover(connection: sa.Connection, log: EventLog, account: BarmateAccount, now: datetime) -> None:
    """It answers again."""
    if account.stopped_reason is not None:
        _set(connection, account.host, stopped_reason=None)
        log.append(connection, [_draft(account.host, EventType.ACCOUNT_RECOVERED, now, None)], now)


def _locked(connection: sa.Connection, host: str) -> BarmateAccount | None:
    return _account(connection, for_update(sa.select(barmate_accounts).where(barmate_accounts.c.host == host)))


def _account(
    connection: sa.Connection,
    statement: sa.Select[tuple[str, str, datetime | None, datetime | None, datetime | None, str | None]],
) -> BarmateAccount | None:
    row = connection.execute(statement).first()
    if row is None:
        return None
    return BarmateAccount(
        host=row.host,
        token_fingerprint=row.token_fingerprint,
        walked_at=row.walked_at,
        walked_to_end_at=row.walked_to_end_at,
        server_time=row.server_time,
        stopped_reason=row.stopped_reason,
    )


def _insert(connection: sa.Connection, source: BarmateSource) -> None:
    # The savepoint lets two processes that both found none go on with the row of the first.
    try:
        with connection.begin_nested():
            connection.execute(
                sa.insert(barmate_accounts).values(host=source.host, token_fingerprint=source.token_fingerprint)
            )
    except sa.exc.IntegrityError:
        pass


def _set(connection: sa.Connection, host: str, **values: object) -> None:
    connection.execute(sa.update(barmate_accounts).where(barmate_accounts.c.host == host).values(values))


def _draft(host: str, kind: EventType, now: datetime, reason: str | None) -> EventDraft:
    return EventDraft(
        source=barmate_source(host),
        subject="account",
        type=kind,
        time=now,
        fingerprint=now.isoformat(),
        data={"account": host, "reason": reason},
    )
