"""Readings before sending as tests give and take them: all at once, at the end."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from worker.events import OrderKey
from worker.orders.completion import Completion
from worker.standing import Standing

_Found = TypeVar("_Found")


def at_once(ask: Callable[[OrderKey], _Found]) -> Callable[[OrderKey], AbstractContextManager[Callable[[], _Found]]]:
    """A reading that begins nothing beforehand."""

    @contextmanager
    def begun(key: OrderKey) -> Iterator[Callable[[], _Found]]:
        yield lambda: ask(key)

    return begun


def rechecked(completion: Completion, key: OrderKey) -> Standing:
    """How the order stands after a fresh reading."""
    with completion.recheck(key) as standing:
        return standing()
