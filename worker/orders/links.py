"""Order links as rows, changed: imported from a file, taken away by a person (DESIGN §5)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

import sqlalchemy as sa

from worker.db.tables import firings, links, orders
from worker.errors import UsageError
from worker.events import OrderKey
from worker.orders.link_match import best, covers
from worker.orders.link_row import LinkRow
from worker.orders.link_rows import LinkRows, by_number, chunks, load_links
from worker.orders.mistakes import Mistake, refuse
from worker.standing import Link
from worker.states import FiringState, OrderState

# A link may still change while nothing was promised on its terms, and after the registry refused them.
FREE = (FiringState.HELD, FiringState.PLANNED, FiringState.WITHDRAWN, FiringState.REFUSED)

# What a row of a file says, apart from where it stands there.
_SAID = tuple(field.name for field in fields(LinkRow) if field.name != "line")
_KEY = ("account", "customer_id", "purchase_order")


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, in rows."""

    added: int
    changed: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class _Frozen:
    """An order whose firing stands on its link."""

    key: OrderKey
    state: str


class Links(LinkRows):
    """The rows of `links` and every change to them. Methods take the caller's transaction."""

    def import_rows(self, connection: sa.Connection, rows: Sequence[LinkRow], now: datetime) -> ImportReport:
        """Take the links of a file: those it names are added or changed, others left alone.

        Raises UsageError, and takes nothing, naming each row whose link is frozen by a firing that is armed or beyond.
        """
        numbers = sorted({row.purchase_order for row in rows})
        held = by_number(load_links(connection, numbers))
        known = {_key_of(link): link for group in held.values() for link in group}
        new = [row for row in rows if row.key not in known]
        changed = [row for row in rows if row.key in known and not _same(row, known[row.key])]
        _refuse_frozen(connection, [*new, *changed], held)
        _insert(connection, new, now)
        _update(connection, changed, now)
        touch(connection, sorted({row.purchase_order for row in (*new, *changed)}), now)
        return ImportReport(added=len(new), changed=len(changed), unchanged=len(rows) - len(new) - len(changed))

    def unlink(
        self,
        connection: sa.Connection,
        purchase_order: str,
        *,
        account: str | None,
        customer_id: int | None,
        now: datetime,
    ) -> Link:
        """Take a link away; `account` and `customer_id` narrow what is meant where several links have the number.

        Raises UsageError where there is none, where several are meant, or where it is frozen.
        """
        held = load_links(connection, [purchase_order])
        meant = [link for link in held if account in (None, link.account) and customer_id in (None, link.customer_id)]
        link = _the_one(purchase_order, meant)
        for order in _frozen_orders(connection, [purchase_order]):
            if best(held, order.key) == link:
                sentence = f"The link of {purchase_order} is frozen: its firing is {order.state}."
                raise UsageError(sentence)
        connection.execute(sa.delete(links).where(links.c.id == link.id))
        touch(connection, [purchase_order], now)
        return link


def touch(connection: sa.Connection, numbers: Sequence[str], now: datetime) -> None:
    """Have every known order of these purchase order numbers looked at again, now."""
    for chunk in chunks(numbers):
        connection.execute(sa.update(orders).where(orders.c.purchase_order.in_(chunk)).values(look_at=now))


def touch_blocked(connection: sa.Connection, now: datetime) -> None:
    """Have every blocked order looked at again, now: what blocked it may be gone, and no event says so."""
    connection.execute(sa.update(orders).where(orders.c.state == OrderState.BLOCKED).values(look_at=now))


def _refuse_frozen(connection: sa.Connection, rows: Sequence[LinkRow], held: dict[str, list[Link]]) -> None:
    """Raises UsageError where a row would change what an armed firing stands on."""
    frozen: dict[str, list[_Frozen]] = {}
    for order in _frozen_orders(connection, sorted({row.purchase_order for row in rows})):
        frozen.setdefault(order.key.purchase_order, []).append(order)
    mistakes = []
    for row in rows:
        state = _frozen_by(row, held.get(row.purchase_order, []), frozen.get(row.purchase_order, []))
        if state is not None:
            what = f"the link of {row.purchase_order} is frozen because its firing is {state}; take the row out"
            mistakes.append(Mistake(row.line, "purchase_order", what))
    if mistakes:
        refuse("the file", mistakes)


def _frozen_by(row: LinkRow, held: Sequence[Link], frozen: Sequence[_Frozen]) -> str | None:
    """The state of a firing whose link the row would change; None where it touches none."""
    proposed = _proposed(row)
    after = [link for link in held if _key_of(link) != row.key] + [proposed]
    for order in frozen:
        stands_on = best(held, order.key)
        # None: the links were lost with a database, and the delivery was found by its marker. Then they come back.
        if stands_on is not None and covers(proposed, order.key) and best(after, order.key) != stands_on:
            return order.state
    return None


def _frozen_orders(connection: sa.Connection, numbers: Sequence[str]) -> list[_Frozen]:
    """Orders of these numbers with a firing beyond planning; their firings stay as they are until we have committed."""
    found: list[_Frozen] = []
    for chunk in chunks(numbers):
        statement = (
            sa.select(orders.c.account, orders.c.customer_id, orders.c.purchase_order, firings.c.state)
            .join_from(orders, firings, firings.c.order_id == orders.c.id)
            .where(orders.c.purchase_order.in_(chunk))
            .order_by(firings.c.id)
        )
        # Only the firings are locked: whoever looks at the order meanwhile shall not wait for us.
        rows = connection.execute(statement.with_for_update(of=firings)).all()
        found += [
            _Frozen(OrderKey(row.account, row.customer_id, row.purchase_order), row.state)
            for row in rows
            if row.state not in FREE
        ]
    return found


def _proposed(row: LinkRow) -> Link:
    return Link(id=0, **{name: getattr(row, name) for name in _SAID})


def _same(row: LinkRow, link: Link) -> bool:
    return _proposed(row) == replace(link, id=0)


def _key_of(link: Link) -> tuple[str, int, str]:
    return link.account, link.customer_id, link.purchase_order


def _values(row: LinkRow, now: datetime) -> dict[str, object]:
    said = {name: getattr(row, name) for name in _SAID}
    return {**said, "batches": list(row.batches), "imported_at": now}


def _insert(connection: sa.Connection, rows: Sequence[LinkRow], now: datetime) -> None:
    if rows:
        connection.execute(sa.insert(links), [_values(row, now) for row in rows])


def _update(connection: sa.Connection, rows: Sequence[LinkRow], now: datetime) -> None:
    for row in rows:
        the_row = sa.and_(*(links.c[name] == getattr(row, name) for name in _KEY))
        connection.execute(sa.update(links).where(the_row).values(**_values(row, now)))


def _the_one(purchase_order: str, meant: Sequence[Link]) -> Link:
    if not meant:
        sentence = f"There is no such link of {purchase_order}; see `waybill orders list`."
        raise UsageError(sentence)
    if len(meant) > 1:
        named = "; ".join(
            f"account {link.account or '(any)'}, customer {link.customer_id or '(any)'}" for link in meant
        )
        sentence = f"Several links have the number {purchase_order}: {named}. Name one with --account and --customer."
        raise UsageError(sentence)
    return meant[0]
