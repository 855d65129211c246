"""The registry's twin as a state: splitting, ownership, refusals, and what can be read when."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from connectors.simulated import registry_views as views
from connectors.simulated.clock import SteppedClock
from connectors.simulated.registry import Registry
from connectors.simulated.registry_ids import has_shape, mint
from connectors.simulated.registry_model import (
    CreditBatch,
    CreditOrder,
    DeliveryRequest,
    Line,
    Organisation,
    RegistryContent,
    Supplier,
)
from connectors.simulated.registry_trouble import TroubleError, UnknownIdError
from connectors.simulated.switches import Panel, RegistrySwitches, changed

SEEDED = random.Random
START = datetime(2026, 5, 13, 12, 0, tzinfo=UTC)
HOME = Organisation(id="org_1AAAAAAAASBXHOME", name="Home", domain=None)
BUYER = Organisation(id="org_1AAAAAAAASBXBUYR", name="Buyer", domain="buyer.example")
SUPPLIER = Supplier(id="spl_1AAAAAAAASBXSUPP", organisation=HOME)
ORDER = CreditOrder(
    id="ord_1AAAAAAAASBX0001", buyer=BUYER, supplier=SUPPLIER, contract_date=date(2026, 1, 1), ordered_kg=1000
)
BATCH = CreditBatch(
    id="ctb_1AAAAAAAASBX0001",
    kg=600,
    first_serial=1,
    issued_at=START - timedelta(days=90),
    sequestered_on=date(2026, 1, 1),
    issuance_id="iss_1AAAAAAAASBX0001",
    project_id="prj_1AAAAAAAASBX0001",
    removal_id="rmv_1AAAAAAAASBX0001",
    supplier_id=SUPPLIER.id,
    owner=HOME,
)
OTHER = replace(BATCH, id="ctb_1AAAAAAAASBX0002", kg=5000, first_serial=601)


def build(**switches: object) -> tuple[Registry, SteppedClock]:
    """Return a registry with one order of 1000 kg and batches of 600 and 5000 kg."""
    clock = SteppedClock(START)
    content = RegistryContent(supplier=SUPPLIER, organisations=(HOME, BUYER), orders=(ORDER,), batches=(BATCH, OTHER))
    panel = Panel(changed(RegistrySwitches(), switches))
    return Registry(content, clock=clock, chance=SEEDED(1), panel=panel), clock


def ask(*lines: tuple[CreditBatch, int], notes: str | None = None) -> DeliveryRequest:
    """Return a request for kilograms of batches."""
    return DeliveryRequest(
        order_id=ORDER.id, notes=notes, lines=tuple(Line(batch_id=batch.id, kg=kg) for batch, kg in lines)
    )


def refused(registry: Registry, request: DeliveryRequest) -> list[str | int]:
    """Return where the first trouble lies."""
    with pytest.raises(TroubleError) as caught:
        registry.deliver(request)
    where: list[str | int] = caught.value.details[0]["loc"]
    return where


def test_a_part_of_a_batch_splits_it_in_two() -> None:
    """The parent is split, one child goes to the buyer with the delivery, the rest stays with the supplier."""
    registry, clock = build()
    delivery = registry.deliver(ask((BATCH, 250)))

    parent = registry.batch(BATCH.id, until=clock.now())
    children = [
        registry.batch(str(child), until=clock.now()) for child in (parent.left_child_id, parent.right_child_id)
    ]
    sold = next(child for child in children if child.owner == BUYER)
    rest = next(child for child in children if child.owner == HOME)
    assert (parent.status, sold.status, rest.status) == ("split", "active", "active")
    assert (sold.kg, rest.kg, sold.delivery_id, rest.delivery_id) == (250, 350, delivery.id, None)
    assert {sold.parent_id, rest.parent_id} == {BATCH.id}
    assert sold.delivered_at == START
    assert delivery.batch_ids == (sold.id,)


def test_the_children_share_the_serial_numbers_of_their_parent() -> None:
    """Their ranges are next to each other and cover the parent's."""
    registry, clock = build()
    registry.deliver(ask((BATCH, 250)))
    parent = registry.batch(BATCH.id, until=clock.now())
    left = registry.batch(str(parent.left_child_id), until=clock.now())
    right = registry.batch(str(parent.right_child_id), until=clock.now())

    assert (left.first_serial, right.first_serial, left.kg + right.kg) == (1, 1 + left.kg, 600)
    assert views.serial_number(right).endswith("-601")


def test_a_whole_batch_changes_hands() -> None:
    """There is no status for delivered: it stays active with another owner and a delivery."""
    registry, clock = build()
    delivery = registry.deliver(ask((BATCH, 600)))

    batch = registry.batch(BATCH.id, until=clock.now())
    assert (batch.status, batch.owner, batch.delivery_id) == ("active", BUYER, delivery.id)


def test_an_order_goes_from_placed_over_in_progress_to_completed() -> None:
    """It is fulfilled when the last missing kilogram was delivered."""
    registry, clock = build()
    seen = [views.order(registry, ORDER, clock.now())]
    registry.deliver(ask((BATCH, 600)))
    seen.append(views.order(registry, ORDER, clock.now()))
    clock.advance(5)
    registry.deliver(ask((OTHER, 400)))
    seen.append(views.order(registry, ORDER, clock.now()))

    assert [order["status"] for order in seen] == ["placed", "in_progress", "completed"]
    assert [order["fulfilled_at"] for order in seen] == [None, None, "2026-05-13T12:00:05.000000Z"]
    assert seen[-1]["credits_delivered"] == {"credits": 1.0, "credit_kgs": 1000}


BATCHES = ["body", "credit_batch_quantities"]


def test_troubles_with_batches_lie_under_their_line() -> None:
    """Unknown, too big, named twice: each names the index of the line."""
    registry, _clock = build()
    unknown = replace(BATCH, id="ctb_1AAAAAAAASBX9999")

    assert refused(registry, ask((unknown, 1))) == [*BATCHES, 0, "credit_batch_id"]
    assert refused(registry, ask((OTHER, 1), (BATCH, 601))) == [*BATCHES, 1, "credit_batch_id"]
    assert refused(registry, ask((BATCH, 1), (BATCH, 1))) == [*BATCHES, 1, "credit_batch_id"]


def test_used_batches_are_refused() -> None:
    """A split batch, a delivered one and somebody else's cannot be delivered."""
    registry, _clock = build()
    sold = registry.deliver(ask((BATCH, 100))).batch_ids[0]
    registry.deliver(ask((OTHER, 300)))

    assert refused(registry, ask((BATCH, 100))) == [*BATCHES, 0, "credit_batch_id"]
    assert refused(registry, ask((replace(BATCH, id=sold), 100))) == [*BATCHES, 0, "credit_batch_id"]
    assert len(registry.deliveries(until=START)) == 2


def test_a_batch_of_another_owner_is_refused() -> None:
    """What was never the supplier's cannot be delivered by the supplier."""
    clock = SteppedClock(START)
    foreign = replace(BATCH, owner=BUYER)
    content = RegistryContent(supplier=SUPPLIER, organisations=(HOME,), orders=(ORDER,), batches=(foreign,))
    registry = Registry(content, clock=clock, chance=SEEDED(1), panel=Panel(RegistrySwitches()))

    assert refused(registry, ask((foreign, 1))) == [*BATCHES, 0, "credit_batch_id"]


def test_troubles_with_the_order_lie_under_its_id() -> None:
    """Unknown, more than what remains, already completed."""
    registry, _clock = build()
    unknown = replace(ask((BATCH, 1)), order_id="ord_1AAAAAAAASBX9999")
    where = ["body", "order_id"]

    assert refused(registry, unknown) == where
    assert refused(registry, ask((OTHER, 1001))) == where
    registry.deliver(ask((OTHER, 1000)))
    assert refused(registry, ask((BATCH, 1))) == where


def test_over_delivery_can_be_accepted() -> None:
    """With the switch nobody counts what remains."""
    registry, clock = build(over_delivery_refused=False)
    registry.deliver(ask((OTHER, 1001)))

    assert registry.delivered_kg(ORDER.id) == 1001
    assert views.order(registry, ORDER, clock.now())["status"] == "completed"


def test_used_batches_can_be_accepted() -> None:
    """With the switch the same request delivers twice: the danger a client has to know."""
    registry, _clock = build(used_batches_refused=False)
    registry.deliver(ask((BATCH, 400)))
    registry.deliver(ask((BATCH, 400)))

    assert registry.delivered_kg(ORDER.id) == 800


@pytest.mark.parametrize(("lines", "kg"), [(((BATCH, 400),), 200), (((BATCH, 400), (OTHER, 300)), 400)])
def test_only_a_part_can_be_taken(lines: tuple[tuple[CreditBatch, int], ...], kg: int) -> None:
    """With the switch about half of what was asked is delivered, and the answer says so."""
    registry, _clock = build(partial_acceptance=True)

    assert registry.deliver(ask(*lines)).kg == kg


def test_a_refusal_can_leave_the_good_lines_delivered() -> None:
    """With the switch one bad batch answers no although the others moved."""
    registry, clock = build(all_or_nothing=False)
    unknown = replace(BATCH, id="ctb_1AAAAAAAASBX9999")

    assert refused(registry, ask((BATCH, 100), (unknown, 1))) == [*BATCHES, 1, "credit_batch_id"]
    assert [delivery.kg for delivery in registry.deliveries(until=clock.now())] == [100]


def test_lists_lag_behind_what_happened() -> None:
    """Until the lag is over a delivery is missing, and batches and orders look as before."""
    registry, clock = build(list_lag_seconds=10.0)
    delivery = registry.deliver(ask((BATCH, 250)))
    seen = registry.seen_until()

    assert registry.deliveries(until=seen) == []
    assert [(batch.id, batch.status) for batch in registry.batches(until=seen)] == [
        (BATCH.id, "active"),
        (OTHER.id, "active"),
    ]
    assert registry.delivered_kg(ORDER.id, until=seen) == 0
    assert registry.fulfilled_at(ORDER, until=seen) is None
    with pytest.raises(UnknownIdError):
        registry.batch(delivery.batch_ids[0], until=seen)
    clock.advance(10)
    assert registry.deliveries(until=registry.seen_until()) == [delivery]


def test_an_early_stamp_sorts_behind_newer_deliveries() -> None:
    """A late commit may carry the time of its request, so it does not appear at the head of the list."""
    registry, clock = build()
    clock.advance(5)
    first = registry.deliver(ask((OTHER, 1)))
    late = registry.deliver(ask((BATCH, 1)), stamped=START)

    assert registry.deliveries(until=clock.now()) == [first, late]


def test_ids_have_the_documented_shape_with_the_sandbox_marker() -> None:
    """Three letters, an underscore, sixteen characters with SBX as the tenth to twelfth."""
    minted = mint("ord", SEEDED(1))

    assert has_shape(minted, "ord")
    assert (len(minted), minted[:4], minted[13:16]) == (20, "ord_", "SBX")
    assert not has_shape(minted, "dlv")
