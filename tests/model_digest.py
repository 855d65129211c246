"""What of a world decides about its future: two worlds with the same digest go on in the same way.

Times are taken relative to now, and what lies in the past and is only compared with now is all the same past. Texts,
histories, events and ids of rows decide nothing.
"""

import hashlib
import json
import sqlite3
from datetime import UTC, datetime, timedelta

from tests.model_registry import LocalRegistry
from tests.model_world import World

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Digest = bytes

_FIRINGS = (
    "SELECT order_id, ordinal, id, state, cause, credit_order_id, kg, request_sha256, resend_allowed, held_by_person, "
    "repins, refusal, credit_delivery_id, look_at, changed_at FROM firings ORDER BY order_id, ordinal"
)
_ATTEMPTS = "SELECT firing_id, number, outcome, deadline FROM attempts ORDER BY firing_id, number"
_READINGS = "SELECT firing_id, counts, verdict, at FROM readings ORDER BY id"
_REST = (
    'SELECT name, "on" FROM switches ORDER BY name',
    "SELECT id, attribution, firing_id, because IS NULL FROM credit_deliveries ORDER BY id",
    "SELECT firing_id, batch_id, kg FROM pins WHERE active ORDER BY firing_id, batch_id",
    "SELECT name FROM ledger_reads ORDER BY name",
)


def micros(moment: datetime) -> int:
    """An instant as the database keeps it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def shared(world: World) -> Digest:
    """The database and the registry."""
    now = micros(world.clock.now())
    return _hashed([of_database(world.raw, now), of_registry(world.registry)])


def whole(world: World, more: object) -> Digest:
    """The database, the other one, the registry, who stands where, and whatever else the walk knows."""
    return _hashed([shared(world).hex(), more])


def of_database(connection: sqlite3.Connection, now: int) -> list[object]:
    """What the rows mean for what comes."""
    rows = connection.execute(_FIRINGS).fetchall()
    unclear = {row[2]: row[-1] for row in rows if row[3] == "ambiguous"}
    firings = [[*row[:-2], _ahead(row[-2], now), now - row[-1] if row[2] in unclear else 0] for row in rows]
    last = {row[0]: [*row[:3], _ahead(row[3], now)] for row in connection.execute(_ATTEMPTS)}
    readings = [
        [*row[:3], now - row[3]] for row in connection.execute(_READINGS) if row[3] >= unclear.get(row[0], now + 1)
    ]
    until = [_ahead(row[0], now) for row in connection.execute("SELECT until FROM leases ORDER BY name")]
    rest = [connection.execute(query).fetchall() for query in _REST]
    return [firings, list(last.values()), readings, until, rest]


def of_registry(registry: LocalRegistry) -> list[object]:
    """What the registry has, and what is on its way to it."""
    now = registry.clock.now()
    deliveries = [[one.order_id, one.kg, one.notes, one.delivered_at < one.committed_at] for one in registry.happened()]
    # A stale read shows what was a few seconds ago.
    fresh = [(now - one.committed_at).total_seconds() for one in registry.happened()]
    batches = sorted([one.id, one.kg, one.status, one.delivery_id] for one in registry.batches().values())
    late = [[(one.due - now).total_seconds(), hash(one.post.body), one.stamped is None] for one in registry.late]
    return [deliveries, [min(age, 6.0) for age in fresh], [str(one) for one in batches], late]


def _ahead(at: int | None, now: int) -> int | None:
    return None if at is None else max(0, at - now)


def _hashed(what: object) -> Digest:
    return hashlib.blake2b(json.dumps(what, default=str).encode(), digest_size=16).digest()
