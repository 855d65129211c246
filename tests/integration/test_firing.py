"""Firing against the registry's twin over real HTTP: each answer leads to the right state, and never to a double."""

from tests.firing_kit import ORDER, Bench
from worker.states import FiringState


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
