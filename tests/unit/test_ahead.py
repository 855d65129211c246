"""Reading ahead: the order, the bound, and what ends it."""

import threading
from collections.abc import Iterator

import pytest

from worker.reading.ahead import Ahead

DEADLINE = 10.0


class _Numbers:
    """Counts up, and lets a test wait until so many were taken."""

    def __init__(self) -> None:
        self.taken = 0
        self._changed = threading.Condition()

    def __iter__(self) -> Iterator[int]:
        while True:
            with self._changed:
                self.taken += 1
                self._changed.notify_all()
            yield self.taken

    def wait_for(self, count: int) -> bool:
        """Whether so many are taken before the deadline."""
        with self._changed:
            return self._changed.wait_for(lambda: self.taken >= count, DEADLINE)


def test_items_come_in_their_order_and_then_the_end() -> None:
    """Reading ahead changes when something is fetched, never what comes."""
    assert list(Ahead(iter(range(50)), 3)) == list(range(50))


def test_no_more_is_taken_ahead_than_was_allowed() -> None:
    """What is ahead lies in memory, so it is bounded."""
    numbers = _Numbers()
    ahead = Ahead(iter(numbers), 3)

    assert numbers.wait_for(3)
    assert next(ahead) == 1
    assert numbers.wait_for(4)
    assert numbers.taken == 4
    ahead.close()


def test_without_a_bound_nothing_is_taken_before_it_is_asked_for() -> None:
    """Where turns are scarce a request is made when its page is wanted, by the thread that wants it."""
    numbers = _Numbers()
    ahead = Ahead(iter(numbers), 0)

    assert numbers.taken == 0
    assert not ahead.comes(0.0)
    assert [next(ahead), numbers.taken] == [1, 1]


def test_who_asks_whether_the_next_one_comes_loses_nothing() -> None:
    """Asked as often as one likes, what comes is handed on once, and in its order; the end comes too."""
    ahead = Ahead(iter(range(3)), 5)

    came = []
    while ahead.comes(DEADLINE) and ahead.comes(0.0):
        came.append(next(ahead, None))
        if came[-1] is None:
            break

    assert came == [0, 1, 2, None]
    assert next(ahead, None) is None


def test_what_does_not_come_is_not_waited_for_any_longer() -> None:
    """A source that takes its time keeps nobody from storing what is there."""
    never = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        never.wait(DEADLINE)
        yield 2

    ahead = Ahead(items(), 5)

    assert next(ahead) == 1
    assert not ahead.comes(0.001)
    never.set()
    assert ahead.comes(DEADLINE)
    assert next(ahead) == 2


def test_trouble_comes_after_everything_that_came_before_it() -> None:
    """What was read before a failure is kept, and the failure is told, as often as one asks."""

    def items() -> Iterator[int]:
        yield 1
        sentence = "the line is cut"
        raise OSError(sentence)

    ahead = Ahead(items(), 5)

    assert next(ahead) == 1
    for _ in range(2):
        with pytest.raises(OSError, match="the line is cut"):
            next(ahead)


@pytest.mark.parametrize("most", [0, 2])
def test_what_a_generator_has_under_way_ends_with_the_reading_ahead(most: int) -> None:
    """A list that is left in the middle leaves no thread behind that reads it on."""
    ended = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            ended.set()

    ahead = Ahead(items(), most)

    assert next(ahead) == 0
    assert not ended.is_set()
    ahead.close()
    assert ended.wait(DEADLINE)


def test_a_closed_one_takes_nothing_more() -> None:
    """Whoever stops reading has no thread that goes on asking."""
    numbers = _Numbers()
    ahead = Ahead(iter(numbers), 2)
    assert numbers.wait_for(2)
    ahead.close()
    taken = numbers.taken

    assert next(ahead) == 1
    assert numbers.taken == taken
