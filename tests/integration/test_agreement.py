"""Preview, agreement and what is owed: what is told about customer orders without telling customers anything."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from connectors.simulated.switches import PostFault
from tests.customer_kit import ACCOUNT
from tests.responding_kit import Desk
from worker import kinds
from worker.customers.linking import LinkBy
from worker.db.tables import tasks
from worker.events import EventDraft, EventType
from worker.kinds import RULES
from worker.responding.agreement import agreement
from worker.responding.owed import Owed
from worker.responding.preview import preview
from worker.responding.subjects import subjects_of
from worker.tasks import Tasks

WEEK = timedelta(days=7)
ITEM = {
    "id": "GIN-6",
    "name": "Gin",
    "order_by": "vessel",
    "vessel": {"size": 0.7, "unit": "l", "type": "glass"},
    "bundle": {"id": "001", "type": "CT", "size": 6},
    "count": 2,
    "vessel_count": 12,
    "price": 100,
}
LIMES = {
    "id": "LIME",
    "name": "Limes",
    "order_by": "kg",
    "vessel": None,
    "bundle": None,
    "count": 1.105,
    "vessel_count": 1.105,
    "price": 333,
}


@pytest.fixture
def desk(migrated_file: Path, tmp_path: Path) -> Iterator[Desk]:
    """A desk that may say nothing."""
    made = Desk(migrated_file, tmp_path, respond=False, respond_reject=False)
    yield made
    made.database.close()


def _rows(desk: Desk, *, everything: bool = False) -> list[dict[str, object]]:
    with desk.database.read() as connection:
        return list(preview(connection, desk.terms, desk.clock.now(), everything=everything))


def _kinds(desk: Desk, key: str | None = None) -> list[str]:
    with desk.database.read() as connection:
        found = list(agreement(connection, desk.terms, desk.clock.now(), still=WEEK))
    return [one.kind.value for one in found if key in {None, one.customer_order_id}]


def _asked(desk: Desk, *items: dict[str, Any]) -> str:
    key = desk.ask()
    record = desk.twin.get(key)
    desk.twin.rewrite(key, {"request": {**record["request"], "items": list(items)}})
    desk.clock.advance(60)
    desk.settle()
    return key


def _line(article: str, quantity: str, unit: str = "bottle", status: str = "booked") -> dict[str, object]:
    return {"id": 1, "status": status, "articleNumber": article, "articleUnit": unit, "quantity": quantity}


def test_a_preview_shows_the_bytes_while_nothing_may_be_said(desk: Desk) -> None:
    """What is off is shown as off, with what would be sent to whom; what needs nothing is left out."""
    accepted, rejected, quiet = desk.ask(), desk.ask(), desk.ask()
    desk.ship(accepted, date="2026-03-05")
    desk.ship(rejected, 2, status="cancelled")
    desk.rest()
    rows = {row["customer_order_id"]: row for row in _rows(desk)}

    assert rows.keys() == {accepted, rejected}
    assert rows[accepted]["verdict"] == "off"
    assert rows[accepted]["body"] == {"type": "ACCEPT", "reference": "LS1", "scheduled": {"date": "2026-03-05"}}
    assert rows[rejected]["body"] == {"type": "REJECT"}
    assert quiet in {row["customer_order_id"] for row in _rows(desk, everything=True)}


def test_a_preview_tells_of_what_is_in_doubt_and_of_what_waits(desk: Desk) -> None:
    """The state of a response that was sent, and the time of one that will be."""
    desk.with_terms(respond=True)
    doubtful, waiting = desk.ask(), desk.ask()
    desk.ship(doubtful)
    desk.post.script = [PostFault.DROP_BEFORE_COMMIT]
    desk.go(doubtful)
    desk.ship(waiting, 2)
    desk.go(waiting)
    desk.alter(2, date="2026-03-11")
    rows = {row["customer_order_id"]: row for row in _rows(desk)}

    assert rows[doubtful]["verdict"] == "needs_person"
    assert (rows[waiting]["verdict"], rows[waiting]["type"]) == ("wait", "UPDATE")
    assert rows[waiting]["due_at"] is not None


def test_both_sides_agree_where_they_do(desk: Desk) -> None:
    """Accepted there and approved here, in the same quantities."""
    key = _asked(desk, ITEM, LIMES)
    desk.ship(key)
    desk.alter(line_items=[_line("GIN-6", "12"), _line("LIME", "1.105", "kg"), _line("OLD", "3", status="cancelled")])

    assert _kinds(desk) == []


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ([_line("GIN-6", "11")], "quantities"),
        ([_line("GIN-6", "2", "carton")], None),
        ([_line("GIN-6", "12"), _line("RUM", "1")], "quantities"),
        ([_line("OTHER", "12")], "not_comparable"),
        ([_line("GIN-6", "12", "kg")], "not_comparable"),
        ([], "not_comparable"),
    ],
)
def test_quantities_are_compared_where_they_can_be(
    desk: Desk, lines: list[dict[str, object]], kind: str | None
) -> None:
    """By article number, in vessels or packages; anything else is said to be not comparable."""
    key = _asked(desk, ITEM)
    desk.ship(key)
    desk.alter(line_items=lines)

    assert _kinds(desk) == ([] if kind is None else [kind])


def test_what_the_supplier_changed_counts_for_the_quantities(desk: Desk) -> None:
    """An acceptance may say other counts than were asked for."""
    key = _asked(desk, ITEM)
    desk.twin.respond(
        key, {"type": "ACCEPT", "reference": "X", "items": [{"id": "GIN-6", "count": 1}]}, request_number=0
    )
    desk.clock.advance(60)
    desk.settle()
    desk.ship(key)
    desk.alter(line_items=[_line("GIN-6", "6")])

    assert _kinds(desk) == []


def test_fractions_are_compared_exactly(desk: Desk) -> None:
    """A gram more is a difference."""
    key = _asked(desk, LIMES)
    desk.ship(key)
    desk.alter(line_items=[_line("LIME", str(Decimal("1.105") + Decimal("0.001")), "KG")])

    assert _kinds(desk) == ["quantities"]


def test_what_ended_on_one_side_only_is_told(desk: Desk) -> None:
    """Completed or under way here and ended there, cancelled here and accepted there, unknown here."""
    completed, under_way, cancelled, unknown = (desk.ask() for _ in range(4))
    desk.ship(completed, 1, status="completed")
    desk.ship(under_way, 2)
    desk.ship(cancelled, 3, status="cancelled")
    for key in (completed, under_way):
        desk.twin.cancel(key)
    for key in (cancelled, unknown):
        desk.twin.respond(key, {"type": "ACCEPT", "reference": f"LS-{key}"}, request_number=0)
    desk.clock.advance(60)
    desk.settle()

    assert _kinds(desk, completed) == ["completed_here_ended_there"]
    assert _kinds(desk, under_way) == ["under_way_here_ended_there"]
    assert _kinds(desk, cancelled) == ["cancelled_here_accepted_there", "waits_for_a_person"]
    assert _kinds(desk, unknown) == ["accepted_there_unknown_here"]


def test_what_barmate_does_not_know_is_told(desk: Desk) -> None:
    """A delivery names an order that never was there."""
    desk.settle()
    desk.ship("no-such-order")
    desk.now.reader.read("no-such-order")

    assert _kinds(desk, "no-such-order") == ["unknown_there"]


def test_no_movement_and_ambiguous_links_are_told(desk: Desk) -> None:
    """Open, and nothing happened for a week; named by two deliveries."""
    still, twice = desk.ask(), desk.ask()
    desk.ship(twice, 1)
    desk.ship(twice, 2)

    assert _kinds(desk, still) == []
    assert "ambiguous" in _kinds(desk, twice)

    desk.clock.advance(WEEK.total_seconds() + 1)

    assert _kinds(desk, still) == ["no_movement"]


def test_by_reference_a_delivery_belongs_to_the_order_that_refers_to_it(desk: Desk) -> None:
    """The reference is the delivery's number, whoever gave it."""
    key = desk.ask()
    desk.twin.respond(key, {"type": "ACCEPT", "reference": "LS1"}, request_number=0)
    desk.clock.advance(60)
    desk.settle()
    desk.deliver(1)
    desk.with_terms(link_by=LinkBy.REFERENCE)

    assert desk.situation(key).linked[0].delivery_id == 1


def test_what_is_owed_is_found_without_a_task(desk: Desk) -> None:
    """A lost task forgets nothing: the rows are looked through; once each, and only what may be said."""
    said, silent = desk.ask(), desk.ask()
    desk.ship(said)
    desk.ship(silent, 2, status="draft")
    names = iter(range(100))
    owed = Owed(
        database=desk.database, tasks=Tasks(rules=RULES, identity=lambda: f"{next(names):014d}"), terms=desk.terms
    )
    nothing = owed.run()
    desk.with_terms(respond=True)
    owed = Owed(
        database=desk.database, tasks=Tasks(rules=RULES, identity=lambda: f"{next(names):014d}"), terms=desk.terms
    )
    found = [owed.run(), owed.run()]
    with desk.database.read() as connection:
        subjects = connection.execute(sa.select(tasks.c.subject).where(tasks.c.kind == kinds.RESPOND)).scalars().all()

    assert (nothing, found) == (0, [1, 0])
    assert subjects == [said]


def test_an_event_is_about_the_customer_orders_that_it_names() -> None:
    """A delivery's by the field that links, before and after; a customer order's own."""
    subjects = subjects_of(LinkBy.NUMBER)
    delivery = EventDraft(
        source=f"/accounts/{ACCOUNT}",
        subject="deliveries/1",
        type=EventType.DELIVERY_CHANGED,
        time=None,  # type: ignore[arg-type]
        fingerprint="f",
        data={"delivery": {"number": "2"}, "previous": {"number": "1"}},
    )
    order = delivery._replace(type=EventType.CUSTOMER_ORDER_CHANGED, data={"customer_order": {"id": "7"}})

    assert subjects(delivery) == ("2", "1")
    assert subjects(order) == ("7",)
    assert subjects_of(LinkBy.REFERENCE)(delivery) == ()
