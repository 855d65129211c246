"""The rule of DESIGN §5, branch by branch."""

from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.order_kit import LINKED, NOON, UNLINKED, delivery, link
from worker.orders.completion_rule import Case, Decision, decide
from worker.orders.link_match import LinkMatch
from worker.standing import DeliveryFacts
from worker.states import OrderState

QUIET = 600.0
LATER = NOON + timedelta(seconds=QUIET)


def judged(*deliveries: DeliveryFacts, **changes: object) -> Decision:
    """The decision about deliveries that were read after the quiet time, unless changed."""
    values: dict[str, object] = {
        "set_aside": (),
        "counted_elsewhere": (),
        "match": LINKED,
        "server_now": LATER,
        "quiet_seconds": QUIET,
        "read_confirmed": True,
        **changes,
    }
    return decide(Case(deliveries=deliveries, **values))  # type: ignore[arg-type]


def test_an_order_is_complete_when_its_deliveries_are_completed_quiet_and_read() -> None:
    """Complete: all completed, quiet, read at the source, linked."""
    decision = judged(delivery(1), delivery(2))

    assert decision == Decision(state=OrderState.COMPLETE, reason="complete: 2 deliveries, read at the source")


def test_a_cancelled_delivery_does_not_stand_in_the_way() -> None:
    """Only deliveries that are not cancelled have to be completed."""
    decision = judged(delivery(1), delivery(2, status="cancelled", status_inbound="cancelled"))

    assert decision.state is OrderState.COMPLETE


def test_an_order_of_cancelled_deliveries_is_cancelled() -> None:
    """All cancelled: cancelled."""
    assert judged(delivery(status="cancelled")).state is OrderState.CANCELLED


def test_a_delivery_on_its_way_keeps_the_order_open_and_is_named() -> None:
    """The reason says how far the order is and which delivery it waits for."""
    decision = judged(delivery(1), delivery(2, status="processing"))

    assert decision.state is OrderState.OPEN
    assert decision.reason == "1 of 2 deliveries are completed; delivery 2 is processing"
    assert decision.look_in is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "error"}, "has status error"),
        ({"status": "unknown"}, "has status unknown"),
        ({"status_inbound": "onHold"}, "has inbound status onHold"),
        ({"status_inbound": "error"}, "has inbound status error"),
        ({"status_inbound": "unknown"}, "has inbound status unknown"),
        ({"status": "melted", "unrecognised": ("status=melted",)}, "does not know: status=melted"),
        ({"status_inbound": "lost", "unrecognised": ("statusInbound=lost",)}, "does not know: statusInbound=lost"),
        ({"visible": False}, "is no longer visible at the source"),
    ],
)
def test_a_delivery_with_a_blocking_value_blocks_and_is_named(changes: dict[str, object], words: str) -> None:
    """Each blocking value blocks the order, also where every other delivery is completed."""
    decision = judged(delivery(1), delivery(21, **changes))

    assert decision.state is OrderState.BLOCKED
    assert decision.reason.startswith("delivery 21 ")
    assert words in decision.reason


def test_values_that_have_no_part_in_completion_do_not_block() -> None:
    """An unknown priority is flagged elsewhere; completion goes by status and inbound status."""
    assert judged(delivery(unrecognised=("priority=urgent",))).state is OrderState.COMPLETE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"set_aside": ("the record of delivery 3 was set aside: no id",)}, "the record of delivery 3"),
        ({"counted_elsewhere": ("delivery 1 was already counted for order PO-0",)}, "delivery 1 was already counted"),
        ({"match": LinkMatch(None, "two orders have this number")}, "two orders have this number"),
    ],
)
def test_what_lies_outside_of_the_deliveries_blocks_as_well(changes: dict[str, object], reason: str) -> None:
    """Records set aside, deliveries counted elsewhere and an ambiguous link block with their own reason."""
    decision = judged(delivery(1), **changes)

    assert decision.state is OrderState.BLOCKED
    assert decision.reason.startswith(reason)


def test_one_reason_is_told_and_the_others_are_counted() -> None:
    """A person reads the first reason and how many more there are."""
    decision = judged(delivery(1, status="error"), delivery(2, visible=False))

    assert decision.reason == "delivery 1 has status error (and 1 more)"


@pytest.mark.parametrize(
    ("expected", "state", "reason"),
    [
        (3, OrderState.OPEN, "2 of 3 expected deliveries have appeared"),
        (2, OrderState.COMPLETE, "complete: 2 deliveries, read at the source"),
        (1, OrderState.BLOCKED, "2 deliveries have appeared, but the link expects 1"),
    ],
)
def test_the_expected_number_is_reached_exactly(expected: int, state: OrderState, reason: str) -> None:
    """Fewer keep it open, more block it; cancelled ones do not count."""
    match = LinkMatch(link(expected_deliveries=expected))

    decision = judged(delivery(1), delivery(2), delivery(3, status="cancelled"), match=match)

    assert (decision.state, decision.reason) == (state, reason)


def test_an_order_settles_until_the_source_was_quiet_long_enough() -> None:
    """The quiet time goes by the server's time and the newest change, a cancellation included."""
    cancelled = delivery(2, status="cancelled", updated_at=NOON + timedelta(seconds=100))

    decision = judged(delivery(1), cancelled, read_confirmed=False)

    assert decision.state is OrderState.SETTLING
    assert decision.look_in == 100
    assert not decision.wants_reading


def test_after_the_quiet_time_the_source_is_read_once_more() -> None:
    """Complete is said only after the reading by purchase order number."""
    decision = judged(delivery(1), read_confirmed=False)

    assert decision.state is OrderState.SETTLING
    assert decision.wants_reading


def test_an_order_settles_while_the_time_of_the_source_is_not_known() -> None:
    """Our own clock never decides about the quiet time."""
    decision = judged(delivery(1), server_now=None, read_confirmed=False)

    assert decision.state is OrderState.SETTLING
    assert decision.look_in is not None


@pytest.mark.parametrize("read", [True, False])
def test_an_order_without_a_link_is_unlinked_and_costs_no_reading(*, read: bool) -> None:
    """No link: shown, no firing, and the source is not asked for it."""
    decision = judged(delivery(1), match=UNLINKED, read_confirmed=read)

    assert decision.state is OrderState.UNLINKED
    assert not decision.wants_reading


def test_an_order_that_all_deliveries_left_is_open() -> None:
    """A delivery whose number changed belongs to the other order."""
    assert judged().state is OrderState.OPEN


STATUS = st.sampled_from(["completed", "completed", "completed", "cancelled", "processing", "error", "odd"])
SOME = st.lists(
    st.builds(
        lambda status, inbound, visible, seconds: {
            "status": status,
            "status_inbound": inbound,
            "visible": visible,
            "updated_at": NOON + timedelta(seconds=seconds),
        },
        STATUS,
        st.sampled_from(["booked", "booked", "booked", "onHold"]),
        st.sampled_from([True, True, True, False]),
        st.integers(0, 900),
    ),
    max_size=6,
)


@given(some=SOME, seed=st.randoms(use_true_random=False), read=st.booleans(), expected=st.sampled_from([None, 1, 3]))
def test_the_order_of_deliveries_does_not_change_the_decision(
    some: list[dict[str, object]], seed: Random, *, read: bool, expected: int | None
) -> None:
    """A decision is about a set of deliveries."""
    deliveries = [delivery(number, **changes) for number, changes in enumerate(some, start=1)]
    shuffled = seed.sample(deliveries, len(deliveries))
    match = LinkMatch(link(expected_deliveries=expected))

    straight, mixed = (judged(*given, match=match, read_confirmed=read) for given in (deliveries, shuffled))

    assert straight == mixed


@given(some=SOME, read=st.booleans())
def test_complete_is_never_said_of_anything_but_completed_deliveries(
    some: list[dict[str, object]], *, read: bool
) -> None:
    """Whatever the mixture: complete means read, visible, and completed or cancelled, with one completed at least."""
    deliveries = [delivery(number, **changes) for number, changes in enumerate(some, start=1)]

    decision = judged(*deliveries, read_confirmed=read)

    if decision.state is OrderState.COMPLETE:
        assert read
        assert all(found.visible and found.status_inbound == "booked" for found in deliveries)
        assert {found.status for found in deliveries} - {"cancelled"} == {"completed"}
