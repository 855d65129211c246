"""A firing's way from a complete order to a credit delivery, and everything that holds it."""

from datetime import timedelta

import pytest

from connectors.simulated.registry_model import DeliveryRequest, Line
from tests.clocks import NOON
from tests.firing_kit import KEY, ORDER, OTHER_ORDER, Bench, batch, order_key
from worker.events import OrderKey
from worker.firing.policy import Mode
from worker.states import FiringState, OrderState


def test_a_complete_and_linked_order_is_delivered_once(bench: Bench) -> None:
    """In automatic mode one look takes a firing from nothing to confirmed, with its marker and its kilograms."""
    bench.complete(kg=300)

    firing = bench.advance()

    assert firing.state is FiringState.CONFIRMED, firing.reason
    happened = bench.twin.happened()
    assert [(one["order_id"], one["kg"], one["notes"]) for one in happened] == [(ORDER, 300, firing.marker)]
    assert firing.credit_delivery_id == happened[0]["credit_delivery_id"]
    assert bench.history() == ["planned", "armed", "sending", "confirmed"]
    bench.advance()
    assert bench.twin.posts() == 1


def test_the_links_note_stands_before_the_marker(bench: Bench) -> None:
    """The notes are the link's note and the marker after it."""
    bench.complete(note="Delivered with care.")

    firing = bench.advance()

    assert bench.twin.happened()[0]["notes"] == f"Delivered with care. {firing.marker}"


def test_in_plan_mode_nothing_is_ever_sent(bench: Bench) -> None:
    """Plan is the default: the firing stays planned and nobody looks at it by time."""
    bench = bench.again(mode=Mode.PLAN)
    bench.complete()

    firing = bench.advance()

    assert (firing.state, firing.look_at) == (FiringState.PLANNED, None)
    assert bench.twin.posts() == 0


def test_without_credentials_a_firing_is_held(bench: Bench) -> None:
    """A mode that sends needs credentials, and the reason says so."""
    bench = bench.again(credentials=False)
    bench.complete()

    firing = bench.advance()

    assert (firing.state, firing.reason) == (FiringState.HELD, "there are no registry credentials")


def test_an_order_completed_before_going_live_is_held(bench: Bench) -> None:
    """It may have been delivered by hand."""
    bench.complete()
    bench.stands.completed_at = NOON - timedelta(days=2)

    firing = bench.advance()

    assert (firing.state, firing.cause, firing.look_at) == (FiringState.HELD, "since", None)


def test_an_order_that_reopens_before_sending_is_withdrawn_and_planned_again(bench: Bench) -> None:
    """Before anything was sent the order may take its firing back."""
    bench = bench.again(mode=Mode.PLAN)
    bench.complete()
    bench.advance()
    bench.stands.states[KEY] = OrderState.OPEN

    withdrawn = bench.advance()

    assert withdrawn.state is FiringState.WITHDRAWN
    bench.stands.states[KEY] = OrderState.COMPLETE
    assert bench.advance().state is FiringState.PLANNED


@pytest.mark.parametrize("state", [OrderState.OPEN, OrderState.BLOCKED, OrderState.SETTLING, OrderState.UNLINKED])
def test_an_order_that_is_not_complete_has_no_firing(bench: Bench, state: OrderState) -> None:
    """Only a complete, linked order gets one."""
    bench.complete()
    bench.stands.states[KEY] = state

    bench.parts.service.advance(KEY, lambda _connection: None)

    with bench.database.read() as connection:
        assert bench.parts.rows.of_order(connection, KEY) == []


def test_the_oldest_batches_pay_first(bench: Bench) -> None:
    """As many as needed, the newest of them in part."""
    bench.complete(kg=500)

    bench.advance()

    sizes = {one["id"]: one["status"] for one in bench.twin.batches()}
    assert (sizes[batch(1, 0).id], sizes[batch(2, 0).id], sizes[batch(3, 0).id]) == ("active", "split", "active")


def test_a_split_batch_named_by_the_link_is_replaced_by_its_children(bench: Bench) -> None:
    """The rest of a batch that was used in part is used under its new id."""
    bench.complete(kg=300, batches=(batch(1, 0).id,))
    bench.advance()
    second = order_key(2)
    bench.complete(second, kg=100, batches=(batch(1, 0).id,))

    firing = bench.advance(second)

    assert firing.state is FiringState.CONFIRMED, firing.reason


def test_a_batch_that_was_split_a_hundred_times_is_found_to_its_last_child(bench: Bench) -> None:
    """A large root batch pays for many deliveries: its rest lies one generation deeper after each."""
    root, others = batch(1, 0).id, {batch(2, 0).id, batch(3, 0).id}
    left = {root}
    for _ in range(100):
        lines = tuple(Line(batch_id=one, kg=1) for one in left)
        bench.twin.registry.deliver(DeliveryRequest(order_id=OTHER_ORDER, notes=None, lines=lines))
        unused = {one["id"] for one in bench.twin.batches() if one["status"] == "active" and not one["delivery_id"]}
        left = unused - others
    bench.complete(kg=300, batches=(root,))

    firing = bench.advance()

    assert (firing.state, bench.twin.happened()[-1]["kg"]) == (FiringState.CONFIRMED, 300), firing.reason


def test_too_few_credits_hold_and_say_how_many_kilograms_are_missing(bench: Bench) -> None:
    """The reason is one that a person understands; nothing is sent."""
    bench.complete(kg=900)
    bench.advance()
    second = order_key(2)
    bench.complete(second, kg=400, order=OTHER_ORDER)

    firing = bench.advance(second)

    assert (firing.state, firing.cause) == (FiringState.HELD, "batches")
    assert firing.reason == "100 kg of usable credits are missing"


def test_a_held_firing_goes_on_once_the_credits_are_there(bench: Bench) -> None:
    """What only the registry knows is looked at again every few minutes, without a trace in the history until then."""
    bench.complete(kg=600, batches=(batch(1, 0).id,))
    held = bench.advance()
    before = bench.history()
    bench.complete(kg=300, batches=(batch(1, 0).id,))
    assert held.look_at is not None
    bench.clock.advance((held.look_at - bench.clock.now()).total_seconds())

    firing = bench.advance()

    assert before == ["planned", "armed", "held"]
    assert firing.state is FiringState.CONFIRMED, firing.reason


def test_a_credit_order_without_room_holds(bench: Bench) -> None:
    """Never more than was ordered."""
    second = order_key(2)
    bench.complete(kg=700)
    bench.advance()
    bench.complete(second, kg=400)

    firing = bench.advance(second)

    assert (firing.state, firing.cause) == (FiringState.HELD, "credit_order")
    assert firing.reason == f"credit order {ORDER} has 300 kg left and 400 kg are needed"


def test_a_credit_order_that_does_not_exist_is_told(bench: Bench) -> None:
    """A wrong link never ends silently: the firing waits with the registry's words."""
    bench.complete(order="ord_1ZZZZZZZZSBXZZZZ")

    firing = bench.advance()

    assert firing.state is FiringState.ARMED
    assert "404" in firing.reason


def test_a_delivery_that_nobody_claims_holds_its_credit_order(bench: Bench) -> None:
    """It may be this very order, delivered by hand: a person adopts or dismisses it."""
    unknown = bench.twin.deliver_by_hand(100, 3, notes="by hand")
    bench.complete(kg=300)

    held = bench.advance()

    assert (held.state, held.cause) == (FiringState.HELD, "unattributed")
    assert unknown in held.reason
    bench.parts.person.dismiss(unknown, "another customer's")
    assert bench.settle().state is FiringState.CONFIRMED


def test_a_person_adopts_what_was_delivered_by_hand(bench: Bench) -> None:
    """The adopted delivery is the order's; nothing more is sent."""
    by_hand = bench.twin.deliver_by_hand(300, 3, notes="by hand")
    bench.complete(kg=300)
    bench.advance()

    firing = bench.parts.person.adopt(KEY, by_hand)

    assert (firing.state, firing.credit_delivery_id) == (FiringState.CONFIRMED, by_hand)
    bench.settle()
    assert bench.twin.posts() == 0


def test_pause_holds_and_resume_lets_go(bench: Bench) -> None:
    """Nothing is sent while firing is paused."""
    bench.parts.person.pause("stock-taking")
    bench.complete()

    paused = bench.advance()

    assert (paused.state, paused.cause) == (FiringState.HELD, "brake")
    assert "stock-taking" in paused.reason
    bench.parts.person.resume()
    assert bench.firing().look_at == bench.clock.now()
    assert bench.advance().state is FiringState.CONFIRMED


def test_the_limits_per_delivery_and_per_day_hold(bench: Bench) -> None:
    """The brakes count what was sent in the last 24 hours."""
    bench = bench.again(max_kg_per_delivery=350, max_kg_per_day=500)
    bench.complete(kg=351)
    second, third = order_key(2), order_key(3)
    bench.complete(second, kg=300)
    bench.complete(third, kg=300)

    states = [bench.advance(key) for key in (KEY, second, third)]

    assert [one.state for one in states] == [FiringState.HELD, FiringState.CONFIRMED, FiringState.HELD]
    assert states[2].reason == "300 kg and the 300 kg sent in the last 24 hours exceed 500 kg per day"
    bench.clock.advance(24 * 3600 + 1)
    assert bench.settle(third, looks=2).state is FiringState.CONFIRMED


def test_a_lost_database_finds_its_own_deliveries_again(bench: Bench, empty: Bench) -> None:
    """The markers are matched against every known order before anything is sent: nothing is delivered twice."""
    first, second, third = (order_key(number) for number in (1, 2, 3))
    for key in (first, second):
        bench.complete(key, kg=100)
        bench.advance(key)
    empty.complete(first, kg=100)
    empty.complete(third, kg=100)

    adopted = empty.advance(first)
    waiting = empty.advance(third)

    assert (adopted.state, adopted.reason) == (
        FiringState.CONFIRMED,
        "adopted: its marker was found at the registry",
    )
    # The delivery of the second order belongs to nobody until that order is known again.
    assert (waiting.state, waiting.cause) == (FiringState.HELD, "unattributed")
    empty.complete(second, kg=100)
    assert empty.advance(second).state is FiringState.CONFIRMED
    assert empty.settle(third).state is FiringState.CONFIRMED
    assert sorted(one["kg"] for one in bench.twin.happened()) == [100, 100, 100]


def test_two_orders_with_one_number_of_two_customers_have_markers_of_their_own(bench: Bench) -> None:
    """The firing's key is the whole order."""
    other = OrderKey(KEY.account, KEY.customer_id + 1, KEY.purchase_order)
    bench.complete(kg=100)
    bench.complete(other, kg=100)

    markers = {bench.advance(key).marker for key in (KEY, other)}

    assert len(markers) == 2
    assert len(bench.twin.happened()) == 2
