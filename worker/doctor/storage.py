"""The database: writable, in time with this machine; and what in it waits for a person."""

from collections.abc import Iterator

import sqlalchemy as sa

from worker.clock import Clock
from worker.db import Database
from worker.db.tables import links, orders, switches
from worker.doctor.accounts import SKEW_SECONDS
from worker.doctor.finding import Finding, note, ok, warning
from worker.firing.brakes import FREEZE, PAUSE

CHECK = "database"
# Purchase orders named in one sentence.
_NAMED = 5
_PROBE = "doctor"
_BRAKES = {
    FREEZE: ("frozen", "find out why, then `credits resume --because`"),
    PAUSE: ("paused", "`credits resume` ends the pause"),
}


def examine_database(database: Database, clock: Clock, revision: str | None) -> Iterator[Finding]:
    """Write a row and take it back. Raises DatabaseUnavailable."""
    with database.write() as connection:
        now = database.now(connection)
        skew = (now - clock.now()).total_seconds()
        savepoint = connection.begin_nested()
        connection.execute(sa.insert(switches).values({"name": _PROBE, "on": False, "reason": "", "changed_at": now}))
        savepoint.rollback()
    yield ok(CHECK, f"it is writable, at revision {revision}")
    if abs(skew) > SKEW_SECONDS:
        says = f"its clock and this machine's differ by {abs(skew):.0f} s"
        yield warning(CHECK, says, "synchronise the clocks: leases go by the database's, deadlines by ours")


def examine_brakes(database: Database) -> Iterator[Finding]:
    """What is switched on that stops firing."""
    with database.read() as connection:
        rows = connection.execute(sa.select(switches).where(switches.c.name.in_(_BRAKES), switches.c.on)).all()
    for row in rows:
        what, do = _BRAKES[row.name]
        yield warning("firing", f"everything is {what}: {row.reason}", do)


def examine_links(database: Database) -> Iterator[Finding]:
    """Links that no order stands under: not here yet, or a number that was written otherwise."""
    with database.read() as connection:
        inner = orders.alias()
        same = sa.select(inner.c.id).where(inner.c.purchase_order == links.c.purchase_order).correlate(links).exists()
        waiting = list(connection.execute(_waiting(same)).scalars())
        total = connection.execute(sa.select(sa.func.count()).select_from(links)).scalar_one()
        alike = connection.execute(_alike(same)).all()
    for row in alike:
        says = f"the link {row.linked!r} has no order, but there is an order {row.known!r}"
        yield warning("links", says, "numbers count byte for byte: correct the link")
    if waiting:
        named = ", ".join(repr(one) for one in waiting[:_NAMED])
        more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
        yield note(
            "links", f"{len(waiting)} of {total} links have no order yet: {named}{more}", "wait, or correct them"
        )
    else:
        yield ok("links", f"each of {total} links has an order")


def _waiting(same: sa.Exists) -> sa.Select[tuple[str]]:
    return sa.select(links.c.purchase_order).where(~same).distinct().order_by(links.c.purchase_order)


def _alike(same: sa.Exists) -> sa.Select[tuple[str, str]]:
    """Links without an order, beside orders whose number differs in blanks or case only."""

    def plain(column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
        return sa.func.lower(sa.func.trim(column))

    return (
        sa.select(links.c.purchase_order.label("linked"), orders.c.purchase_order.label("known"))
        .join(orders, plain(orders.c.purchase_order) == plain(links.c.purchase_order))
        .where(~same)
        .distinct()
        .limit(_NAMED)
    )
