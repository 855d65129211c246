"""What a customer order means for the order whose delivery names it: the rule, branch by branch (DESIGN §5)."""

import pytest

from tests.clocks import NOON
from worker.customers.customer_rows import CustomerOrderRow
from worker.customers.gate_rule import Held, Named, gate
from worker.standing import GateKind

BY_ID = Named(delivery_id=5, value="77", by_reference=False)
BY_REFERENCE = Named(delivery_id=5, value="LS5", by_reference=True)


def order(key: str = "77", /, **changes: object) -> CustomerOrderRow:
    """A customer order as held: accepted and read, unless changed."""
    values: dict[str, object] = {
        "host": "barmate.example",
        "id": key,
        "type": "DELIVERY",
        "status": "ACCEPTED",
        "unknown": (),
        "company": None,
        "customer_id": None,
        "cost_center": None,
        "requested_at": NOON,
        "scheduled": None,
        "cancelled_at": None,
        "reference": None,
        "items": (),
        "responses": (),
        "content_hash": "h",
        "turn": 1,
        "visible": True,
        "first_seen_at": NOON,
        "changed_at": NOON,
        "read_at": NOON,
        "delivered_seen_at": None,
        **changes,
    }
    return CustomerOrderRow(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["REQUESTED", "ACCEPTED", "DELIVERED"])
def test_an_order_that_goes_its_way_stands_against_nothing(status: str) -> None:
    """Requested, accepted and received are all fine unless the receipt is required."""
    found = gate(BY_ID, Held(orders=(order(status=status),)), require_receipt=False)

    assert found.kind is GateKind.OPEN
    assert found.customer_order_id == "77"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "CANCELLED"}, "customer order 77 of delivery 5 is CANCELLED"),
        ({"status": "REJECTED"}, "customer order 77 of delivery 5 is REJECTED"),
        ({"type": "RETURN"}, "customer order 77 of delivery 5 is a RETURN"),
        ({"visible": False}, "customer order 77 of delivery 5 is no longer known to barmate"),
        (
            {"status": "LOST", "unknown": ("status=LOST",)},
            "customer order 77 of delivery 5 has a value this version does not know: status=LOST",
        ),
        (
            {"type": "LOAN", "unknown": ("type=LOAN",)},
            "customer order 77 of delivery 5 has a value this version does not know: type=LOAN",
        ),
    ],
)
@pytest.mark.parametrize("require_receipt", [False, True])
def test_an_order_that_ended_otherwise_blocks(
    changes: dict[str, object],
    words: str,
    require_receipt: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Cancelled, rejected, a return, gone, or of a status or type that nobody documented."""
    found = gate(BY_ID, Held(orders=(order("77", **changes),)), require_receipt=require_receipt)

    assert (found.kind, found.reason) == (GateKind.BLOCKS, words)


def test_what_the_list_alone_says_is_enough_to_block() -> None:
    """A cancelled order blocks before it was ever read by its id."""
    held = Held(orders=(order(status="CANCELLED", read_at=None),))

    assert gate(BY_ID, held, require_receipt=False).kind is GateKind.BLOCKS


def test_undocumented_values_that_decide_nothing_are_let_through() -> None:
    """A new unit of a vessel is shown, and stops no goods."""
    held = Held(orders=(order(unknown=("items.vessel.unit=hl",)),))

    assert gate(BY_ID, held, require_receipt=False).kind is GateKind.OPEN


@pytest.mark.parametrize(
    ("status", "kind"),
    [("REQUESTED", GateKind.WAITS), ("ACCEPTED", GateKind.WAITS), ("DELIVERED", GateKind.OPEN)],
)
def test_a_required_receipt_is_awaited(status: str, kind: GateKind) -> None:
    """Only DELIVERED says that the customer has the goods."""
    assert gate(BY_ID, Held(orders=(order(status=status),)), require_receipt=True).kind is kind


def test_an_id_is_asked_for_before_it_is_called_unknown() -> None:
    """Not held means not read; what barmate said it does not know blocks."""
    unread = gate(BY_ID, Held(), require_receipt=False)
    unknown = gate(BY_ID, Held(missing=True), require_receipt=False)

    assert unread.kind is GateKind.UNREAD
    assert gate(BY_ID, Held(orders=(order(read_at=None),)), require_receipt=False).kind is GateKind.UNREAD
    assert (unknown.kind, unknown.customer_order_id) == (GateKind.BLOCKS, None)
    assert unknown.reason == "barmate knows no customer order 77, which delivery 5 names"


def test_a_reference_is_called_unknown_once_the_whole_list_was_read() -> None:
    """Until then the order with it may be among those that are still to be read."""
    pending = gate(BY_REFERENCE, Held(), require_receipt=False)
    unknown = gate(BY_REFERENCE, Held(list_read=True), require_receipt=False)

    assert pending.kind is GateKind.PENDING
    assert (unknown.kind, unknown.reason) == (GateKind.BLOCKS, "no customer order refers to LS5, delivery 5")


def test_a_reference_that_several_orders_carry_is_never_guessed() -> None:
    """One delivery has one customer order."""
    found = gate(BY_REFERENCE, Held(orders=(order("77"), order("78")), list_read=True), require_receipt=False)

    assert found.kind is GateKind.BLOCKS
    assert found.customer_order_id is None
    assert found.reason == "customer orders 77, 78 all refer to LS5, delivery 5"


def test_a_number_that_several_deliveries_carry_is_never_guessed() -> None:
    """The reference may mean either of them."""
    held = Held(orders=(order(),), same_number=("delivery 9 of other.example",), list_read=True)

    assert gate(BY_REFERENCE, held, require_receipt=False).kind is GateKind.BLOCKS
    assert gate(BY_ID, held, require_receipt=False).kind is GateKind.OPEN


def test_a_record_that_was_set_aside_blocks_whatever_is_held() -> None:
    """What its newest record says is not known."""
    found = gate(BY_ID, Held(orders=(order(),), set_aside="the field status is missing"), require_receipt=False)

    assert found.kind is GateKind.BLOCKS
    assert found.reason.endswith("was set aside: the field status is missing")
