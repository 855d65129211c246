"""Reconcile: the two ledgers side by side; what differs stays until a person closes it."""

import pytest
import sqlalchemy as sa

from tests.firing_kit import KEY, ORDER, OTHER_ORDER, Bench, order_key
from tests.order_store import OrderStore
from worker.db.tables import counted_deliveries, deliveries, firings, mismatches
from worker.errors import NotReady
from worker.firing.listing import list_credits
from worker.firing.policy import Mode
from worker.firing.preview import NO_CREDENTIALS, Preview
from worker.states import FiringState


def test_equal_ledgers_agree(bench: Bench) -> None:
    """Every confirmed firing is there, and nothing else is."""
    for key in (KEY, order_key(2)):
        bench.complete(key, kg=100)
        bench.advance(key)

    report = bench.reconciler.run()

    assert (report.matched, report.agrees) == (2, True)


def test_a_delivery_by_hand_is_extra_until_it_is_closed(bench: Bench) -> None:
    """Found again it is the same row, and closed it stays closed."""
    bench.complete()
    bench.advance()
    unknown = bench.twin.deliver_by_hand(100, 3)

    report = bench.reconciler.run()

    assert [(one.kind, one.subject) for one in report.mismatches] == [("extra", unknown)]
    bench.reconciler.close(report.mismatches[0].id, "delivered by hand in March")
    assert bench.reconciler.run().agrees


def test_a_marker_of_another_key_is_foreign(bench: Bench) -> None:
    """Somebody else's waybill delivers to our credit order."""
    bench.complete()
    bench.advance()
    bench.twin.deliver_by_hand(100, 3, notes=f"wb1{'a' * 40}")

    report = bench.reconciler.run()

    assert [one.kind for one in report.mismatches] == ["foreign_marker"]


def test_other_credit_orders_are_looked_at_only_with_supplier(bench: Bench) -> None:
    """Without it, only what is linked counts."""
    bench.complete()
    bench.advance()
    unknown = bench.twin.deliver_by_hand(100, 3, order=OTHER_ORDER)

    linked = bench.reconciler.run()

    assert linked.agrees
    everything = bench.reconciler.run(supplier=True)
    assert [one.subject for one in everything.mismatches] == [unknown]


def test_what_we_hold_for_delivered_and_is_not_there_is_missing(bench: Bench) -> None:
    """A confirmed firing without its delivery, and one with other kilograms."""
    for key in (KEY, order_key(2)):
        bench.complete(key, kg=100)
        bench.advance(key)
    with bench.database.write() as connection:
        connection.execute(
            sa.update(firings).where(firings.c.id == 1).values(credit_delivery_id="dlv_1HHHHHHHHSBXHHHH")
        )
        connection.execute(sa.update(firings).where(firings.c.id == 2).values(kg=99))

    report = bench.reconciler.run()

    assert sorted(one.kind for one in report.mismatches) == ["different_kilograms", "missing"]
    assert report.matched == 0


def test_a_link_to_a_credit_order_that_does_not_exist_is_told_and_the_rest_compared(bench: Bench) -> None:
    """A mistyped id hides nothing of the other credit orders."""
    bench.complete()
    bench.advance()
    bench.complete(order_key(2), order="ord_1HHHHHHHHSBXHHHH")
    bench.advance(order_key(2))

    report = bench.reconciler.run()

    assert report.matched == 1
    assert [(one.kind, one.subject) for one in report.mismatches] == [("no_credit_order", "ord_1HHHHHHHHSBXHHHH")]
    assert report.mismatches[0].detail == {"linked_by": [order_key(2).purchase_order]}


@pytest.mark.parametrize(
    ("changes", "late"),
    [
        ({}, False),
        ({"status": "draft"}, True),
        ({"status": "cancelled"}, True),
        ({"visible": False}, True),
        ({"purchase_order": "PO-2"}, True),
        ({"purchase_order": None}, True),
    ],
)
def test_what_became_of_a_counted_delivery_is_compared(bench: Bench, changes: dict[str, object], *, late: bool) -> None:
    """Changed, cancelled, vanished or moved after it was counted: a late sibling, a row until it is closed."""
    bench.complete()
    bench.advance()
    store = OrderStore(bench.database)
    store.deliver()
    with bench.database.write() as connection:
        as_held = sa.select(deliveries.c.content_hash).scalar_subquery()
        connection.execute(sa.update(counted_deliveries).values(content_hash=as_held))
    if changes:
        store.deliver(1, **changes)

    kinds = [one.kind for one in bench.reconciler.run().mismatches]

    assert kinds == (["late_sibling"] if late else [])


def test_a_late_sibling_that_a_supplement_counted_is_none_any_more(bench: Bench) -> None:
    """A person has answered it; a cancelled sibling that never counted is none either."""
    bench.complete()
    bench.advance()
    store = OrderStore(bench.database)
    store.deliver(2)
    store.deliver(3, status="cancelled")
    late = [one.detail["delivery_id"] for one in bench.reconciler.run().mismatches]
    bench.reconciler.close(bench.reconciler.run().mismatches[0].id, "supplemented")
    bench.parts.person.supplement(KEY, 10, "delivery 2")
    bench.advance()
    with bench.database.write() as connection:
        (held,) = connection.execute(sa.select(deliveries.c.content_hash).where(deliveries.c.id == 2)).one()
        connection.execute(sa.delete(mismatches))
        second = bench.firing(ordinal=1).id
        counting = {"firing_id": second, "account": KEY.account, "delivery_id": 2, "content_hash": held}
        connection.execute(sa.insert(counted_deliveries).values(counting))

    assert late == [2]
    assert bench.reconciler.run().agrees


def test_reconciling_needs_credentials(bench: Bench) -> None:
    """One sentence with the remedy."""
    with pytest.raises(NotReady, match="ISOMETRIC__ACCESS_TOKEN"):
        bench.again(credentials=False).reconciler.run()


def test_the_listing_has_the_documented_keys(bench: Bench) -> None:
    """Scripts rely on them."""
    bench.complete(kg=300)
    bench.advance()

    with bench.database.read() as connection:
        listed = list(list_credits(connection))
        none = list(list_credits(connection, state=FiringState.HELD, credit_order_id=ORDER, limit=1))

    assert none == []
    assert [list(one) for one in listed] == [
        [
            "account",
            "customer_id",
            "purchase_order",
            "ordinal",
            "credit_order_id",
            "kg",
            "state",
            "reason",
            "credit_delivery_id",
            "attempts",
        ]
    ]
    assert (listed[0]["kg"], listed[0]["attempts"]) == (300, 1)


def preview(bench: Bench) -> Preview:
    """The preview over a bench."""
    parts = bench.parts
    return Preview(database=bench.database, rows=parts.rows, account=parts.account, readiness=parts.readiness)


def test_the_preview_is_exactly_what_is_sent(bench: Bench) -> None:
    """The bytes shown before are the bytes frozen later."""
    planning = bench.again(mode=Mode.PLAN)
    planning.complete(kg=500)
    planning.advance()

    shown = preview(planning).of(KEY)

    assert shown["calculation"] == {"kg": 500, "fixed": True, "lines": []}
    assert bench.advance().state is FiringState.CONFIRMED
    request = bench.firing().request
    assert request is not None
    assert shown["request"] == request.decode()
    assert preview(bench).of(KEY)["frozen"] is True


def test_the_preview_names_what_is_not_known(bench: Bench) -> None:
    """Without credentials the batches are a placeholder that says how to get them."""
    planning = bench.again(mode=Mode.PLAN, credentials=False)
    planning.complete(kg=500)

    shown = preview(planning).of(KEY)

    assert NO_CREDENTIALS in str(shown["request"])
