"""States and the vocabulary of events."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.clocks import NOON
from worker.checkpoints import KILL_AT, KillAt, from_environment, nothing
from worker.clock import SystemClock
from worker.columns import micros
from worker.errors import DatabaseUnavailable
from worker.events import EventDraft, EventType, OrderKey, event_id, firing_subject, first_event_id, next_sequence
from worker.states import (
    ENDED,
    FIRING_CHANGES,
    RESPONSE_CHANGES,
    RESPONSE_IN_DOUBT,
    RESPONSE_OPEN,
    UNRESOLVED,
    UNSENT,
    FiringState,
    ResponseState,
)


def test_nothing_leads_out_of_an_ended_firing() -> None:
    """Confirmed and abandoned are for ever."""
    assert not [change for change in FIRING_CHANGES if change[0] in ENDED]


def test_every_state_of_a_firing_can_end() -> None:
    """From every state some road leads to an end: nothing is forgotten for want of an arrow."""
    reach = set(ENDED)
    while grown := {before for before, after in FIRING_CHANGES if after in reach} - reach:
        reach |= grown

    assert reach == set(FiringState)


def test_what_was_sent_and_what_was_not_are_apart() -> None:
    """No state is both unsent and unresolved."""
    assert not UNRESOLVED & UNSENT


def test_a_response_that_barmate_has_stays_so_and_every_other_can_end() -> None:
    """Sent is for ever; nothing is on its way or in doubt for want of an arrow."""
    ended = set(ResponseState) - RESPONSE_OPEN
    reach = set(ended)
    while grown := {before for before, after in RESPONSE_CHANGES if after in reach} - reach:
        reach |= grown

    assert not [change for change in RESPONSE_CHANGES if change[0] is ResponseState.SENT]
    assert reach == set(ResponseState)
    assert all((state, ResponseState.SENT) in RESPONSE_CHANGES for state in RESPONSE_IN_DOUBT)


def test_the_page_of_states_lists_every_change_of_a_response_and_no_other() -> None:
    """`docs/states.md` is what an operator reads when something is wrong."""
    page = (Path(__file__).parents[2] / "docs" / "states.md").read_text(encoding="utf-8")
    table = page.split("## Responses to customer orders")[1]
    rows = re.findall(r"^\| (\w+) \| (\w+) \|", table, re.MULTILINE)

    listed = {(before, after) for before, after in rows if before != "from"}
    assert listed == {(before.value, after.value) for before, after in RESPONSE_CHANGES}


def test_an_order_key_survives_its_text_whatever_the_number_holds() -> None:
    """The purchase order is kept byte for byte, separators included."""
    key = OrderKey("acme.logistic.cloud", 7, "PO|1/ 2 ")

    assert OrderKey.parse(key.text) == key
    assert OrderKey.parse("acme.logistic.cloud|7|PO|1/ 2 ") == key
    for text in ("", "a", "a|7", "a|#5", "a|#PO-1|x", "a|x|PO-1"):
        with pytest.raises(ValueError, match=r"."):
            OrderKey.parse(text)
    assert firing_subject(key, 1) == "firings/7/PO|1/ 2 /1"


@pytest.mark.parametrize("stamp", ["2026-03-02T12:00:00.5", "1969-12-31T23:59:59.5", "9999-12-31T23:59:59.999999"])
def test_the_id_of_a_first_event_is_that_of_its_draft(stamp: str) -> None:
    """Whoever prepares an event beforehand says the same as who drafts it, fractions and odd years included."""
    origin = datetime.fromisoformat(stamp).replace(tzinfo=UTC)
    draft = EventDraft("/accounts/a", "deliveries/1", EventType.DELIVERY_APPEARED, origin, "hash", origin=origin)
    prepared = first_event_id(draft.source, draft.subject, draft.type, draft.fingerprint, micros(origin) // 1_000_000)

    assert event_id(draft, 0) == prepared


def test_a_sequence_follows_the_time_and_never_repeats() -> None:
    """The fact's milliseconds, or one more than the last."""
    at_noon = int(NOON.timestamp() * 1000)

    assert next_sequence(0, micros(NOON)) == at_noon
    assert next_sequence(at_noon, micros(NOON)) == at_noon + 1


def test_checkpoints_are_passed_in_production() -> None:
    """Without the test variable no point does anything, and another point's name passes."""
    assert from_environment({}) is nothing
    nothing("anywhere")
    point = from_environment({KILL_AT: "mirror: delivered#3"})

    assert isinstance(point, KillAt)
    point("elsewhere")


def test_the_monotonic_clock_only_grows() -> None:
    """Deadlines are measured on a clock that nobody sets."""
    clock = SystemClock()
    before = clock.monotonic()
    clock.sleep(-1)

    assert clock.monotonic() >= before


@pytest.mark.parametrize(("why", "said"), [("", "no reason given"), ("disk I/O error\nmore", "disk I/O error")])
def test_a_database_error_is_one_sentence(why: str, said: str) -> None:
    """The first line of the driver's text is enough for a person."""
    assert DatabaseUnavailable("sqlite", why).sentence == f"The database sqlite cannot be used: {said}."
