"""Places for posts: what hangs or failed before fills its own, and never those of what is well."""

from worker.runtime.slots import PROMPT_SECONDS, Places, Slots

PLACES = Places(prompt=2, slow=3, again=2)
MANY = 100


def _begun(slots: Slots, count: int, *, now: float = 0.0, tried: bool = False) -> None:
    for _ in range(count):
        slots.begin(f"token {len(slots)}", tried=tried, now=now)


def test_prompt_posts_have_so_many_places() -> None:
    """A receiver is not overrun."""
    slots = Slots(PLACES)
    _begun(slots, 2)

    assert not slots.may_begin(tried=False, now=0.0, allowed=MANY)


def test_a_post_that_lasts_leaves_its_place_to_others() -> None:
    """After a second it is a slow one, and they have places of their own."""
    slots = Slots(PLACES)
    _begun(slots, 2)

    assert slots.may_begin(tried=False, now=PROMPT_SECONDS, allowed=MANY)


def test_slow_posts_beyond_their_places_count_as_prompt_ones() -> None:
    """The threads of a process have an end."""
    slots = Slots(PLACES)
    _begun(slots, 4)
    with_one_beyond = slots.may_begin(tried=False, now=PROMPT_SECONDS, allowed=MANY)
    _begun(slots, 1)

    assert with_one_beyond
    assert not slots.may_begin(tried=False, now=PROMPT_SECONDS, allowed=MANY)


def test_what_failed_before_never_takes_a_place_of_what_did_not() -> None:
    """Repeats to a receiver that hangs wait for each other."""
    slots = Slots(PLACES)
    _begun(slots, 2, tried=True)

    assert not slots.may_begin(tried=True, now=PROMPT_SECONDS, allowed=MANY)
    assert slots.may_begin(tried=False, now=0.0, allowed=MANY)


def test_a_place_is_free_when_its_post_came_back() -> None:
    """Of either sort; and ending twice is harmless."""
    slots = Slots(Places(prompt=1, slow=0, again=1))
    slots.begin("first", tried=False, now=0.0)
    slots.begin("again", tried=True, now=0.0)
    for token in ("first", "again", "again"):
        slots.end(token)

    assert len(slots) == 0
    assert slots.may_begin(tried=False, now=0.0, allowed=MANY)
    assert slots.may_begin(tried=True, now=0.0, allowed=MANY)


def test_the_pace_bounds_both_sorts_together_and_slow_ones_do_not_count() -> None:
    """A receiver that asks for one at a time gets one at a time, and one that hangs for a subject does not stop all."""
    slots = Slots(PLACES)
    _begun(slots, 1, tried=True)

    assert not slots.may_begin(tried=False, now=0.0, allowed=1)
    assert slots.may_begin(tried=False, now=PROMPT_SECONDS, allowed=1)
    assert not slots.may_begin(tried=False, now=PROMPT_SECONDS, allowed=0)
