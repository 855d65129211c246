"""The tables of the runtime: event types, kinds of task, lanes. Whatever mirrors something else must be complete."""

import re
from datetime import UTC, datetime
from pathlib import Path

from worker import kinds
from worker.events import EventDraft, EventType, OrderKey
from worker.runtime.subscriptions import SERVICES, TERMINAL, subscriptions

_TWO_ORDERS = (OrderKey("acme", 1, "old"), OrderKey("acme", 1, "new"))


def _draft(kind: EventType, orders: tuple[OrderKey, ...] = ()) -> EventDraft:
    return EventDraft(
        source="/accounts/acme",
        subject="deliveries/7",
        type=kind,
        time=datetime(2026, 3, 2, tzinfo=UTC),
        fingerprint="x",
        orders=orders,
    )


def test_every_type_of_event_has_a_subscriber_or_is_said_to_end_here() -> None:
    """No event can be added to the catalogue and be forgotten."""
    assert SERVICES.keys() | TERMINAL == set(EventType)
    assert not SERVICES.keys() & TERMINAL


def test_with_a_webhook_every_event_is_mirrored_under_its_own_subject() -> None:
    """One event of a subject is in flight at a time, so the task's subject is the event's."""
    for kind, subscribers in subscriptions(webhook=True).items():
        mirrored = [found for found in subscribers if found.kind == kinds.MIRROR]

        assert [found.subjects(_draft(kind)) for found in mirrored] == [("/accounts/acme|deliveries/7",)]


def test_without_a_webhook_nothing_is_mirrored() -> None:
    """A task that nobody will ever do is not written."""
    found = [one.kind for subscribers in subscriptions(webhook=False).values() for one in subscribers]

    assert kinds.MIRROR not in found


def test_a_delivery_that_changed_its_number_concerns_both_orders() -> None:
    """The order it left is decided anew as well as the one it joined."""
    draft = _draft(EventType.DELIVERY_CHANGED, _TWO_ORDERS)
    (completion,) = subscriptions(webhook=False)[EventType.DELIVERY_CHANGED]

    assert completion.kind == kinds.COMPLETION
    assert list(completion.subjects(draft)) == [key.text for key in _TWO_ORDERS]


def test_every_kind_has_its_rule_and_travels_in_one_lane() -> None:
    """A kind without a lane would never be sent, one without a rule could not be claimed."""
    ways = [(kind, tried) for kind in kinds.RULES for tried in (False, True)]
    lanes = [[lane.name for lane in kinds.LANES if lane.takes(kind, tried=tried)] for kind, tried in ways]

    assert {len(found) for found in lanes} == {1}


def test_the_mirrors_schedule_lasts_about_three_days() -> None:
    """A long weekend's outage of the receiver loses nothing; each wait is at least as long as the one before."""
    assert list(kinds.MIRROR_SCHEDULE) == sorted(kinds.MIRROR_SCHEDULE)
    assert 2.9 * 86_400 < sum(kinds.MIRROR_SCHEDULE) < 3 * 86_400
    assert kinds.RULES[kinds.MIRROR].max_attempts == len(kinds.MIRROR_SCHEDULE) + 1


def test_the_documented_schedule_is_the_one_that_is_kept() -> None:
    """Receivers rely on what docs/events.md publishes."""
    text = " ".join((Path(__file__).parents[2] / "docs" / "events.md").read_text().split())
    published = re.search(r"The event is posted again (.+?) after the try before", text)
    units = {"s": 1, "min": 60, "h": 3600}

    assert published is not None
    found = re.findall(r"(\d+) (s|min|h)", published[1])
    assert [int(number) * units[unit] for number, unit in found] == list(kinds.MIRROR_SCHEDULE)
